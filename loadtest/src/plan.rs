//! Plans: the shape of a load in a TOML file, apart from whom it is put on.
//!
//! Called by `command`, which lets options override what a plan says; `drive` obeys the result.
//! Invariants: a plan that passed [`Plan::check`] ends: its time and its count are bounded.
//! Errors: [`PlanError`], each naming the file and, where there is one, the line or the key.

use crate::schedule::Schedule;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// A day. Nothing that runs longer is a test.
pub const MOST_SECONDS: f64 = 86_400.0;
/// What a machine's file descriptors and local ports carry.
pub const MOST_CONNECTIONS: usize = 20_000;
pub const MOST_THREADS: usize = 256;
/// What HTTP/2 servers allow on a connection, as a rule (RFC 9113 6.5.2).
pub const MOST_STREAMS: usize = 100;
/// Requests of a run that names no bound of its own.
pub const DEFAULT_MOST_REQUESTS: u64 = 100_000_000;

/// The shape of a load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub name: String,
    /// For people: what it stands for, and where its figures come from.
    #[serde(default)]
    pub about: String,
    pub load: Load,
    #[serde(default)]
    pub request: RequestMix,
    /// For an `https://` target: whom to trust, and who to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsPlan>,
}

/// TLS; paths are relative to the plan's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsPlan {
    /// Certificates (PEM) that the responder's must lead to. There are no others.
    pub ca: PathBuf,
    /// The name in the responder's certificate; left out, the URL's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Who asks: connections take turns. None: the client shows no certificate.
    #[serde(default, rename = "client", skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientPlan>,
}

/// A relying party that shows a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientPlan {
    /// Its certificate and those below the responder's trust anchor (PEM).
    pub certificate: PathBuf,
    /// PKCS#8, SEC 1 or PKCS#1 (PEM).
    pub key: PathBuf,
}

/// Which HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Http {
    /// HTTP/1.1: one request at a time on a connection.
    #[default]
    One,
    /// HTTP/2, `load.streams` requests at a time; without TLS from the first octet on (RFC 9113 3.3).
    Two,
}

impl TryFrom<u8> for Http {
    type Error = String;

    fn try_from(version: u8) -> Result<Self, Self::Error> {
        match version {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(format!("HTTP is 1 or 2, not {other}")),
        }
    }
}

impl From<Http> for u8 {
    fn from(http: Http) -> Self {
        match http {
            Http::One => 1,
            Http::Two => 2,
        }
    }
}

/// When requests are sent, and over what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    #[serde(rename = "loop")]
    pub mode: Loop,
    #[serde(default = "default_connections")]
    pub connections: usize,
    #[serde(default = "one")]
    pub threads: usize,
    /// Whether a connection serves more than one request.
    #[serde(default = "yes")]
    pub keep_alive: bool,
    #[serde(default)]
    pub http: Http,
    /// Requests that are out at a time on one connection of HTTP/2.
    #[serde(default = "one")]
    pub streams: usize,
    #[serde(default)]
    pub waits: Waits,
    /// How long an answer is waited for, from when the request was sent.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: f64,
    /// The bound on the count.
    #[serde(default = "default_most_requests")]
    pub most_requests: u64,
    /// Closed loop only: how long it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Open loop only: the rates, one after another.
    #[serde(default, rename = "phase", skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// Of everything that is drawn by chance, so that a run can be repeated.
    #[serde(default)]
    pub seed: u64,
}

/// What decides when the next request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loop {
    /// The time: requests arrive at a rate, whether or not earlier ones were answered.
    Open,
    /// The answer to the one before: each connection always has one request out.
    Closed,
}

/// What a thread does while no answer is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waits {
    /// It sleeps; who answers wakes it. On one machine, a virtual one above all, that is charged to the
    /// responder, and costs it more than many an answer.
    #[default]
    Asleep,
    /// It looks again and again, which takes a whole core, as measuring microseconds does anywhere.
    Awake,
}

