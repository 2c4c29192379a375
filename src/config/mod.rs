//! `ocsprey.toml`: what it says, and everything that is wrong with it.
//!
//! Called by `cli` and `app`. [`Config::load`] reads a file once and checks all that can be checked
//! without opening another one; [`Config::unreadable_files`] looks whether the files it names can be
//! read. Whether they fit together (keys, certificates, CRLs) is `ocsprey check`'s work.
//!
//! Invariants: every path in a [`Config`] is absolute or relative to the working directory, never to
//! the file; issuer names are unique and fit for a metric label; every [`SignerConfig`] is complete.
//!
//! Errors: an operator who comes at night wants the whole list, so nothing here stops at the first
//! problem. That is why the document is walked by hand instead of by `serde`, which does stop:
//! every unknown key, wrong type and impossible value becomes one [`Problem`] with its line.

mod document;
mod read;
mod telemetry;
#[cfg(test)]
mod tests;
mod values;
mod verifiers;

pub use crate::audit::{KeyPeriod, WhenFull};
pub use crate::http::{ClientCertificates, OldestTls};
pub use crate::ingest::{FetchOptions, Guard};
pub use crate::snapshot::{Covers, CrlReferences, NoncePolicy, Unlisted};
pub use telemetry::TelemetryConfig;
pub use verifiers::{CertificateConfig, RightsConfig, VerifierConfig, VerifiersConfig, registry};

use crate::ocsp::{CertIdForm, CertIdForms};
use crate::store::Retention;
use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A configuration file, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    pub server: Server,
    pub admin: Admin,
    pub store: StoreConfig,
    pub response: Response,
    /// `[guard]`: what a CRL may not do without a person's word.
    pub guard: Guard,
    /// `[fetch]`: how CRLs named by URL are fetched.
    pub fetch: FetchOptions,
    /// `[audit]`; `None`: no audit log is kept.
    pub audit: Option<AuditConfig>,
    /// `[usage]`; `None`: nothing is counted for bills.
    pub usage: Option<UsageConfig>,
    /// `[telemetry]`; `None`: no traces are exported.
    pub telemetry: Option<TelemetryConfig>,
    /// At least one.
    pub issuers: Vec<IssuerConfig>,
    /// `None`: everybody may ask.
    pub verifiers: Option<VerifiersConfig>,
}

/// `[audit]`: what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditConfig {
    /// The folder of the segments.
    pub path: PathBuf,
    /// Signs heads: PKCS#8 PEM.
    pub key: PathBuf,
    /// The folder of the keys of pseudonyms.
    pub pseudonym_keys: PathBuf,
    pub pseudonym_period: KeyPeriod,
    /// How long closed segments are kept; `None`: without end.
    pub keep: Option<Duration>,
    /// How long a key of pseudonyms is kept after its period; `None`: without end.
    pub keep_keys: Option<Duration>,
    /// Octets of a segment.
    pub segment_size: u64,
    pub segment_time: Duration,
    pub when_full: WhenFull,
}

/// `[usage]`: who asked how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageConfig {
    /// What it costs; only reports read it.
    pub prices: Option<PathBuf>,
    /// Seconds that the calendar of bills is ahead of UTC.
    pub day_begins: i64,
    /// Days that counts are kept; `None`: without end.
    pub keep_days: Option<u32>,
    /// Names on whose behalf one verifier asks that are told apart in a day.
    pub names_per_day: usize,
}

/// `[server]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// At least one, unless TLS is spoken.
    pub listen: Vec<SocketAddr>,
    /// Threads that answer; 0 is one per core.
    pub workers: usize,
    pub tls: Option<TlsConfig>,
}

impl Server {
    /// All addresses that OCSP is spoken on, with the keys that name them.
    pub fn listeners(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let tls = self.tls.iter().flat_map(|tls| &tls.listen).map(|address| ("server.tls.listen", *address));
        self.listen.iter().map(|address| ("server.listen", *address)).chain(tls)
    }
}

