//! `ocsprey store backup|restore|verify`: copies of the store. The work is [`crate::app`]'s.

use super::words::{count, octets, took};
use super::{Exit, Failure, Progress, http_client};
use crate::app;
use crate::config::Config;
use crate::store::{Existing, Verification};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    Backup(BackupArgs),
    Restore(RestoreArgs),
    Verify(VerifyArgs),
}

/// Copy the store as it stands, also while a server runs
///
/// On the disk of the store this takes no time and no room, since files are linked; carry the folder to another
/// machine with what carries files (tar, rsync), or it is no backup.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey store backup --config ocsprey.toml --to /backup/monday         no server running
  ocsprey store backup --admin http://127.0.0.1:9090 --to monday         below store.backups of its configuration")]
pub(super) struct BackupArgs {
    /// The configuration whose store is copied; no server may be running on it
    #[arg(long, value_name = "FILE", required_unless_present = "admin", conflicts_with = "admin")]
    config: Option<PathBuf>,
    /// The admin address of a running server
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// A folder that is not there yet; with --admin, its name below the server's store.backups
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Put a backup in the place of the store
///
/// The backup is copied and verified before anything changes. A store that is there is refused, or, with
/// --replace, gets another name and is kept.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Example:
  ocsprey store restore --config ocsprey.toml --from /backup/monday --replace")]
pub(super) struct RestoreArgs {
    /// The configuration that says where the store belongs; no server may be running on it
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A folder that `ocsprey store backup` made
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// Give the store that is there another name
    #[arg(long)]
    replace: bool,
}

/// Read a store through and say what is wrong with it
///
/// Every checksum, every row, and what rows say of each other. Also beside a running server: it looks at the
/// store as it stands at the beginning. Exit 1 when anything is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey store verify --config ocsprey.toml
  ocsprey store verify --path /backup/monday")]
pub(super) struct VerifyArgs {
    /// The configuration whose store is read
    #[arg(long, value_name = "FILE", required_unless_present = "path", conflicts_with = "path")]
    config: Option<PathBuf>,
    /// A store, or a backup
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
}

pub(super) fn run(command: &StoreCommand) -> Result<Exit, Failure> {
    match command {
        StoreCommand::Backup(args) => backup(args),
        StoreCommand::Restore(args) => restore(args),
        StoreCommand::Verify(args) => verify(args),
    }
}

fn backup(args: &BackupArgs) -> Result<Exit, Failure> {
    let report = match (&args.admin, &args.config) {
        (Some(admin), _) => ask_for_backup(&http_client::url("--admin", admin)?, &args.to)?,
        (None, Some(file)) => {
            let config = Config::load(file)?;
            app::back_up_store(&config, &args.to).map_err(|why| super::app_failure(&config.file, why))?
        }
        // clap demands one of the two.
        (None, None) => {
            return Err(Failure::usage("--config", "is missing", "or name a server with --admin"));
        }
    };
    if args.json {
        super::print_json(&report)?;
    } else {
        let size = report["octets"].as_u64().map_or_else(String::new, octets);
        let seconds = Duration::from_secs_f64(report["seconds"].as_f64().unwrap_or(0.0).max(0.0));
        let path = report["path"].as_str().unwrap_or_default();
        super::print(&format!("{path}: {size}, copied in {}", took(seconds)))?;
    }
    Ok(Exit::Done)
}

fn ask_for_backup(admin: &str, name: &std::path::Path) -> Result<Value, Failure> {
    let name = name.display().to_string();
    let url = http_client::page(admin, "/api/v1/store/backup");
    let sent = http_client::agent(http_client::REPORT_PATIENCE).post(&url).query("name", &name).send_empty();
    http_client::report(&url, &name, sent)
}

fn restore(args: &RestoreArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let existing = if args.replace { Existing::MoveAside } else { Existing::Refuse };
    let progress = Progress::of("verifying the copy", "rows", None);
    let restored = app::restore_store(&config, &args.from, existing, |rows| progress.advance(rows));
    let instead = "stop it first: a store is not replaced under a server";
    let restored = restored.map_err(|why| super::app_failure_or(&config.file, why, instead))?;
    progress.done("ended");
    let mut said = format!("{}: restored, {}", config.store.path.display(), counts(&restored.verification));
    if let Some(aside) = restored.moved_aside {
        said.push_str(&format!(
            "\nthe store that was there: {} (delete it when all is well)",
            aside.display()
        ));
    }
    super::print(&said)?;
    Ok(Exit::Done)
}

fn verify(args: &VerifyArgs) -> Result<Exit, Failure> {
    let path = match (&args.path, &args.config) {
        (Some(path), _) => path.clone(),
        (None, Some(file)) => Config::load(file)?.store.path,
        // clap demands one of the two.
        (None, None) => return Err(Failure::usage("--config", "is missing", "or name a store with --path")),
    };
    let progress = Progress::of(format!("verifying {}", path.display()), "rows", None);
    let found = app::verify_store(&path, |rows| progress.advance(rows));
    let found = found.map_err(|why| super::app_failure(&path, why))?;
    progress.done("ended");
    for one in &found.unfinished {
        super::print(&format!("under way: {one} (the next writer does it)"))?;
    }
    if found.problems.is_empty() {
        super::print(&format!("{}: nothing is wrong, {}", path.display(), counts(&found)))?;
        return Ok(Exit::Done);
    }
    let mut lines: Vec<String> =
        found.problems.iter().map(|problem| format!("{}: {problem}", path.display())).collect();
    if found.untold > 0 {
        lines.push(format!("{}: and {} more", path.display(), found.untold));
    }
    lines.push(format!(
        "{}: it is damaged (restore a backup with `ocsprey store restore`, or move it away and ingest the CRLs and \
         inventories again)",
        path.display()
    ));
    Err(Failure::several(Exit::Failed, lines))
}

fn counts(found: &Verification) -> String {
    let rows =
        |family: &str| found.rows.iter().find(|(name, _)| *name == family).map_or(0, |(_, rows)| *rows);
    format!(
        "{}, {}, {}, {}",
        count(found.scopes, "CRL scope", "CRL scopes"),
        count(rows("scope_rows"), "revocation", "revocations"),
        count(rows("inventory"), "issued serial", "issued serials"),
        count(rows("answers"), "pre-signed answer", "pre-signed answers"),
    )
}
