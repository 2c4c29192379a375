//! The shape of `/api/v1/status`: `app` fills it, the admin listener serves it and lays it out as a page,
//! `ocsprey status` prints it. Read leniently (what an older server does not say is empty), so that a
//! client and a server of different releases understand each other.

use crate::x509::UnixTime;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is loaded. Times are `2026-11-22T17:35:00Z`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Status {
    /// Of the program that says so.
    pub version: String,
    pub now: String,
    /// `None` where no server runs and the store was read.
    pub started_at: Option<String>,
    /// Why requests are answered tryLater; empty when every issuer can answer.
    pub not_ready: Vec<String>,
    /// The last reload changed nothing: when, and why. `None` once one has succeeded.
    pub refused_reload: Option<RefusedReload>,
    pub store_bytes: u64,
    /// `None` where nothing is signed beforehand.
    pub presigned: Option<PresignedStatus>,
    pub issuers: Vec<IssuerStatus>,
    /// Where CRLs come from, in order of the configuration. Empty where the store was read.
    pub sources: Vec<SourceStatus>,
    /// What was refused last at each source. Empty where the store was read.
    pub quarantine: Vec<QuarantineStatus>,
    /// Who may ask. Empty where everybody may, and where the store was read.
    pub verifiers: Vec<VerifierStatus>,
    /// What was done to CRLs by hand, the newest last.
    pub interventions: Vec<InterventionStatus>,
    /// Requests refused before any status was read, since the process began, by cause. Empty where everybody may ask.
    pub refusals: BTreeMap<String, u64>,
    /// `None` where nothing is counted for bills, and where the store was read.
    pub usage: Option<UsageStatus>,
    /// `None` without an audit log, and where the store was read.
    pub audit: Option<AuditStatus>,
}

/// Something that a person did to what is held, past what CRLs say of themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InterventionStatus {
    pub at: String,
    /// `dropped`, `rolled back`, `forced`.
    pub what: String,
    pub issuer: String,
    /// The distribution point; `everything` for CRLs that name none.
    pub scope: String,
    /// What came of it.
    pub detail: String,
}

/// Counts for bills on their way into the store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct UsageStatus {
    /// `None`: none since the process began.
    pub last_written: Option<String>,
    /// Counts that the store has not taken yet.
    pub unwritten: u64,
    /// Since the process began.
    pub write_failures: u64,
}

/// The audit log. Counts are since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuditStatus {
    /// `refuse` or `gap`: what becomes of an answer that cannot be put on record.
    pub when_full: String,
    /// When it last was durable to its last record.
    pub last_committed: Option<String>,
    /// Answers put on record.
    pub records: u64,
    /// Answers that wait for it.
    pub waiting: u64,
    /// Answers that left and are in it only as a number.
    pub missing: u64,
    /// Requests told tryLater because their answers could not have been put on record.
    pub refused: u64,
    pub write_failures: u64,
    /// The segment that grows, and the records in it.
    pub segment: u64,
    pub segment_records: u64,
}

/// A registered verifier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VerifierStatus {
    pub id: String,
    pub name: String,
    /// Names of issuers, or `*`.
    pub rights: Vec<String>,
    pub suspended: bool,
    /// Now is between valid_from and valid_until.
    pub valid: bool,
    pub valid_from: Option<String>,
    /// The first second in which it is no longer valid; `None`: without end.
    pub valid_until: Option<String>,
    /// That, or the end of its certificates where the registry names them as files, whichever comes first.
    pub ends: Option<String>,
    /// Certificates a second and a day; `None`: as many as it likes.
    pub per_second: Option<u32>,
    pub per_day: Option<u64>,
    /// Certificates that the quota of a second has not paid for yet, and that quota: in bulk hours theirs. `None`
    /// without one.
    pub used_now: Option<u32>,
    pub per_second_now: Option<u32>,
    /// Certificates asked about since midnight UTC, or since the process began.
    pub used_today: u64,
    /// Of the bulk hours that are or were last today.
    pub used_in_bulk: u64,
    /// Requests let in since the process began.
    pub admitted: u64,
    /// Requests refused since the process began.
    pub refused: u64,
    /// The same by cause, without those that never were.
    pub refusals: BTreeMap<String, u64>,
}

/// A configuration that was not put in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefusedReload {
    pub at: String,
    pub reasons: Vec<String>,
}

/// Answers that were signed beforehand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PresignedStatus {
    pub answers: u64,
    /// The nextUpdate of the one that runs out first.
    pub first_expires: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SourceStatus {
    /// A file, a folder or a URL.
    pub source: String,
    /// When it was last looked at, or its server last asked.
    pub last_tried: Option<String>,
    /// When a CRL from it last changed anything.
    pub last_changed: Option<String>,
    /// When the server of a URL is asked next.
    pub next_try: Option<String>,
    /// What went wrong the last time.
    pub problem: Option<String>,
}

/// A CRL that was refused, until a good one comes from there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct QuarantineStatus {
    /// A file, a URL, or "the submitted CRL".
    pub source: String,
    pub refused_at: String,
    pub reason: String,
    /// Whose it may be.
    pub issuers: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct IssuerStatus {
    pub name: String,
    /// The CA's name as RFC 4514 writes it.
    pub subject: String,
    /// One of each key generation. Empty where the store was read: it knows no keys.
    pub signers: Vec<SignerStatus>,
    /// About how many serials the inventory lists; `None` without one.
    pub inventory: Option<u64>,
    pub scopes: Vec<ScopeStatus>,
    /// Distribution points whose CRL is in no source any more, or is listed and never came. Empty where the
    /// store was read.
    pub missing: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignerStatus {
    pub subject: String,
    pub algorithm: String,
    pub not_after: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ScopeStatus {
    /// For people; empty for a CRL of everything.
    pub distribution_point: String,
    /// The beginning of the SHA-256 of the public key that signs its CRLs.
    pub signer: String,
    /// Decimal; empty for a CRL without a number.
    pub crl_number: String,
    pub this_update: String,
    pub next_update: String,
    pub entries: u64,
    pub ingested_at: String,
    /// `ocsprey crl drop` ended it: no CRL of it is expected, and it does not run out.
    pub retired: bool,
}

/// The time that a status gives as text.
#[must_use]
pub fn time_of(text: &str) -> Option<UnixTime> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    UnixTime::from_generalized_time(format!("{digits}Z").as_bytes())
}
