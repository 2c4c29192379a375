//! `ocsprey drill`: what it understands on the command line. The work is [`crate::app`]'s.

use super::words::{octets, table, thousands, took};
use super::{Exit, Failure};
use crate::app::{self, DrillReport};
use crate::config::Config;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Rehearse a mass revocation on a copy of the store
///
/// Says how long it would take until answers come from it, and what it would cost. The store itself is not
/// changed. Reading and verifying the CRLs comes on top: about a second for ten million entries.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey drill --config ocsprey.toml --issuer signature                 a million cards
  ocsprey drill --config ocsprey.toml --issuer signature --count 50000 --from /backup/monday")]
pub struct DrillArgs {
    /// The configuration; a server may only be running on its store if --from names a backup
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The issuer's name in the configuration
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// Certificates to revoke
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub count: usize,
    /// A backup to rehearse on, instead of the store
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &DrillArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let report = app::drill(&config, &args.issuer, args.count, args.from.as_deref())
        .map_err(|why| super::app_failure_or(&config.file, why, "rehearse on a backup: --from DIR"))?;
    if args.json {
        super::print_json(&report)?;
    } else {
        super::print(&text_of(&report))?;
    }
    Ok(Exit::Done)
}

fn text_of(report: &DrillReport) -> String {
    let time = |seconds: f64| took(Duration::from_secs_f64(seconds.max(0.0)));
    let grown = report.store_octets_after.saturating_sub(report.store_octets_before);
    table(&[
        ("revoked", format!("{} on {} CRLs", thousands(report.revoked), thousands(report.scopes))),
        ("entries before", thousands(report.entries_before)),
        ("the guard", report.guard.clone().unwrap_or_else(|| "has nothing against it".to_owned())),
        ("until visible", time(report.write_seconds + report.publish_seconds)),
        ("  written", time(report.write_seconds)),
        ("  published", time(report.publish_seconds)),
        ("processor time", time(report.cpu_seconds)),
        ("disk", format!("{}, and {} before", octets(grown), octets(report.store_octets_before))),
        ("memory at most", octets(report.peak_memory_octets)),
    ])
}
