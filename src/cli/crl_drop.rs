//! `ocsprey crl drop`: a scope whose CRL will not come any more, as of a municipality that was merged.
//!
//! What is kept and why is in `ingest/retire`; here are the words. With `--admin` a running server does it.

use super::words::thousands;
use super::{Exit, Failure, http_client};
use crate::app;
use crate::config::Config;
use crate::http::DropOrder;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;

/// Retire a CRL scope that ended, so that nothing waits for its next CRL
///
/// Its permanent revocations are kept for ever. Refused while certificates on hold would be released. A running server
/// answers by it from the moment at which this command ends. Where several keys sign CRLs of it, those of the newest
/// live key stay in force; --signer says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey crl drop --admin http://127.0.0.1:9090 --issuer auth --scope \"CN=Old-machi,C=JP\"
  ocsprey crl drop --admin http://127.0.0.1:9090 --issuer auth --scope everything --signer all
  ocsprey crl drop --config ocsprey.toml --issuer auth --scope everything     no server running")]
pub struct DropArgs {
    /// The configuration whose store holds it; no server may be running on it
    #[arg(long, value_name = "FILE", required_unless_present = "admin", conflicts_with = "admin")]
    pub config: Option<PathBuf>,
    /// The admin address of a running server
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,
    /// The issuer's name in the configuration
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// The distribution point as `ocsprey status --scopes` shows it; "everything" where there is none
    #[arg(long, value_name = "TEXT")]
    pub scope: String,
    /// Whose CRLs of it: "all", or the name of a key as `ocsprey status --json` shows it; by default, of several keys all
    /// but the newest live one
    #[arg(long, value_name = "NAME")]
    pub signer: Option<String>,
    /// Also if holds are released by it, or nothing is left to answer from
    #[arg(long)]
    pub force: bool,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &DropArgs) -> Result<Exit, Failure> {
    let order = DropOrder {
        issuer: args.issuer.clone(),
        scope: args.scope.clone(),
        signer: args.signer.clone(),
        force: args.force,
    };
    let report = match (&args.admin, &args.config) {
        (Some(admin), _) => {
            let admin = http_client::url("--admin", admin)?;
            http_client::order(&admin, "/api/v1/crls/drop", &args.scope, &order)?
        }
        (None, Some(file)) => {
            let config = Config::load(file)?;
            app::retire_scope(&config, &order)
                .map_err(|why| super::app_failure(&config.file, why))?
                .map_err(|why| Failure::work(&args.scope, why, ""))?
        }
        // clap demands one of the two.
        (None, None) => {
            return Err(Failure::usage("--config", "is missing", "or name a server with --admin"));
        }
    };
    if args.json {
        super::print_json(&report)?;
        return Ok(Exit::Done);
    }
    let number = |key: &str| thousands(report[key].as_u64().unwrap_or(0));
    super::print(&format!(
        "{}: retired; {} permanent revocations are kept, {} holds released{}{}",
        args.scope,
        number("kept"),
        number("released"),
        staying(&report),
        still_there(&report)
    ))?;
    Ok(Exit::Done)
}

/// What of the scope is in force as before, because another key signed it.
fn staying(report: &Value) -> String {
    let names = |list: &str| {
        let one = |one: &Value| {
            let text = |key: &str| one[key].as_str().unwrap_or_default();
            format!("{} ({})", text("signer"), text("is"))
        };
        let all: Vec<String> = report[list].as_array().into_iter().flatten().map(one).collect();
        all.join(", ")
    };
    match names("staying") {
        none if none.is_empty() => none,
        staying => format!(
            "\nretired is what {} signed; in force stays what {staying} signed (--signer all retires that, too)",
            names("retired")
        ),
    }
}

/// Where CRLs lie that a running server refuses from now on; a line each.
pub(super) fn still_there(report: &Value) -> String {
    let sources = report["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |source: &Value| {
        let source = source.as_str().unwrap_or_default();
        format!("\n{source}: its CRL is refused from now on (take it away, or wait for the next one)")
    };
    sources.iter().map(line).collect()
}
