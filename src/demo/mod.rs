//! A national-ID style PKI to try everything on: two CAs, their OCSP signers, any number of cards
//! with two certificates each, a CRL for every municipality, and an inventory.
//!
//! Called by `cli::demo`: [`prepare`] makes DIR or finds it made, [`welcome`] tells the person what
//! there is. What DIR holds is fixed in the contract, section 7; `data/` is made by ingest.
//!
//! Invariants. `demo.toml` is written first, saying `making`, and last, saying `complete`: a folder
//! without it that is not empty is someone else's and is left alone; one that says `making` is made
//! anew. A CRL number is written down there before any CRL carries it, so an interrupted publication
//! never leads to two CRLs with one number. Memory does not grow with the cards (see `population`).
//! Every file but the marker could be written twice without harm; each appears whole or not at all.
//! Errors: [`DemoError`], each with a hint for the person at the terminal.

mod configuration;
mod crl_writer;
mod files;
mod pki;
mod places;
mod population;
mod publish;
mod state;
mod welcome;

pub use crl_writer::{CrlHeader, CrlWriter};
pub use pki::{Authority, Issued, PkiError};
pub use places::Place;
pub use population::{Card, Population};
pub use welcome::welcome;

use crate::clock::Clock;
use crate::signing::KeyKind;
use crate::x509::UnixTime;
use state::{DemoState, Stage};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// As few cards as show every kind of status.
pub const MIN_CARDS: u64 = 100;
/// Everyone in Japan who has a card.
pub const MAX_CARDS: u64 = 100_000_000;
/// Enough for twenty municipalities, few enough to be there at once.
pub const DEFAULT_CARDS: u64 = 20_000;
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
pub const DEFAULT_ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

const DAY: i64 = 86_400;
/// CRLs and signers that would run out within this time are renewed at a start, so that a demo that
/// has been started lasts at least a day.
const RENEW_BEFORE: i64 = DAY;

/// One of the two CAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardCa {
    UserAuthentication,
    DigitalSignature,
}

impl CardCa {
    pub const ALL: [Self; 2] = [Self::UserAuthentication, Self::DigitalSignature];

    /// What its files start with: `auth` or `sign`.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::UserAuthentication => "auth",
            Self::DigitalSignature => "sign",
        }
    }

    /// Its name in `ocsprey.toml`.
    #[must_use]
    pub const fn issuer_name(self) -> &'static str {
        match self {
            Self::UserAuthentication => "user-authentication",
            Self::DigitalSignature => "digital-signature",
        }
    }

    /// What its certificates are for, in words.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::UserAuthentication => "user authentication",
            Self::DigitalSignature => "digital signature",
        }
    }

    /// Its distinguished name (RFC 4514).
    #[must_use]
    pub fn subject(self) -> String {
        format!("OU=Demo JPKI for {},O=Demo JPKI,C=JP", self.purpose())
    }

    /// The distinguished name of a municipality's CRL distribution point (RFC 4514).
    #[must_use]
    pub fn distribution_point(self, place: &Place) -> String {
        let (name, prefecture) = (&place.name, place.prefecture);
        format!("CN={name} CRLDP,OU={prefecture},OU=CRL Distribution Points,{}", self.subject())
    }

    /// Where its counter of serial numbers starts. One starts where three-octet serials soon meet
    /// 03FEFC and 03FFFC, whose GET requests hold `+/` and `//`; the other just below 800000, from
    /// which on the DER has a fourth octet.
    #[must_use]
    pub const fn first_serial(self) -> u64 {
        match self {
            Self::UserAuthentication => 0x03_fe00,
            Self::DigitalSignature => 0x7f_ff00,
        }
    }
}

/// What the person asked for. `None` means: as it is in DIR, or the default in a new one.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    pub dir: PathBuf,
    pub cards: Option<u64>,
    pub algorithm: Option<KeyKind>,
    pub listen: Option<SocketAddr>,
    pub admin_listen: Option<SocketAddr>,
}

/// Something that [`prepare`] had to do. Nothing at all when DIR was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// All of it, in a new or empty folder.
    Made,
    /// All of it, over what an interrupted start had left.
    MadeAnew,
    /// New CRLs with a higher number and the same entries.
    CrlsPublished,
    /// New OCSP signers with new keys.
    SignersIssued,
    /// The certificates to try were missing, or carried another OCSP address.
    CertificatesIssued,
    InventoryWritten,
    ConfigurationWritten,
    /// Other addresses were asked for, but `ocsprey.toml` was edited by hand and stays.
    ConfigurationKept,
}

/// What DIR holds.
#[derive(Debug, Clone)]
pub struct DemoSummary {
    pub dir: PathBuf,
    /// `DIR/ocsprey.toml`.
    pub config: PathBuf,
    /// How the person started this program, for the lines to paste; [`prepare`] says `ocsprey`.
    pub program: String,
    pub cards: u64,
    pub algorithm: KeyKind,
    pub municipalities: usize,
    pub issuers: [IssuerSummary; 2],
    pub listen: SocketAddr,
    pub admin_listen: SocketAddr,
    pub crl_number: u64,
    pub crl_next_update: UnixTime,
    pub signer_not_after: UnixTime,
    pub work: Vec<Work>,
}

