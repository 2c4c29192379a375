//! `ocsprey audit prove`: what was answered for a serial number on a day.

use super::audit_verify::{public_key_of, section};
use super::{Exit, Failure};
use crate::audit::{Found, prove};
use crate::config::Config;
use crate::usage::Day;
use crate::x509::SerialNumber;
use clap::Args;
use std::path::PathBuf;

/// Show what was answered for a serial number on a day, and prove it
///
/// Needs the key of that day's pseudonyms: once it is destroyed, nobody finds anything any more. The serial number is
/// written nowhere. With --json each answer comes with its proof, which `ocsprey audit verify --proof` checks alone.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Example:
  ocsprey audit prove --config ocsprey.toml --issuer auth --serial 5A0B0C --date 2026-11-22")]
pub struct ProveArgs {
    /// The configuration of the server that answered
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The CA, by its name in the configuration
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// The serial number, in hexadecimal
    #[arg(long, value_name = "HEX")]
    pub serial: String,
    /// The day, UTC's
    #[arg(long, value_name = "DATE")]
    pub date: Day,
    /// Print it as JSON, with proofs
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &ProveArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    if config.issuer(&args.issuer).is_none() {
        let names: Vec<&str> = config.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        let hint = format!("one of {}", names.join(", "));
        return Err(Failure::usage("--issuer", format!("there is no issuer \"{}\"", args.issuer), &hint));
    }
    let audit = section(&args.config)?;
    // The number itself stays out of the message.
    let serial = SerialNumber::from_hex(&args.serial).map_err(|why| Failure::usage("--serial", why, ""))?;
    let key = public_key_of(&audit)?;
    let found = prove(&audit.path, &audit.pseudonym_keys, &key, &args.issuer, &serial, args.date.start());
    let found = found.map_err(|why| Failure::several(Exit::Failed, vec![why.to_string()]))?;
    let Some(found) = found else {
        let why = format!("there is no key for pseudonyms of {}", args.date);
        return Err(Failure::work(
            audit.pseudonym_keys.display(),
            why,
            "nothing was recorded on that day, or the key was destroyed: then nobody can tell any more",
        ));
    };
    if args.json {
        super::print_json(&found)?;
    } else {
        super::print(&text(&found, args.date))?;
    }
    Ok(Exit::Done)
}

fn text(found: &[Found], day: Day) -> String {
    if found.is_empty() {
        return format!("nothing was answered for this serial number on {day}\n");
    }
    let mut out = String::new();
    for one in found {
        let what = match one.said.as_str() {
            "nothing" => one.status.as_str(),
            said => said,
        };
        out.push_str(&format!("{}  {what}", one.time));
        if let Some(this_update) = &one.this_update {
            out.push_str(&format!(", thisUpdate {this_update}, CRL {}", one.crl));
        }
        let verifier = if one.verifier.is_empty() { "nobody who is registered" } else { &one.verifier };
        out.push_str(&format!("\n  asked by {verifier}"));
        if !one.on_behalf_of.is_empty() {
            out.push_str(&format!(" on behalf of {}", one.on_behalf_of));
        }
        let Found { method, response_sha256, proof, .. } = one;
        out.push_str(&format!(
            ", {method}\n  response SHA-256 {response_sha256}\n  segment {}, record {}, under a head over {} records\n",
            proof.segment, proof.index, proof.records
        ));
    }
    out
}
