//! What one verifier has used and done since the process began.
//!
//! Kept beside the registry, by the verifier's durable number: a reload makes a new registry and takes the accounts
//! over, so nobody gets a new quota by a SIGHUP.

use super::quota::{Exceeded, Meter};
use super::walk::Walk;
use super::{Cause, Enumeration, Moment, Terms, Used};
use crate::store::IssuerNumber;
use crate::x509::{SerialNumber, UnixTime};
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one verifier.
#[derive(Debug, Default)]
pub struct Account {
    meter: Meter,
    walk: Walk,
    refused: AtomicU64,
}

impl Account {
    /// Lets `count` certificates be asked about, or says why not.
    ///
    /// # Errors
    /// The quota that is used up, or a walk that was stopped.
    pub fn take(&self, terms: &Terms, moment: Moment, count: u32) -> Result<(), Cause> {
        if self.walk.is_refused(moment) {
            return Err(Cause::Enumeration);
        }
        let taken = self.meter.take(&terms.allowance, terms.bulk.as_ref(), moment, count);
        taken.map_err(|exceeded| match exceeded {
            Exceeded::Second => Cause::QuotaPerSecond,
            Exceeded::Day => Cause::QuotaPerDay,
        })
    }

    /// A request of this verifier was refused, whyever.
    pub fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A serial number was answered as one that was never issued.
    pub fn unissued(
        &self,
        policy: &Enumeration,
        issuer: IssuerNumber,
        serial: &SerialNumber,
        moment: Moment,
    ) {
        self.walk.step(policy, issuer, serial, moment);
    }

    /// Requests refused since the process began.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    #[must_use]
    pub fn used(&self, terms: &Terms, now: UnixTime) -> Used {
        self.meter.used(terms.bulk.as_ref(), now)
    }
}
