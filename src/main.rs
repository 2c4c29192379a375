//! `ocsprey`: see [`ocsprey::cli`].

use std::process::ExitCode;

// The system's allocator takes about a fifth more of a request's time (design.md, decision 2).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ocsprey::cli::run(std::env::args_os())
}
