//! `ocsprey demo`: makes the demo PKI, takes it in, says what there is, and serves it. The making is
//! [`crate::demo`]'s, the rest [`crate::app`]'s.

use super::crl_ingest::step_of;
use super::{Exit, Failure, Progress, serve};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::demo::{self, DemoOptions};
use clap::{Args, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// Make a whole national-ID style PKI and answer for it
///
/// Two CAs (authentication and signature), a delegated OCSP signer each, cards with two certificates each,
/// one CRL per municipality, an inventory, and a configuration. Prints lines to try it with.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey demo                                 20,000 cards in ./demo, answered on 127.0.0.1:8080
  ocsprey demo --dir big --cards 1000000 --algorithm p384 --prepare-only")]
pub struct DemoArgs {
    /// Where everything is written to
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub dir: PathBuf,
    /// How many cards there are [default: as in DIR, else 20000]
    #[arg(long, value_name = "N")]
    pub cards: Option<u64>,
    /// What keys the CAs and their signers have [default: as in DIR, else p256]
    #[arg(long, value_enum, value_name = "ALGORITHM")]
    pub algorithm: Option<DemoAlgorithm>,
    /// Where to answer OCSP requests [default: as in DIR, else 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Where the admin pages and metrics are [default: as in DIR, else 127.0.0.1:9090]
    #[arg(long, value_name = "ADDRESS")]
    pub admin_listen: Option<SocketAddr>,
    /// Make everything, and stop before serving
    #[arg(long)]
    pub prepare_only: bool,
}

/// `--algorithm`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DemoAlgorithm {
    P256,
    P384,
    Rsa2048,
    Ed25519,
}

impl From<DemoAlgorithm> for crate::signing::KeyKind {
    fn from(algorithm: DemoAlgorithm) -> Self {
        match algorithm {
            DemoAlgorithm::P256 => Self::P256,
            DemoAlgorithm::P384 => Self::P384,
            DemoAlgorithm::Rsa2048 => Self::Rsa2048,
            DemoAlgorithm::Ed25519 => Self::Ed25519,
        }
    }
}

pub(super) fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let options = DemoOptions {
        dir: args.dir.clone(),
        cards: args.cards,
        algorithm: args.algorithm.map(Into::into),
        listen: args.listen,
        admin_listen: args.admin_listen,
    };
    let mut summary = demo::prepare(&options, &mut Bars::default(), &Clock::System)
        .map_err(|why| Failure::several(Exit::Failed, vec![why.to_string()]))?;
    let config = Config::load(&summary.config)?;
    // What the configuration says counts: it may have been edited by hand.
    if let Some(listen) = config.server.listen.first() {
        summary.listen = *listen;
    }
    if let Some(listen) = config.admin.listen {
        summary.admin_listen = listen;
    }
    if let Some(program) = std::env::args().next() {
        summary.program = program;
    }
    take_in(&config)?;
    let told = demo::welcome(&summary, &mut std::io::stdout().lock());
    if args.prepare_only {
        told.map_err(|why| Failure::work("standard output", why, ""))?;
        return Ok(Exit::Done);
    }
    serve::serve(&config, || {})
}

/// The inventories and CRLs, so that the first question is answered at once.
fn take_in(config: &Config) -> Result<(), Failure> {
    let files = config.issuers.iter().filter_map(|issuer| issuer.inventory.as_ref()).flatten();
    let octets = files.filter_map(|path| std::fs::metadata(path).ok()).map(|file| file.len()).sum();
    let inventory = Progress::octets("loading the inventories", Some(octets));
    let mut crls = None;
    let ingested = app::prepare(config, |octets| inventory.advance(octets), |step| step_of(&mut crls, step));
    drop((inventory, crls));
    let instead = "is this demo running already? end it first, or make another in another --dir";
    let ingested = ingested.map_err(|why| super::app_failure_or(&config.file, why, instead))?;
    let refused: Vec<String> = ingested.into_iter().filter_map(|(_, outcome)| outcome.err()).collect();
    if refused.is_empty() { Ok(()) } else { Err(Failure::several(Exit::Failed, refused)) }
}

/// Shows how far the making is.
#[derive(Default)]
struct Bars(Option<Progress>);

impl demo::DemoProgress for Bars {
    fn start(&mut self, what: &str, total: u64) {
        self.0 = Some(Progress::of(what, "steps", Some(total)));
    }

    fn advance(&mut self, done: u64) {
        if let Some(progress) = &self.0 {
            progress.advance(done);
        }
    }

    fn finish(&mut self) {
        self.0 = None;
    }
}
