//! `ocsprey-load`: see [`ocsprey_load`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ocsprey_load::command::run(std::env::args_os())
}