/// A part of an open loop.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    pub seconds: f64,
    /// Requests a second.
    pub rate: f64,
    /// Where the rate goes in a straight line; left out, it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_at_end: Option<f64>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestMix {
    pub serials: Order,
    pub zipf_exponent: f64,
    /// The share of requests that are GET, 0 to 1.
    pub get_share: f64,
    /// The share of requests with a nonce, 0 to 1.
    pub nonce_share: f64,
    /// The share of requests whose last serial number is no INTEGER, 0 to 1.
    pub malformed_share: f64,
    pub certificates: usize,
    pub hash: HashMix,
}

/// Whom requests ask about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Each once, as the file lists them.
    InOrder,
    /// Each once, in an order drawn by chance.
    Shuffled,
    /// Few often and most seldom; who is asked often is drawn by chance.
    Zipf,
    /// 16 octets drawn by chance: nobody's.
    Random,
}

/// The hash algorithms of CertIDs, by weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashMix {
    #[serde(default)]
    pub sha1: f64,
    #[serde(default)]
    pub sha256: f64,
    #[serde(default)]
    pub sha384: f64,
    #[serde(default)]
    pub sha512: f64,
}

fn default_connections() -> usize {
    32
}
fn one() -> usize {
    1
}
fn yes() -> bool {
    true
}
fn default_timeout() -> f64 {
    5.0
}
fn default_most_requests() -> u64 {
    DEFAULT_MOST_REQUESTS
}

impl Default for RequestMix {
    fn default() -> Self {
        Self {
            serials: Order::Shuffled,
            zipf_exponent: 1.0,
            get_share: 0.0,
            nonce_share: 0.0,
            malformed_share: 0.0,
            certificates: 1,
            // What most clients still send (RFC 9919 3.1.1 has both).
            hash: HashMix { sha1: 1.0, sha256: 0.0, sha384: 0.0, sha512: 0.0 },
        }
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("{}: cannot be read: {source} (plans lie in loadtest/plans/)", .file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("{}: line {line}: {why} (loadtest/README.md lists the keys of a plan)", .file.display())]
    Syntax { file: PathBuf, line: usize, why: String },
}

impl Plan {
    /// What runs when no plan is named: a closed loop for ten seconds.
    #[must_use]
    pub fn without_file() -> Self {
        Self {
            name: "command line".into(),
            about: String::new(),
            load: Load {
                mode: Loop::Closed,
                connections: default_connections(),
                threads: 1,
                keep_alive: true,
                waits: Waits::Asleep,
                http: Http::One,
                streams: 1,
                timeout_seconds: default_timeout(),
                most_requests: DEFAULT_MOST_REQUESTS,
                seconds: Some(10.0),
                phases: Vec::new(),
                seed: 0,
            },
            request: RequestMix::default(),
            tls: None,
        }
    }

    /// Reads a plan; [`Plan::check`] is the caller's, after its own changes.
    pub fn read(file: &Path) -> Result<Self, PlanError> {
        let text = std::fs::read_to_string(file)
            .map_err(|source| PlanError::Read { file: file.to_path_buf(), source })?;
        let mut plan = Self::parse(&text, file)?;
        if let (Some(tls), Some(folder)) = (&mut plan.tls, file.parent()) {
            tls.ca = folder.join(&tls.ca);
            for client in &mut tls.clients {
                client.certificate = folder.join(&client.certificate);
                client.key = folder.join(&client.key);
            }
        }
        Ok(plan)
    }

    /// `file` is for the error alone.
    pub fn parse(text: &str, file: &Path) -> Result<Self, PlanError> {
        toml::from_str(text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            let before = text.as_bytes().iter().take(offset);
            let line = 1 + before.filter(|&&octet| octet == b'\n').count();
            let why = error.message().lines().collect::<Vec<_>>().join(" ");
            PlanError::Syntax { file: file.to_path_buf(), line, why }
        })
    }