/// `server.tls`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// At least one.
    pub listen: Vec<SocketAddr>,
    pub certificate: PathBuf,
    pub key: PathBuf,
    pub client_ca: Option<PathBuf>,
    /// With `client_ca` only.
    pub client_certificates: ClientCertificates,
    pub oldest: OldestTls,
}

/// `[admin]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// `None`: no admin pages.
    pub listen: Option<SocketAddr>,
    /// The largest CRL that `POST /api/v1/crls` takes, in octets.
    pub max_crl_size: u64,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    pub path: PathBuf,
    /// Octets of memory for what requests look up.
    pub cache_size: u64,
    /// Copies from before new CRLs that are kept; 0: none are made.
    pub checkpoints: usize,
    /// One is made before the first CRL of so long a time.
    pub checkpoint_every: Duration,
    /// Below this folder a running server makes backups; `None`: it makes none.
    pub backups: Option<PathBuf>,
}

/// `response.profile`: in what the standards differ about answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Profile {
    /// The responder is named by its key, as RFC 9919 3.2.2 demands of new responders.
    #[default]
    Rfc9919,
    /// It is named by its certificate's subject, the other choice of RFC 6960 4.2.2.3: for clients that know
    /// no other.
    Rfc6960,
}

/// `[response]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub profile: Profile,
    /// The longest that nextUpdate may be after thisUpdate; whole seconds, at least one.
    pub validity: Duration,
    /// Octets that signed answers may take in memory; 0 keeps none.
    pub cache_size: u64,
    pub nonce: NoncePolicy,
    /// Every so many signatures of a key one is verified before it leaves; 0: none.
    pub verify_every: u64,
    /// How long after it ran out a certificate is still answered for (RFC 6960 4.4.4); `None`: not said.
    pub archive_cutoff: Option<Duration>,
    /// Which answers name the CRL that they come from (RFC 6960 4.4.2); only where nothing is signed beforehand.
    pub crl_references: CrlReferences,
    /// Two forms of CertIDs that are answered together, under one signature (RFC 9919 3.2.1); `None`: each for
    /// itself.
    pub pair: Option<CertIdForms>,
    /// Forms of CertIDs that are answered beforehand; none: nothing is signed beforehand.
    pub presign: Vec<CertIdForm>,
    /// Answers that are signed beforehand, at the most; `None`: all.
    pub presign_limit: Option<u64>,
    /// Threads of a server that keep pre-signed answers fresh, where there are any; 0: nobody does.
    pub refresh_threads: usize,
}

impl Response {
    /// What of `presign` is signed beforehand together: a form of the pair stands for both.
    #[must_use]
    pub fn forms_together(&self, presign: &[CertIdForm]) -> Vec<CertIdForms> {
        let mut all = Vec::with_capacity(presign.len());
        for form in presign {
            let forms = self.pair.filter(|pair| pair.contains(*form)).unwrap_or(CertIdForms::one(*form));
            if !all.contains(&forms) {
                all.push(forms);
            }
        }
        all
    }
}

/// `[[issuer]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// Letters, digits, `-`, `_`, `.`; a metric label.
    pub name: String,
    pub certificate: PathBuf,
    pub signer: SignerConfig,
    /// For clients that prefer another algorithm.
    pub signers: Vec<FurtherSigner>,
    pub crls: Vec<CrlSource>,
    pub crl_issuers: Vec<PathBuf>,
    pub scopes: ScopesPolicy,
    /// What it issues: user certificates, CA certificates, or both.
    pub covers: Covers,
    pub inventory: Option<Vec<PathBuf>>,
    /// As written; see [`IssuerConfig::unlisted_policy`].
    pub unlisted: Option<Unlisted>,
    /// See [`IssuerConfig::retention_policy`].
    pub retention: Option<Duration>,
    pub generations: Vec<GenerationConfig>,
}

impl IssuerConfig {
    /// How long a permanent revocation is kept once its entry has left the CRL; without end, unless the
    /// file says otherwise.
    #[must_use]
    pub fn retention_policy(&self) -> Retention {
        self.retention.map_or(Retention::WithoutEnd, |kept| {
            Retention::Seconds(i64::try_from(kept.as_secs()).unwrap_or(i64::MAX))
        })
    }

