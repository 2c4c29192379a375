//! `DIR/demo.toml`: what the demo there is made of, and how far the making came.
//!
//! Called by `mod.rs` and `publish`. Written first and last when a demo is made, and before and after
//! a publication. Times are seconds since 1970. A format that this release does not know is refused
//! by name, never guessed at.

use super::{CardCa, DEFAULT_ADMIN_LISTEN, DEFAULT_CARDS, DEFAULT_LISTEN, DemoError, DemoOptions, files};
use crate::signing::KeyKind;
use crate::x509::UnixTime;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::Path;

pub const FILE: &str = "demo.toml";

const HEAD: &str = "\
# Written by `ocsprey demo`, which reads it to find out what it made here.
# To start anew, stop the demo and remove the whole folder.

";

/// The format written here. Serial numbers, revocations and file names follow from the other fields
/// by rules of the program; when those rules change, this number does.
const FORMAT: u32 = 1;

/// How far the making came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Begun and not ended: whatever is there is made anew.
    Making,
    /// CRLs with `crl_number` are being written; some of them may be there.
    Publishing,
    Complete,
}

/// `KeyKind` by the names of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    P256,
    P384,
    Rsa2048,
    Rsa3072,
    Ed25519,
}

/// What one CA's CRLs hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    pub revoked: u64,
    pub on_hold: u64,
    pub crl_octets: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DemoState {
    format: u32,
    pub stage: Stage,
    pub cards: u64,
    algorithm: Algorithm,
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    made_at: i64,
    /// The highest number that any CRL here may carry. 0 before the first.
    pub crl_number: u64,
    crl_next_update: i64,
    /// How many OCSP signers each CA has issued.
    pub signer_generation: u64,
    signer_not_after: i64,
    auth: Counts,
    sign: Counts,
}

/// Only the format, for a file whose other fields this release may not know.
#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl DemoState {
    /// A demo about to be made; what `options` leave open is as in an `interrupted` one.
    pub fn new(options: &DemoOptions, interrupted: Option<&Self>, now: UnixTime) -> Self {
        let kind = options.algorithm.or(interrupted.map(Self::kind)).unwrap_or(KeyKind::P256);
        Self {
            format: FORMAT,
            stage: Stage::Making,
            cards: options.cards.or(interrupted.map(|state| state.cards)).unwrap_or(DEFAULT_CARDS),
            algorithm: Algorithm::of(kind),
            listen: options.listen.or(interrupted.map(|state| state.listen)).unwrap_or(DEFAULT_LISTEN),
            admin_listen: options
                .admin_listen
                .or(interrupted.map(|state| state.admin_listen))
                .unwrap_or(DEFAULT_ADMIN_LISTEN),
            made_at: now.seconds(),
            crl_number: 0,
            crl_next_update: 0,
            signer_generation: 0,
            signer_not_after: 0,
            auth: Counts::default(),
            sign: Counts::default(),
        }
    }

    /// What stands in `dir`, if it is a demo at all.
    pub fn read(dir: &Path) -> Result<Option<Self>, DemoError> {
        let path = dir.join(FILE);
        let Some(octets) = files::read_if_there(&path)? else { return Ok(None) };
        let refused = |why: String| DemoError::State { path: path.clone(), why };
        let text = std::str::from_utf8(&octets).map_err(|error| refused(error.to_string()))?;
        let one_line = |error: toml::de::Error| refused(error.message().to_owned());
        let FormatOnly { format } = toml::from_str(text).map_err(one_line)?;
        if format != FORMAT {
            return Err(refused(format!("its format is {format}, and this release knows {FORMAT}")));
        }
        toml::from_str(text).map(Some).map_err(one_line)
    }

    /// Replaces the file, on disk when this returns.
    pub fn write(&self, dir: &Path) -> Result<(), DemoError> {
        let path = dir.join(FILE);
        let body = toml::to_string(self)
            .map_err(|error| DemoError::State { path: path.clone(), why: error.to_string() })?;
        files::write_durably(&path, format!("{HEAD}{body}").as_bytes())
    }

    pub fn kind(&self) -> KeyKind {
        match self.algorithm {
            Algorithm::P256 => KeyKind::P256,
            Algorithm::P384 => KeyKind::P384,
            Algorithm::Rsa2048 => KeyKind::Rsa2048,
            Algorithm::Rsa3072 => KeyKind::Rsa3072,
            Algorithm::Ed25519 => KeyKind::Ed25519,
        }
    }

    pub fn made_at(&self) -> UnixTime {
        UnixTime::from_seconds(self.made_at)
    }

    pub fn crl_next_update(&self) -> UnixTime {
        UnixTime::from_seconds(self.crl_next_update)
    }

    pub fn set_crl_next_update(&mut self, time: UnixTime) {
        self.crl_next_update = time.seconds();
    }

    pub fn signer_not_after(&self) -> UnixTime {
        UnixTime::from_seconds(self.signer_not_after)
    }

    pub fn set_signer_not_after(&mut self, time: UnixTime) {
        self.signer_not_after = time.seconds();
    }

    pub fn counts(&self, ca: CardCa) -> Counts {
        match ca {
            CardCa::UserAuthentication => self.auth,
            CardCa::DigitalSignature => self.sign,
        }
    }

    pub fn set_counts(&mut self, ca: CardCa, counts: Counts) {
        match ca {
            CardCa::UserAuthentication => self.auth = counts,
            CardCa::DigitalSignature => self.sign = counts,
        }
    }
}

impl Algorithm {
    fn of(kind: KeyKind) -> Self {
        match kind {
            KeyKind::P256 => Self::P256,
            KeyKind::P384 => Self::P384,
            KeyKind::Rsa2048 => Self::Rsa2048,
            KeyKind::Rsa3072 => Self::Rsa3072,
            KeyKind::Ed25519 => Self::Ed25519,
        }
    }
}