/// What one CA issued and revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuerSummary {
    pub ca: CardCa,
    pub issued: u64,
    /// Those on hold included.
    pub revoked: u64,
    pub on_hold: u64,
    /// Size of all its CRLs.
    pub crl_octets: u64,
}

/// Told how far the work is: a progress bar, log lines, or nobody.
pub trait DemoProgress {
    /// A part of the work starts; `total` is what `advance` will add up to.
    fn start(&mut self, what: &str, total: u64);
    /// So much more of it is done.
    fn advance(&mut self, done: u64);
    /// It is done.
    fn finish(&mut self);
}

/// Nobody is told.
impl DemoProgress for () {
    fn start(&mut self, _: &str, _: u64) {}
    fn advance(&mut self, _: u64) {}
    fn finish(&mut self) {}
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error(
        "{dir} holds {found} and was not made by `ocsprey demo`: it is left as it is \
         (name another folder with --dir, or empty this one)"
    )]
    Foreign { dir: PathBuf, found: String },
    #[error(
        "{dir} holds a demo of {found} cards: {asked} were asked for \
         (leave --cards out to serve it, or name another folder with --dir)"
    )]
    OtherCards { dir: PathBuf, found: u64, asked: u64 },
    #[error(
        "{dir} holds a demo with {found} keys: {asked} was asked for \
         (leave --algorithm out to serve it, or name another folder with --dir)"
    )]
    OtherAlgorithm { dir: PathBuf, found: KeyKind, asked: KeyKind },
    #[error("a demo of {asked} cards cannot be made: it takes {MIN_CARDS} to {MAX_CARDS} (see --cards)")]
    Cards { asked: u64 },
    #[error(
        "{path} cannot be understood: {why} (it says what the demo is made of; if it was damaged, \
         remove the folder and start anew)"
    )]
    State { path: PathBuf, why: String },
    #[error("{path} is missing: without it the demo's CAs cannot sign (remove the folder and start anew)")]
    KeyMissing { path: PathBuf },
    #[error("{path} cannot be {action}: {source}")]
    Io { path: PathBuf, action: &'static str, source: std::io::Error },
    #[error("the {} CA of the demo does not work: {source}", .ca.purpose())]
    Pki { ca: CardCa, source: PkiError },
}

/// Makes the demo in DIR, or finds it there and renews what has run out.
///
/// # Errors
/// [`DemoError`]. An interrupted or failed start is made good by the next one.
pub fn prepare(
    options: &DemoOptions,
    progress: &mut dyn DemoProgress,
    clock: &Clock,
) -> Result<DemoSummary, DemoError> {
    if let Some(asked) = options.cards
        && !(MIN_CARDS..=MAX_CARDS).contains(&asked)
    {
        return Err(DemoError::Cards { asked });
    }
    let now = clock.now();
    let (state, work) = match DemoState::read(&options.dir)? {
        None => {
            if let Some(found) = files::first_entry(&options.dir)? {
                return Err(DemoError::Foreign { dir: options.dir.clone(), found });
            }
            (make(options, None, progress, now)?, vec![Work::Made])
        }
        Some(state) if state.stage == Stage::Making => {
            (make(options, Some(&state), progress, now)?, vec![Work::MadeAnew])
        }
        Some(state) => renew(options, state, progress, now)?,
    };
    Ok(summary(&options.dir, &state, work))
}

fn make(
    options: &DemoOptions,
    interrupted: Option<&DemoState>,
    progress: &mut dyn DemoProgress,
    now: UnixTime,
) -> Result<DemoState, DemoError> {
    let dir = options.dir.as_path();
    files::create_dir(dir)?;
    let mut state = DemoState::new(options, interrupted, now);
    state.write(dir)?;
    publish::remove_crls(dir)?;

    let population = Population::new(state.cards, now);
    progress.start("keys and certificates", 2 * (2 + publish::SPECIMENS));
    let mut authorities = Vec::new();
    for ca in CardCa::ALL {
        let (authority, issued) = Authority::create(ca, state.kind(), now).map_err(pki_error(ca))?;
        files::write_key(&key_path(dir, ca), issued.key.as_bytes())?;
        files::write(&dir.join(format!("{}-ca.pem", ca.prefix())), issued.certificate.as_bytes())?;
        progress.advance(1);
        authorities.push(authority);
    }
    publish::signers(dir, &authorities, &mut state, now, progress)?;
    publish::certificates(dir, &authorities, &state, &population, now, progress)?;
    progress.finish();
    publish::crls(dir, &authorities, &mut state, &population, now, progress)?;
    publish::inventories(dir, &population, progress)?;
    files::write(&dir.join(configuration::FILE), configuration::text(&state).as_bytes())?;

    // Only now is there a demo. A crash before this line makes the next start begin anew.
    state.stage = Stage::Complete;
    state.write(dir)?;
    Ok(state)
}