    /// `signers` of one of its keys, counted from 0: its own, then its generations'.
    #[must_use]
    pub fn further_signers(&self, key: usize) -> &[FurtherSigner] {
        let generation = |index| self.generations.get(index).map(|one: &GenerationConfig| &one.signers[..]);
        match key.checked_sub(1) {
            None => &self.signers,
            Some(index) => generation(index).unwrap_or_default(),
        }
    }

    /// What a serial on no CRL and in no inventory answers, as far as the file says: as written, or
    /// `unknown` with an inventory. `None`: as the store has an inventory or not, because
    /// `ocsprey inventory load` may have brought one without a word in the file.
    #[must_use]
    pub fn unlisted_policy(&self) -> Option<Unlisted> {
        self.unlisted.or(self.inventory.is_some().then_some(Unlisted::Unknown))
    }
}

/// `[[issuer.generation]]`: a further live key of the same CA name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenerationConfig {
    pub certificate: PathBuf,
    pub signer: SignerConfig,
    pub signers: Vec<FurtherSigner>,
}

/// `signer`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerConfig {
    /// The delegated signer's certificate, or the CA's own: then, or with the key left out in
    /// the file, the CA signs itself.
    pub certificate: PathBuf,
    /// PKCS#8 PEM.
    pub key: PathBuf,
}

/// One entry of `signers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FurtherSigner {
    pub signer: SignerConfig,
    /// As [`Response::presign`] is for `signer`; usually none.
    pub presign: Vec<CertIdForm>,
}

/// One entry of `crls`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CrlSource {
    File(PathBuf),
    /// Written with a slash at its end, or a folder when the configuration was read.
    Folder(PathBuf),
    /// `http://` or `https://`.
    Url(String),
}

/// Names the source as an operator would look for it.
impl fmt::Display for CrlSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) | Self::Folder(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(url),
        }
    }
}

/// Which CRL scopes must be loaded and fresh before a serial is `good`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ScopesPolicy {
    /// All that were ever loaded.
    #[default]
    Discovered,
    /// This many, at least one.
    Count(usize),
    /// Those whose distribution points stand in this file.
    Listed(PathBuf),
}

/// One thing that is wrong in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1; `None` where the trouble is not in the text (a file it names).
    pub line: Option<usize>,
    /// The key, for example `server.listen` or `issuer "auth" crls`.
    pub key: String,
    pub why: String,
    pub hint: Option<String>,
}

/// `line 4, server.listen: WHY (HINT)`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        write!(f, "{}: {}", self.key, self.why)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Why there is no [`Config`].
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {} (name a configuration with --config FILE; `ocsprey demo` writes one to look at)", path.display(), io_reason(.source))]
    Read { path: PathBuf, source: io::Error },
    /// It is not text.
    #[error("{}: line {line} is not UTF-8 text (save the file as UTF-8)", path.display())]
    NotText { path: PathBuf, line: usize },
    /// It is not TOML.
    #[error("{}: line {line}, column {column}: not TOML: {why} (text values stand in \"quotes\", lists in [brackets])", path.display())]
    Syntax { path: PathBuf, line: usize, column: usize, why: String },
    /// It is TOML, but cannot be what was meant. At least one problem, in order of lines.
    #[error("{}", problem_lines(path, problems).join("\n"))]
    Invalid { path: PathBuf, problems: Vec<Problem> },
}

impl ConfigError {
    /// One line each for everything that is wrong.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Invalid { path, problems } => problem_lines(path, problems),
            Self::Read { .. } | Self::NotText { .. } | Self::Syntax { .. } => vec![self.to_string()],
        }
    }
}

fn problem_lines(path: &Path, problems: &[Problem]) -> Vec<String> {
    let lines = problems.iter().map(|problem| format!("{}: {problem}", path.display()));
    lines.map(|line| line.replace(char::is_control, "\u{fffd}")).collect()
}

