//! How often who asked: sums in the family `usage`, to which is added and from which whole days are taken.
//!
//! Written by the one thread that counts for bills ([`crate::usage`]); read by reports, also while a server
//! runs. Invariants: a count is added once or not at all; a batch of them is in the log as a whole. No
//! request reads these rows and none belongs to a snapshot, so they need neither pen nor epoch.

use super::Store;
use super::db::Family;
use super::error::StoreError;
use super::format::usage::{decode_count, decode_key, encode_key};
use super::scope::{IssuerNumber, VerifierNumber};
use rocksdb::WriteBatch;

/// Octets of a name on whose behalf a verifier asks. A longer one is refused, so that whoever lets a request in,
/// bills it and puts it on record calls it by the same name.
pub const LONGEST_NAME: usize = 64;

/// What was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum UsageResult {
    Good = 1,
    Revoked = 2,
    Unknown = 3,
    MalformedRequest = 4,
    InternalError = 5,
    TryLater = 6,
    SigRequired = 7,
    Unauthorized = 8,
}

impl UsageResult {
    pub const ALL: [Self; 8] = [
        Self::Good,
        Self::Revoked,
        Self::Unknown,
        Self::MalformedRequest,
        Self::InternalError,
        Self::TryLater,
        Self::SigRequired,
        Self::Unauthorized,
    ];

    pub(super) fn from_value(value: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|result| *result as u8 == value)
    }

    /// As a price list and a report write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
            Self::MalformedRequest => "malformed_request",
            Self::InternalError => "internal_error",
            Self::TryLater => "try_later",
            Self::SigRequired => "sig_required",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// How it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum UsageMethod {
    Get = 1,
    Post = 2,
}

impl UsageMethod {
    pub(super) fn from_value(value: u8) -> Option<Self> {
        [Self::Get, Self::Post].into_iter().find(|method| *method as u8 == value)
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// What is counted apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UsageKey {
    /// Days since 1970-01-01, by the calendar of whoever counts.
    pub day: u32,
    /// `None`: nobody who is registered.
    pub verifier: Option<VerifierNumber>,
    /// `None`: no issuer of ours was asked about.
    pub issuer: Option<IssuerNumber>,
    pub method: UsageMethod,
    pub result: UsageResult,
    /// Empty: on nobody's.
    pub on_behalf_of: String,
}

impl Store {
    /// Adds to counts: all of it or nothing. It survives the process, and the machine after [`Store::sync`].
    ///
    /// # Errors
    /// When the store cannot be written: then nothing was added.
    pub fn add_usage<'a>(
        &self,
        counts: impl IntoIterator<Item = (&'a UsageKey, u64)>,
    ) -> Result<(), StoreError> {
        self.must_write()?;
        let family = self.db.family(Family::Usage)?;
        let mut batch = WriteBatch::default();
        for (key, count) in counts {
            batch.merge_cf(family, encode_key(key), count.to_be_bytes());
        }
        self.db.rocks().write(batch).map_err(|error| self.db.failed(&error))
    }

    /// The counts of the days from `from` to `to`, both included, in order of day.
    ///
    /// # Errors
    /// When the store cannot be read, or `each` says so.
    pub fn for_each_usage<E: From<StoreError>>(
        &self,
        from: u32,
        to: u32,
        mut each: impl FnMut(UsageKey, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        // A store that was written before anything was counted.
        if self.db.rocks().cf_handle(Family::Usage.name()).is_none() {
            return Ok(());
        }
        let mut rows = self.db.rows_from(Family::Usage, &[], None)?;
        rows.seek(&from.to_be_bytes())?;
        while let Some((key, value)) = rows.current() {
            let key = decode_key(key).map_err(|bad| self.db.bad(bad))?;
            if key.day > to {
                break;
            }
            each(key, decode_count(value).map_err(|bad| self.db.bad(bad))?)?;
            rows.advance()?;
        }
        Ok(())
    }

    /// Whether anything was counted of this day.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_usage_of(&self, day: u32) -> Result<bool, StoreError> {
        if self.db.rocks().cf_handle(Family::Usage.name()).is_none() {
            return Ok(false);
        }
        let rows = self.db.rows_here_and_there(Family::Usage, &day.to_be_bytes())?;
        Ok(rows.current().is_some())
    }

    /// Takes away what was counted before `day`.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn forget_usage_before(&self, day: u32) -> Result<(), StoreError> {
        self.must_write()?;
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(self.db.family(Family::Usage)?, 0u32.to_be_bytes(), day.to_be_bytes());
        self.db.rocks().write(batch).map_err(|error| self.db.failed(&error))
    }
}
