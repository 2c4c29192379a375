//! `ocsprey audit verify`: whether the audit log, or one record of it, is as it was written.

use super::words::thousands;
use super::{Exit, Failure};
use crate::app;
use crate::audit::{KnownHead, Proof, Verified, verify};
use crate::config::{AuditConfig, Config, io_reason};
use crate::signing::Signer;
use crate::x509::{PublicKey, pem_blocks};
use clap::Args;
use std::path::{Path, PathBuf};

/// Look whether the audit log is as it was written
///
/// Reads every record and finds what was changed, dropped, put elsewhere or cut. That whole commits were cut off at
/// the end shows only to somebody who noted a newer head: the server's log says them, --head takes one. Exit code 1
/// when anything is wrong. May run beside a server.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey audit verify --config ocsprey.toml
  ocsprey audit verify --path /mnt/copy/audit --key audit-pub.pem
  ocsprey audit verify --proof proof.json --key audit-pub.pem")]
pub struct VerifyArgs {
    /// The configuration of the server that wrote it
    #[arg(long, value_name = "FILE", required_unless_present = "key", conflicts_with_all = ["path", "key"])]
    pub config: Option<PathBuf>,
    /// The folder of the audit log
    #[arg(long, value_name = "DIR", requires = "key", required_unless_present_any = ["config", "proof"])]
    pub path: Option<PathBuf>,
    /// The public key of the key that signs heads (PEM, as `openssl pkey -pubout` writes it)
    #[arg(long, value_name = "PUB")]
    pub key: Option<PathBuf>,
    /// A head that was noted elsewhere, SEGMENT:RECORDS:ROOT; may be given more than once
    #[arg(long, value_name = "HEAD")]
    pub head: Vec<KnownHead>,
    /// Only looks whether this proof, as `audit prove` writes it, proves its record
    #[arg(long, value_name = "FILE", conflicts_with_all = ["path", "head"])]
    pub proof: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &VerifyArgs) -> Result<Exit, Failure> {
    let (path, key) = match (&args.config, &args.path, &args.key) {
        (Some(file), _, _) => {
            let audit = section(file)?;
            (audit.path.clone(), public_key_of(&audit)?)
        }
        (None, path, Some(key)) => (path.clone().unwrap_or_default(), read_public_key(key)?),
        // clap demands one of the two.
        (None, _, None) => {
            return Err(Failure::usage("--key", "is missing", "or name a configuration with --config"));
        }
    };
    if let Some(proof) = &args.proof {
        return check_proof(proof, &key);
    }
    let found = verify(&path, &key, &args.head)
        .map_err(|why| Failure::several(Exit::Failed, vec![why.to_string()]))?;
    if args.json {
        super::print_json(&found)?;
    } else {
        super::print(&text(&found))?;
    }
    if found.findings.is_empty() {
        return Ok(Exit::Done);
    }
    let line = |finding: &String| format!("the audit log is not as it was written: {finding}");
    Err(Failure::several(Exit::Failed, found.findings.iter().map(line).collect()))
}

/// `[audit]` of a configuration.
pub(super) fn section(file: &Path) -> Result<AuditConfig, Failure> {
    let config = Config::load(file)?;
    let missing =
        || Failure::usage(file.display(), "has no [audit]: there is no audit log", "name one with --path");
    config.audit.ok_or_else(missing)
}

pub(super) fn public_key_of(audit: &AuditConfig) -> Result<PublicKey, Failure> {
    let signer =
        app::audit_key(&audit.key).map_err(|fault| Failure::several(Exit::Usage, vec![fault.to_string()]))?;
    Ok(Signer::public_key(&*signer).clone())
}

fn read_public_key(path: &Path) -> Result<PublicKey, Failure> {
    let hint = "openssl pkey -in audit.key -pubout writes it";
    let pem = std::fs::read(path).map_err(|why| Failure::usage(path.display(), io_reason(&why), ""))?;
    let blocks = pem_blocks(&pem).map_err(|why| Failure::usage(path.display(), why, hint))?;
    let block = blocks.iter().find(|block| block.label == "PUBLIC KEY");
    let block = block.ok_or_else(|| Failure::usage(path.display(), "holds no PUBLIC KEY", hint))?;
    PublicKey::from_spki(&block.der).map_err(|why| Failure::usage(path.display(), why, hint))
}

fn check_proof(path: &Path, key: &PublicKey) -> Result<Exit, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|why| Failure::usage(path.display(), io_reason(&why), ""))?;
    let proof: Proof = serde_json::from_str(&text).map_err(|why| Failure::usage(path.display(), why, ""))?;
    let answer = proof.check(key).map_err(|why| Failure::work(path.display(), why, "it proves nothing"))?;
    super::print(&format!(
        "proved: at {} a response with status {} and SHA-256 {} was given, about {} (segment {}, record {})",
        answer.time,
        answer.status.name(),
        super::words::hex(&answer.response),
        super::words::count(answer.entries.len() as u64, "certificate", "certificates"),
        proof.segment,
        proof.index
    ))?;
    Ok(Exit::Done)
}

fn text(found: &Verified) -> String {
    let mut out = format!(
        "segments: {} ({} more were taken away when their time was over)\nrecords:  {}, {} of them answers\n",
        found.segments,
        thousands(found.retired),
        thousands(found.records),
        thousands(found.answers)
    );
    if found.interruptions > 0 {
        out.push_str(&format!(
            "ended:    {} times without closing the log; answers younger than a fifth of a second are missing there\n",
            thousands(found.interruptions)
        ));
    }
    if found.missing > 0 {
        out.push_str(&format!("missing:  {} answers left and are not on record\n", thousands(found.missing)));
    }
    if found.refused > 0 {
        out.push_str(&format!("refused:  {} requests, for want of a record\n", thousands(found.refused)));
    }
    if let Some(head) = &found.head {
        out.push_str(&format!("head:     {head}\n"));
    }
    if found.findings.is_empty() {
        out.push_str("the audit log is as it was written\n");
    }
    out
}