/// The system's reason in words for people, without `(os error 2)`.
#[must_use]
pub fn io_reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "this user may not read it".into(),
        io::ErrorKind::IsADirectory => "it is a folder, not a file".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or_default().to_lowercase()
        }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, is not TOML, or anything in it is wrong: then all of it at once.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::from_text(path, &read_text(path)?)
    }

    /// Checks `text` as the content of the file `path`, which need not exist.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_text(path: &Path, text: &str) -> Result<Self, ConfigError> {
        read::config(path, text)
    }

    /// Whether anything at all is signed beforehand.
    #[must_use]
    pub fn presigns(&self) -> bool {
        let further = |issuer: &IssuerConfig| {
            let keys = 0..=issuer.generations.len();
            keys.flat_map(|key| issuer.further_signers(key)).any(|one| !one.presign.is_empty())
        };
        !self.response.presign.is_empty() || self.issuers.iter().any(further)
    }

    /// The issuer of this name.
    #[must_use]
    pub fn issuer(&self, name: &str) -> Option<&IssuerConfig> {
        self.issuers.iter().find(|issuer| issuer.name == name)
    }

    /// Every file and folder that this configuration names and that cannot be opened now.
    #[must_use]
    pub fn unreadable_files(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut look_at = |key: String, path: &Path, folder: bool| {
            let tried = if folder { fs::read_dir(path).map(drop) } else { readable_file(path) };
            if let Err(error) = tried {
                let why = format!("{}: {}", path.display(), io_reason(&error));
                problems.push(Problem { line: None, key, why, hint: None });
            }
        };
        if let Some(tls) = &self.server.tls {
            look_at("server.tls.certificate".to_owned(), &tls.certificate, false);
            look_at("server.tls.key".to_owned(), &tls.key, false);
            if let Some(path) = &tls.client_ca {
                look_at("server.tls.client_ca".to_owned(), path, false);
            }
        }
        if let Some(verifiers) = &self.verifiers {
            look_at("verifiers.registry".to_owned(), &verifiers.registry, false);
        }
        let mut look = |issuer: &IssuerConfig, key: &str, path: &Path, folder: bool| {
            look_at(format!("issuer \"{}\" {key}", issuer.name), path, folder);
        };
        for issuer in &self.issuers {
            look(issuer, "certificate", &issuer.certificate, false);
            look(issuer, "signer.certificate", &issuer.signer.certificate, false);
            look(issuer, "signer.key", &issuer.signer.key, false);
            for one in &issuer.signers {
                look(issuer, "signers.certificate", &one.signer.certificate, false);
                look(issuer, "signers.key", &one.signer.key, false);
            }
            for source in &issuer.crls {
                match source {
                    CrlSource::File(path) => look(issuer, "crls", path, false),
                    CrlSource::Folder(path) => look(issuer, "crls", path, true),
                    CrlSource::Url(_) => {}
                }
            }
            for path in &issuer.crl_issuers {
                look(issuer, "crl_issuers", path, false);
            }
            if let ScopesPolicy::Listed(path) = &issuer.scopes {
                look(issuer, "scopes", path, false);
            }
            for path in issuer.inventory.iter().flatten() {
                look(issuer, "inventory", path, false);
            }
            for generation in &issuer.generations {
                look(issuer, "generation.certificate", &generation.certificate, false);
                look(issuer, "generation.signer.certificate", &generation.signer.certificate, false);
                look(issuer, "generation.signer.key", &generation.signer.key, false);
                for one in &generation.signers {
                    look(issuer, "generation.signers.certificate", &one.signer.certificate, false);
                    look(issuer, "generation.signers.key", &one.signer.key, false);
                }
            }
        }
        problems
    }
}

/// The whole of a file, which must be text.
fn read_text(path: &Path) -> Result<String, ConfigError> {
    let octets = fs::read(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
    String::from_utf8(octets).map_err(|bad| {
        let good = bad.as_bytes().get(..bad.utf8_error().valid_up_to()).unwrap_or_default();
        let line = 1 + good.iter().filter(|&&octet| octet == b'\n').count();
        ConfigError::NotText { path: path.into(), line }
    })
}

/// Opening a folder succeeds on Unix; reading it as a file is what fails later.
fn readable_file(path: &Path) -> io::Result<()> {
    let file = fs::File::open(path)?;
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(()) }
}
