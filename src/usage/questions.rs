//! Questions for the counts of this very moment, from a report to the workers and back.
//!
//! A question is a number. Each worker looks at the newest when it hands its counts over, before it takes them
//! out of its rows, and says behind them which question they go up to ([`Counter`](super::Counter)). The
//! [`Ledger`](super::Ledger) answers a question once every worker has said so and all that they handed over is in the
//! store. So a report that was told "yes" has every answer that was counted before it asked; nobody on a
//! request's way notices.

#![expect(clippy::disallowed_types, reason = "a report waits here for the ledger; no request comes by")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Where questions and answers meet.
#[derive(Debug, Default)]
pub struct Questions {
    asked: AtomicU64,
    answered: Mutex<u64>,
    changed: Condvar,
}

impl Questions {
    /// Waits until all that was counted before is in the store, and says whether it is; for no longer than
    /// `patience`.
    #[must_use]
    pub fn ask(&self, patience: Duration) -> bool {
        let question = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(answered, patience, |answered| *answered < question);
        let (answered, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *answered >= question
    }

    /// The newest one.
    pub(super) fn newest(&self) -> u64 {
        self.asked.load(Ordering::Acquire)
    }

    /// What was counted before this question, and those before it, is in the store.
    pub(super) fn answer(&self, question: u64) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if *answered < question {
            *answered = question;
            self.changed.notify_all();
        }
    }
}
