//! `ocsprey crl rollback`: a CRL that should not have been taken in. The work is [`crate::app`]'s.

use super::words::{decimal, thousands};
use super::{Exit, Failure};
use crate::app::{self, Rollback, TakenBack};
use crate::config::Config;
use crate::store::ScopeRecord;
use clap::Args;
use std::path::PathBuf;

/// Take a CRL back: its scope becomes what it was before
///
/// The rows come from a copy of the store: the newest one from before the CRL, as store.checkpoints keeps them,
/// or a backup. The CRL itself is refused from then on, until its CA issues another or --force takes it in.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey crl rollback --config ocsprey.toml --issuer signature
  ocsprey crl rollback --config ocsprey.toml --issuer signature --from /backup/monday")]
pub struct RollbackArgs {
    /// The configuration whose store holds it; no server may be running on it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The issuer's name in the configuration
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// The distribution point as `ocsprey status --scopes` shows it, "everything" where there is none; all of
    /// the issuer's, if left out
    #[arg(long, value_name = "TEXT")]
    pub scope: Option<String>,
    /// A backup to go back to, instead of the newest copy from before
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
}

pub(super) fn run(args: &RollbackArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let rollback =
        Rollback { issuer: &args.issuer, scope: args.scope.as_deref(), from: args.from.as_deref() };
    let (copy, taken) = app::take_back(&config, rollback)
        .map_err(|why| super::app_failure(&config.file, why))?
        .map_err(|why| Failure::work(args.scope.as_deref().unwrap_or(&args.issuer), why, ""))?;
    let lines: Vec<String> = taken.iter().map(line).collect();
    super::print(&format!("{}\nfrom {}", lines.join("\n"), copy.display()))?;
    Ok(Exit::Done)
}

fn line(taken: &TakenBack) -> String {
    let number = |record: &ScopeRecord| match record.crl.crl_number.as_slice() {
        [] => format!("of {}", record.crl.this_update),
        number => format!("number {} of {}", decimal(number), record.crl.this_update),
    };
    let now = taken.before.as_ref().map_or("no CRL".to_owned(), number);
    let name = if taken.scope.is_empty() { crate::ingest::EVERYTHING } else { &taken.scope };
    format!(
        "{name}: the CRL {} was taken back; in force is {now}; {} revocations went, {} came back, {} changed",
        number(&taken.crl),
        thousands(taken.change.gone),
        thousands(taken.change.back),
        thousands(taken.change.changed)
    )
}
