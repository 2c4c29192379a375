//! `ocsprey crl drop`: a scope whose CRL will not come any more, as of a municipality that was merged.
//!
//! What is kept and why is in `ingest/retire`; here are the words.

use super::words::thousands;
use super::{Exit, Failure};
use crate::app;
use crate::config::Config;
use clap::Args;
use std::path::PathBuf;

/// Retire a CRL scope that ended, so that nothing waits for its next CRL
///
/// Its permanent revocations are kept for ever. Refused while certificates on hold would be released.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Example:
  ocsprey crl drop --config ocsprey.toml --issuer signature --scope \"CN=Old-machi CRLDP,OU=Tokyo-to,C=JP\"")]
pub struct DropArgs {
    /// The configuration whose store holds it; no server may be running on it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The issuer's name in the configuration
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// The distribution point as `ocsprey status --scopes` shows it; "everything" where there is none
    #[arg(long, value_name = "TEXT")]
    pub scope: String,
    /// Also if holds are released by it, or nothing is left to answer from
    #[arg(long)]
    pub force: bool,
}

pub(super) fn run(args: &DropArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let retired = app::retire_scope(&config, &args.issuer, &args.scope, args.force)
        .map_err(|why| super::app_failure(&config.file, why))?
        .map_err(|why| Failure::work(&args.scope, why, ""))?;
    super::print(&format!(
        "{}: retired; {} permanent revocations are kept, {} holds released",
        args.scope,
        thousands(retired.kept),
        thousands(retired.released)
    ))?;
    Ok(Exit::Done)
}
