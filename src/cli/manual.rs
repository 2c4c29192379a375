//! `ocsprey man` and `ocsprey completions`: what packages install beside the program, made from the same
//! definition of the command line as `--help`.

use super::{Cli, Exit, Failure};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::PathBuf;

/// Write the manual pages, one for each command
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Example:
  ocsprey man --dir /usr/local/share/man/man1")]
pub(super) struct ManArgs {
    /// Where ocsprey.1, ocsprey-serve.1, … go
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
}

/// Print what a shell needs to complete commands and options
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey completions bash > /etc/bash_completion.d/ocsprey
  ocsprey completions zsh > /usr/local/share/zsh/site-functions/_ocsprey
  ocsprey completions fish > ~/.config/fish/completions/ocsprey.fish")]
pub(super) struct CompletionsArgs {
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn man(args: &ManArgs) -> Result<Exit, Failure> {
    let wrote =
        std::fs::create_dir_all(&args.dir).and_then(|()| clap_mangen::generate_to(Cli::command(), &args.dir));
    wrote.map_err(|why| Failure::work(args.dir.display(), crate::config::io_reason(&why), ""))?;
    Ok(Exit::Done)
}

pub(super) fn completions(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "ocsprey", &mut script);
    super::print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