    /// How long it runs at most, timeouts of the last requests aside.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        match self.load.mode {
            Loop::Open => self.load.phases.iter().map(|phase| phase.seconds).sum(),
            Loop::Closed => self.load.seconds.unwrap_or(0.0),
        }
    }

    /// How many certificates a run asks about, as far as that is known before it, and `most` at most.
    #[must_use]
    pub fn certificates_asked(&self, most: usize) -> usize {
        let requests = match self.load.mode {
            Loop::Open => Schedule::new(&self.load.phases, self.load.most_requests).total(),
            Loop::Closed => self.load.most_requests,
        };
        let certificates = requests.saturating_mul(self.request.certificates as u64);
        usize::try_from(certificates).map_or(most, |asked| asked.clamp(1, most))
    }

    /// Everything that is wrong with it, each `KEY: WHY`.
    #[must_use]
    pub fn check(&self) -> Vec<String> {
        let (load, request) = (&self.load, &self.request);
        let mut faults = Vec::new();
        let mut fault = |wrong: bool, text: String| {
            if wrong {
                faults.push(text);
            }
        };
        let positive = |value: f64| value > 0.0 && value.is_finite();
        match load.mode {
            Loop::Open => {
                fault(
                    load.phases.is_empty(),
                    "load.phase: an open loop has at least one [[load.phase]]".into(),
                );
                fault(
                    load.seconds.is_some(),
                    "load.seconds: an open loop lasts as long as its phases".into(),
                );
            }
            Loop::Closed => {
                fault(
                    !load.phases.is_empty(),
                    "load.phase: a closed loop has no rates: use loop = \"open\"".into(),
                );
                fault(
                    load.seconds.is_none(),
                    "load.seconds: a closed loop has to say how long it runs".into(),
                );
            }
        }
        for (number, phase) in load.phases.iter().enumerate() {
            let at = format!("load.phase, number {}", number + 1);
            let rates = [phase.rate, phase.rate_at_end.unwrap_or(0.0)];
            fault(
                !positive(phase.seconds),
                format!("{at}: seconds has to be above 0, not {}", phase.seconds),
            );
            fault(
                rates.iter().any(|rate| !(0.0..=1e7).contains(rate)),
                format!("{at}: a rate is between 0 and 10,000,000 a second"),
            );
        }
        let seconds = self.seconds();
        let bounded = positive(seconds) && seconds <= MOST_SECONDS;
        fault(
            !bounded,
            format!("load: the run would last {seconds} seconds: above 0, at most {MOST_SECONDS}"),
        );
        fault(
            !(1..=MOST_CONNECTIONS).contains(&load.connections),
            format!("load.connections: 1 to {MOST_CONNECTIONS}, not {}", load.connections),
        );
        fault(
            !(1..=MOST_THREADS).contains(&load.threads) || load.threads > load.connections,
            format!("load.threads: 1 to {MOST_THREADS} and not above the connections, not {}", load.threads),
        );
        fault(
            !(positive(load.timeout_seconds) && load.timeout_seconds <= 600.0),
            format!("load.timeout_seconds: above 0, at most 600, not {}", load.timeout_seconds),
        );
        fault(load.most_requests == 0, "load.most_requests: at least 1".into());
        let most = MOST_STREAMS;
        fault(
            !(1..=most).contains(&load.streams) || load.streams > 1 && load.http == Http::One,
            format!("load.streams: 1 to {most} with http = 2, and 1 without, not {}", load.streams),
        );
        for (key, share) in [
            ("get_share", request.get_share),
            ("nonce_share", request.nonce_share),
            ("malformed_share", request.malformed_share),
        ] {
            fault(!(0.0..=1.0).contains(&share), format!("request.{key}: a share is 0 to 1, not {share}"));
        }
        let most = ocsprey::ocsp::MAX_CERT_IDS;
        fault(
            !(1..=most).contains(&request.certificates),
            format!("request.certificates: 1 to {most}, not {}", request.certificates),
        );
        fault(
            !(0.0..=10.0).contains(&request.zipf_exponent),
            format!("request.zipf_exponent: 0 to 10, not {}", request.zipf_exponent),
        );
        let weights = request.hash.weights();
        fault(
            weights.iter().any(|weight| !(0.0..=1e9).contains(weight)) || weights.iter().sum::<f64>() <= 0.0,
            "request.hash: weights are not negative, and one of them is above 0".into(),
        );
        faults
    }
}

impl HashMix {
    /// In the order of [`ocsprey::x509::HashAlgorithm::ALL`].
    #[must_use]
    pub fn weights(&self) -> [f64; 4] {
        [self.sha1, self.sha256, self.sha384, self.sha512]
    }
}

#[cfg(test)]
mod tests;
