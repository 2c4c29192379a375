//! What the operator decides of verifiers: of all ([`Policy`]), and of each ([`Terms`]).
//!
//! Read by `config`, carried by the registry, obeyed by the rest of this module. Records only: what they are
//! counted and compared with stands where that is done.

use crate::x509::UnixTime;
use std::num::NonZeroU32;
use std::time::Duration;

/// What is done with the signature of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SignedRequests {
    /// Nothing: RFC 9919 3.1.2.
    #[default]
    Ignored,
    /// One that is there must be right, and says who asks.
    Verified,
    /// There must be one: sigRequired without.
    Required,
}

/// What holds for all verifiers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    pub signed_requests: SignedRequests,
    /// The header field that names on whose behalf a request comes.
    pub on_behalf_of: Option<String>,
    pub enumeration: Enumeration,
}

/// What is taken for a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Enumeration {
    /// Neighbours that were never issued; 0: nothing is taken for a walk.
    pub tolerated: u32,
    /// After how long all that was tolerated is forgotten.
    pub forgotten: Duration,
    /// How long a walker is refused.
    pub pause: Duration,
}

impl Default for Enumeration {
    fn default() -> Self {
        // A registration office looks after a stack of new cards whose inventory has not arrived.
        Self { tolerated: 100, forgotten: Duration::from_secs(600), pause: Duration::from_secs(900) }
    }
}

/// When a verifier may ask, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    pub valid_from: Option<UnixTime>,
    /// The first second in which it is no longer valid.
    pub valid_until: Option<UnixTime>,
    pub is_suspended: bool,
    pub allowance: Allowance,
    pub bulk: Option<Bulk>,
    /// Whether it may say on whose behalf it asks.
    pub may_name_others: bool,
}

impl Terms {
    /// Whether now is between the two.
    #[must_use]
    pub fn is_valid(&self, now: UnixTime) -> bool {
        self.valid_from.is_none_or(|from| now >= from) && self.valid_until.is_none_or(|until| now < until)
    }
}

/// What a verifier may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Allowance {
    /// `None`: as much as it likes.
    pub per_second: Option<NonZeroU32>,
    /// `None`: as much as it likes.
    pub per_day: Option<u64>,
}

/// Hours of the day, UTC, in which another allowance holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bulk {
    /// Seconds since midnight.
    pub from: u32,
    /// Seconds since midnight; before `from` where the hours go over it.
    pub until: u32,
    pub allowance: Allowance,
}

impl Bulk {
    /// Whether it is one of these hours.
    #[must_use]
    pub fn contains(&self, now: UnixTime) -> bool {
        let second = now.seconds().rem_euclid(86_400);
        let (from, until) = (i64::from(self.from), i64::from(self.until));
        if from <= until { (from..until).contains(&second) } else { second >= from || second < until }
    }
}