fn renew(
    options: &DemoOptions,
    mut state: DemoState,
    progress: &mut dyn DemoProgress,
    now: UnixTime,
) -> Result<(DemoState, Vec<Work>), DemoError> {
    let dir = options.dir.as_path();
    if let Some(asked) = options.cards
        && asked != state.cards
    {
        return Err(DemoError::OtherCards { dir: options.dir.clone(), found: state.cards, asked });
    }
    if let Some(asked) = options.algorithm
        && asked != state.kind()
    {
        return Err(DemoError::OtherAlgorithm { dir: options.dir.clone(), found: state.kind(), asked });
    }

    let mut work = Vec::new();
    let written_for = configuration::text(&state);
    let moved = options.listen.is_some_and(|listen| listen != state.listen);
    state.listen = options.listen.unwrap_or(state.listen);
    state.admin_listen = options.admin_listen.unwrap_or(state.admin_listen);

    let population = Population::new(state.cards, state.made_at());
    let crls_due = state.stage == Stage::Publishing
        || state.crl_next_update().since(now) < RENEW_BEFORE
        || !publish::crls_exist(dir, &population);
    let signers_due = state.signer_not_after().since(now) < RENEW_BEFORE || !publish::signers_exist(dir);
    let certificates_due = moved || !publish::certificates_exist(dir);

    if crls_due || signers_due || certificates_due {
        let authorities =
            CardCa::ALL.into_iter().map(|ca| load(dir, ca)).collect::<Result<Vec<_>, DemoError>>()?;
        if signers_due {
            progress.start("OCSP signers", 2);
            publish::signers(dir, &authorities, &mut state, now, progress)?;
            progress.finish();
            work.push(Work::SignersIssued);
        }
        if certificates_due {
            progress.start("certificates to try", 2 * publish::SPECIMENS);
            publish::certificates(dir, &authorities, &state, &population, now, progress)?;
            progress.finish();
            work.push(Work::CertificatesIssued);
        }
        if crls_due {
            publish::crls(dir, &authorities, &mut state, &population, now, progress)?;
            work.push(Work::CrlsPublished);
        }
    }
    if !publish::inventories_exist(dir) {
        publish::inventories(dir, &population, progress)?;
        work.push(Work::InventoryWritten);
    }
    let config = dir.join(configuration::FILE);
    let wanted = configuration::text(&state);
    match files::read_if_there(&config)? {
        None => {
            files::write(&config, wanted.as_bytes())?;
            work.push(Work::ConfigurationWritten);
        }
        Some(found) if found != wanted.as_bytes() && found == written_for.as_bytes() => {
            files::write(&config, wanted.as_bytes())?;
            work.push(Work::ConfigurationWritten);
        }
        Some(_) if wanted != written_for => work.push(Work::ConfigurationKept),
        Some(_) => {}
    }
    state.stage = Stage::Complete;
    if !work.is_empty() {
        state.write(dir)?;
    }
    Ok((state, work))
}

fn load(dir: &Path, ca: CardCa) -> Result<Authority, DemoError> {
    let read = |path: PathBuf| files::read_if_there(&path)?.ok_or(DemoError::KeyMissing { path });
    let certificate = read(dir.join(format!("{}-ca.pem", ca.prefix())))?;
    Authority::load(ca, &certificate, &read(key_path(dir, ca))?).map_err(pki_error(ca))
}

fn key_path(dir: &Path, ca: CardCa) -> PathBuf {
    dir.join(format!("{}-ca.key", ca.prefix()))
}

fn pki_error<E: Into<PkiError>>(ca: CardCa) -> impl Fn(E) -> DemoError {
    move |source| DemoError::Pki { ca, source: source.into() }
}

fn summary(dir: &Path, state: &DemoState, work: Vec<Work>) -> DemoSummary {
    DemoSummary {
        dir: dir.to_path_buf(),
        config: dir.join(configuration::FILE),
        program: "ocsprey".to_owned(),
        cards: state.cards,
        algorithm: state.kind(),
        municipalities: Population::new(state.cards, state.made_at()).places().len(),
        issuers: CardCa::ALL.map(|ca| {
            let counts = state.counts(ca);
            IssuerSummary {
                ca,
                issued: state.cards,
                revoked: counts.revoked,
                on_hold: counts.on_hold,
                crl_octets: counts.crl_octets,
            }
        }),
        listen: state.listen,
        admin_listen: state.admin_listen,
        crl_number: state.crl_number,
        crl_next_update: state.crl_next_update(),
        signer_not_after: state.signer_not_after(),
        work,
    }
}

#[cfg(test)]
mod tests;
