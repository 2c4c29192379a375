//! `ocsprey presign`: what it understands on the command line. The work is [`crate::app`]'s.

use super::words::{thousands, took};
use super::{Exit, Failure, Progress};
use crate::app::{self, PresignReport};
use crate::config::Config;
use clap::Args;
use std::path::PathBuf;

/// Sign answers beforehand, for every serial that was issued or revoked
///
/// Forms of CertIDs come from `response.presign` in the configuration. What is signed already and not due
/// stays; so a run that was interrupted goes on where it ended. A running server does this by itself.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey presign --config ocsprey.toml
  ocsprey presign --config ocsprey.toml --issuer user-authentication")]
pub struct PresignArgs {
    /// The configuration; no server may be running on its store
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// Only this issuer's
    #[arg(long, value_name = "NAME")]
    pub issuer: Option<String>,
}

#[expect(clippy::disallowed_methods, reason = "the work is told with its speed")]
pub(super) fn run(args: &PresignArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    if let Some(name) = &args.issuer
        && config.issuer(name).is_none()
    {
        let names: Vec<&str> = config.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
        let hint = format!("one of {}", names.join(", "));
        return Err(Failure::usage("--issuer", format!("there is no issuer \"{name}\""), &hint));
    }
    if config.response.presign.is_empty() {
        let what = config.file.display();
        let hint = "write presign = [\"sha1\", \"sha256\"] into [response]";
        return Err(Failure::usage(what, "names no form of CertIDs to sign for", hint));
    }
    let started = std::time::Instant::now();
    let mut shown = None;
    let report = app::presign(&config, args.issuer.as_deref(), |about| {
        let progress = shown.insert(Progress::of("signing beforehand", "answers", Some(about)));
        |answers| progress.advance(answers)
    });
    let instead = "a running server signs beforehand by itself, with response.refresh_threads; stop it first where it has none";
    let report = report.map_err(|why| super::app_failure_or(&config.file, why, instead));
    let PresignReport { signed, held } = report?;
    if let Some(progress) = shown {
        progress.done("ended");
    }
    let elapsed = started.elapsed();
    let rate = signed as f64 / elapsed.as_secs_f64().max(0.001);
    super::print(&format!(
        "pre-signed answers: {} signed now in {} ({rate:.0} a second), {} held",
        thousands(signed),
        took(elapsed),
        thousands(held)
    ))?;
    Ok(Exit::Done)
}
