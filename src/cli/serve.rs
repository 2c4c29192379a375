//! `ocsprey serve`: what it understands on the command line. The work is [`crate::app`]'s.

use super::{Exit, Failure};
use crate::app;
use crate::config::Config;
use clap::Args;
use std::path::PathBuf;

/// Answer OCSP requests
///
/// SIGHUP reloads configuration, keys and CRLs without dropping a request; SIGTERM lets the requests
/// that are under way finish, and exits 0.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey serve --config /etc/ocsprey/ocsprey.toml
  ocsprey serve --config ocsprey.toml --log-level debug")]
pub struct ServeArgs {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

pub(super) fn run(args: &ServeArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    serve(&config, || {})
}

pub(super) fn serve(config: &Config, ready: impl FnOnce()) -> Result<Exit, Failure> {
    let instead = "`ocsprey status` with this configuration says whether a server runs on it; each server has a store of \
                   its own";
    app::serve(config, ready).map_err(|why| super::app_failure_or(&config.file, why, instead))?;
    Ok(Exit::Done)
}
