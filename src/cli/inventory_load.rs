//! `ocsprey inventory load`: tells the store which serials were issued.
//!
//! The files are read by [`InventoryReader`]; writing is the store's.

use super::words::thousands;
use super::{Exit, Failure, InventoryReader, Progress};
use crate::app;
use crate::config::{Config, io_reason};
use crate::store::InventoryLoad;
use crate::x509::Certificate;
use clap::Args;
use std::fs;
use std::path::PathBuf;

/// Add issued serials to an issuer's inventory
///
/// A file holds one hexadecimal serial a line, optionally followed by a blank and the distribution point
/// of the CRL it would be revoked on; what follows a # is a comment. Or it holds certificates, PEM or DER.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey inventory load --config ocsprey.toml --issuer user-authentication issued-2026-11.txt
  ocsprey inventory load --config ocsprey.toml --issuer user-authentication card1.pem card2.pem

A line with a distribution point:
  03fffc CN=Kiyose-shi CRLDP,OU=Tokyo-to,OU=CRL Distribution Points,O=JPKI,C=JP")]
pub struct LoadArgs {
    /// The configuration whose store takes them; no server may be running on it
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The issuer's name in the configuration
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// Inventories
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

pub(super) fn run(args: &LoadArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let Some(issuer) = config.issuer(&args.issuer) else {
        let names: Vec<&str> = config.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        let hint = format!("one of {}", names.join(", "));
        return Err(Failure::usage("--issuer", format!("there is no issuer \"{}\"", args.issuer), &hint));
    };
    let certificate = fs::read(&issuer.certificate)
        .map_err(|error| io_reason(&error))
        .and_then(|octets| Certificate::from_pem_or_der(&octets).map_err(|error| error.to_string()));
    let certificate = certificate.map_err(|why| Failure::usage(issuer.certificate.display(), why, ""))?;
    // All files are opened before the first is read: a misspelt third one shall not be told after an hour.
    let mut readers = Vec::with_capacity(args.files.len());
    for path in &args.files {
        let reader = InventoryReader::open(path, certificate.subject());
        readers.push(reader.map_err(|error| Failure::several(Exit::Failed, vec![error.to_string()]))?);
    }
    let total = readers.iter().map(InventoryReader::size).sum();
    let progress = Progress::octets(format!("loading the inventory of {}", issuer.name), Some(total));
    let loaded = app::load_inventory(&config, &certificate, readers, |octets| progress.advance(octets));
    let instead = "name the files in `inventory` of the issuer and reload the server, or stop it first";
    let loaded = loaded.map_err(|why| super::app_failure_or(&config.file, why, instead))?;
    progress.done("ended");
    let InventoryLoad { added, already_there, moved } = loaded;
    let mut parts =
        vec![format!("{} added", thousands(added)), format!("{} already there", thousands(already_there))];
    if moved > 0 {
        parts.push(format!("{} with another distribution point than before", thousands(moved)));
    }
    super::print(&format!("inventory of {}: {}", issuer.name, parts.join(", ")))?;
    Ok(Exit::Done)
}
