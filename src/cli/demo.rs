//! `ocsprey demo`: what it understands on the command line. The work is [`crate::demo`]'s.

use super::{Exit, Failure};
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
  ocsprey demo                                 10,000 cards in ./demo, answered on 127.0.0.1:8080
  ocsprey demo --dir big --cards 1000000 --algorithm p384 --prepare-only")]
pub struct DemoArgs {
    /// Where everything is written to
    #[arg(long, value_name = "DIR", default_value = "demo")]
    pub dir: PathBuf,
    /// How many cards there are
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub cards: u64,
    /// What keys the CAs and their signers have
    #[arg(long, value_enum, value_name = "ALGORITHM", default_value_t = DemoAlgorithm::P256)]
    pub algorithm: DemoAlgorithm,
    /// Where to answer OCSP requests
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where the admin pages and metrics are
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9090")]
    pub admin_listen: SocketAddr,
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

// TO WIRE UP: crate::demo.
pub(super) fn run(_args: &DemoArgs) -> Result<Exit, Failure> {
    Err(Failure::not_wired("demo"))
}
