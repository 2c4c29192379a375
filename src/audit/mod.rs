//! The audit log: proof of what was answered, without a profile of the citizens.
//!
//! Called by `app`: each worker has a [`Recorder`], one thread runs the [`Scribe`]; `ocsprey audit verify` looks
//! whether anything was changed ([`verify`]), `ocsprey audit prove` finds what was answered for a serial number
//! ([`prove`]) and `--proof` checks one such find alone.
//!
//! **Form.** Segments of records, each with a Merkle tree over its records as RFC 9162 has it, whose root is signed at every
//! commit; the last head of a segment is named in the next. A plain chain of hashes would find every change as
//! well; a tree also proves one record to somebody who may not see the others, with a few hundred octets, and
//! here the others are other citizens.
//!
//! **What a record says** is what left: time, verifier, issuer, a pseudonym of each serial number, what was said of it,
//! its thisUpdate, and the SHA-256 of the OCSPResponse. *Where it came from* is read from the CRLs in force when
//! the record was written, a moment later: if exactly one of the issuer's has the thisUpdate that the
//! answer says, its scope and CRL number; else that there is none, or several. An answer takes its thisUpdate from
//! the oldest CRL that it rests on; it may rest on newer ones too.
//!
//! **What can be lost.** Every [`COMMIT_EVERY`] records go to the disk, so kill -9 loses what was younger, and the
//! log says so itself: its next record is a gap. When it cannot keep up, or the disk takes nothing, [`WhenFull`]
//! decides, and a gap says how many.
//!
//! **What can be found**: any record that was changed, dropped, put in or put elsewhere, any cut, any head that
//! this key did not sign, any segment that is missing. Not found from the files alone: a log whose last commits
//! were cut off whole, at a head; for that somebody else must hold a newer head. They are in the server's log and
//! metrics, and `audit verify --head` wants one in it.
//!
//! Errors: [`AuditError`], which names neither serial number nor client.

mod folder;
mod head;
mod log;
mod proof;
mod pseudonyms;
mod record;
mod recorder;
mod scribe;
mod segment;
mod sources;
#[cfg(test)]
mod tests;
mod tree;
mod verify;

pub use proof::{Found, Proof, ProofError, prove};
pub use pseudonyms::KeyPeriod;
pub use recorder::{AskedBy, Recorder, Witnessed};
pub use scribe::{Audit, Ending, Scribe};
pub use verify::{KnownHead, Verified, verify};

use crate::signing::{SignError, Signer};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often records go to the disk.
pub const COMMIT_EVERY: Duration = Duration::from_millis(200);

/// What becomes of an answer that cannot be put on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// It is not made: the client is told tryLater.
    #[default]
    Refuse,
    /// It is given, and counted as missing.
    Gap,
}

/// How the log grows and shrinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogOptions {
    /// A segment of this size, or this age, is closed.
    pub segment_octets: u64,
    pub segment_seconds: i64,
    /// How long closed segments are kept; `None`: without end.
    pub keep_seconds: Option<i64>,
}

/// How an audit log is kept.
#[derive(Clone)]
pub struct AuditOptions {
    /// The folder of the segments.
    pub path: PathBuf,
    /// The folder of the keys of pseudonyms.
    pub keys: PathBuf,
    pub period: KeyPeriod,
    /// How long a key is kept after its period; `None`: without end.
    pub keep_keys_seconds: Option<i64>,
    pub log: LogOptions,
    pub when_full: WhenFull,
    /// Signs heads.
    pub signer: Arc<dyn Signer>,
}

/// Why the audit log cannot be kept, or not be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The disk or the operating system refused.
    #[error("the audit log: {}: {why} (check free space, permissions and the disk)", path.display())]
    Io { path: PathBuf, why: String },
    /// Two that append to one segment would each cut off what the other wrote.
    #[error(
        "the audit log: {}: another process writes it (stop that one, or give each server a folder of its own as \
         audit.path)", path.display()
    )]
    InUse { path: PathBuf },
    /// What is there was not left by a crash.
    #[error(
        "the audit log is damaged: {what}: {why} (`ocsprey audit verify` says more; keep these files as evidence, and name \
         an empty folder as audit.path to go on)"
    )]
    Damaged { what: String, why: String },
    #[error("the audit log's key: {0}")]
    Sign(#[from] SignError),
    #[error("no key for pseudonyms can be made: the system has no random numbers")]
    Randomness,
}

impl AuditError {
    fn io(path: &Path, why: &std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), why: why.to_string() }
    }
}
