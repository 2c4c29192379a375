//! What one verifier has used and done since the process began.
//!
//! Kept beside the registry, by the verifier's durable number: a reload makes a new registry and takes the accounts
//! over, so nobody gets a new quota by a SIGHUP.

use super::quota::{Exceeded, Meter};
use super::walk::Walk;
use super::{Cause, Enumeration, Moment, Terms, Used};
use crate::store::IssuerNumber;
use crate::x509::{SerialNumber, UnixTime};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

/// The counters of one verifier.
#[derive(Debug, Default)]
pub struct Account {
    meter: Meter,
    /// Beside what the meter writes for the same request, so that it costs no line of its own.
    admitted: AtomicU64,
    walk: Walk,
    /// By cause, in the order of [`Cause::ALL`].
    refused: [AtomicU64; Cause::ALL.len()],
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
        })?;
        self.admitted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// A request of this verifier was refused.
    pub fn refuse(&self, cause: Cause) {
        if let Some(counter) = self.refused.get(cause as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
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

    /// Requests let in since the process began.
    #[must_use]
    pub fn admitted(&self) -> u64 {
        self.admitted.load(Ordering::Relaxed)
    }

    /// Requests refused since the process began, by cause; each cause once.
    pub fn refused(&self) -> impl Iterator<Item = (Cause, u64)> {
        let counts = self.refused.iter().map(|counter| counter.load(Ordering::Relaxed));
        Cause::ALL.into_iter().zip(counts)
    }

    /// Certificates of the last second's worth that are not paid for yet, and how many may be asked about in one.
    #[must_use]
    pub fn used_now(&self, terms: &Terms, moment: Moment) -> Option<(u32, NonZeroU32)> {
        self.meter.used_now(&terms.allowance, terms.bulk.as_ref(), moment)
    }

    #[must_use]
    pub fn used(&self, terms: &Terms, now: UnixTime) -> Used {
        self.meter.used(terms.bulk.as_ref(), now)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Allowance;
    use super::*;

    #[test]
    fn what_is_refused_is_counted_by_its_cause_and_what_is_let_in_once_a_request() {
        let (account, moment) = (
            Account::default(),
            Moment { now: UnixTime::from_seconds(0), uptime: std::time::Duration::ZERO },
        );
        for (place, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, place);
            (0..=place).for_each(|_| account.refuse(cause));
        }
        let counted: Vec<_> = account.refused().map(|(_, count)| count).collect();
        assert_eq!(counted, (1..=14).collect::<Vec<u64>>());
        account.take(&Terms::default(), moment, 100).unwrap();
        assert_eq!(account.admitted(), 1);
        let none = Allowance { per_day: Some(0), ..Allowance::default() };
        let none = Terms { allowance: none, ..Terms::default() };
        assert_eq!(account.take(&none, moment, 1), Err(Cause::QuotaPerDay));
        assert_eq!(account.admitted(), 1);
    }
}
