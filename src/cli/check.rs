//! `ocsprey check`: is everything there that serving needs? All that is wrong, not only the first.
//!
//! The files are looked for here; whether keys, certificates and CRLs fit together is [`crate::app`]'s to say.

use super::{Exit, Failure};
use crate::app;
use crate::clock::Clock;
use crate::config::{Config, Problem};
use clap::Args;
use std::path::PathBuf;

/// Check everything that serving needs, and say all that is wrong
///
/// Files, keys and the certificates they belong to, whether the CA lets the signer sign, and whether the
/// CRLs parse and verify.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Example:
  ocsprey check --config /etc/ocsprey/ocsprey.toml && systemctl reload ocsprey")]
pub struct CheckArgs {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

pub(super) fn run(args: &CheckArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let mut wrong: Vec<String> = config.unreadable_files().iter().map(Problem::to_string).collect();
    let named = wrong.clone();
    let found = app::check(&config, &Clock::System);
    for warning in &found.warnings {
        super::print(&format!("warning: {warning}"))?;
    }
    // A file that cannot be opened was told already.
    wrong.extend(
        found
            .faults
            .into_iter()
            .filter(|fault| !named.iter().any(|line| line.contains(&fault.what)))
            .map(|fault| fault.to_string()),
    );
    if wrong.is_empty() {
        super::print(&format!("{}: everything is in its place", config.file.display()))?;
        Ok(Exit::Done)
    } else {
        Err(Failure::several(Exit::Usage, wrong))
    }
}
