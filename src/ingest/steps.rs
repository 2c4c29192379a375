//! When the steps of taking one CRL in began and ended: what a trace of it is made of.
//!
//! Whoever wants to know gives [`Ingest::refresh_timed`](super::Ingest::refresh_timed) a [`Steps::timed`]; everybody
//! else's [`Steps::untimed`] reads no clock and takes no memory. A step that is refused is the last one.

#![expect(clippy::disallowed_methods, reason = "the write side's stopwatch; no request comes by")]

use std::time::Instant;

/// What is done with a CRL, in this order; [`Read`](Self::Read) to [`Compare`](Self::Compare) once more where its sums
/// did not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// From connecting to the server to the last octet of its answer.
    Fetch,
    /// A copy of the store from before it.
    Copy,
    /// Read, parsed and hashed, and its entries gathered: summed, or sorted as far as memory goes.
    Read,
    /// What was sorted is made one.
    Sort,
    /// Its signature, and whether it may follow what is held.
    Verify,
    /// Compared with what is held, and shown to the guard.
    Compare(With),
    /// Written, in one step.
    Commit,
}

/// What a CRL is compared by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum With {
    /// Sums of all entries, which name those that differ.
    Sums,
    /// The entries themselves.
    Entries,
}

/// A step that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    pub step: Step,
    pub began: Instant,
    pub ended: Instant,
}

/// The steps of one CRL, as far as they were done.
#[derive(Debug, Default)]
pub struct Steps {
    /// `None`: nobody asked.
    ended: Option<Vec<Timed>>,
    open: Option<(Step, Instant)>,
}

impl Steps {
    /// Nobody wants to know.
    #[must_use]
    pub const fn untimed() -> Self {
        Self { ended: None, open: None }
    }

    #[must_use]
    pub const fn timed() -> Self {
        Self { ended: Some(Vec::new()), open: None }
    }

    #[must_use]
    pub const fn is_timed(&self) -> bool {
        self.ended.is_some()
    }

    /// `step` begins, and the one before ends.
    pub fn begin(&mut self, step: Step) {
        if let Some(ended) = &mut self.ended {
            let now = Instant::now();
            let before = self.open.replace((step, now));
            ended.extend(before.map(|(step, began)| Timed { step, began, ended: now }));
        }
    }

    /// All of them, in order; the one that has not ended ended at `now`.
    #[must_use]
    pub fn end(self, now: Instant) -> Vec<Timed> {
        let mut all = self.ended.unwrap_or_default();
        all.extend(self.open.map(|(step, began)| Timed { step, began, ended: now }));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_ends_where_the_next_begins() {
        let mut steps = Steps::timed();
        for step in [Step::Read, Step::Verify, Step::Compare(With::Entries)] {
            steps.begin(step);
        }
        let ended = steps.end(Instant::now());
        let names: Vec<Step> = ended.iter().map(|timed| timed.step).collect();
        assert_eq!(names, [Step::Read, Step::Verify, Step::Compare(With::Entries)]);
        assert!(ended.iter().all(|timed| timed.began <= timed.ended));
        assert!(ended.windows(2).all(|two| two[0].ended == two[1].began), "{ended:?}");
    }

    #[test]
    fn who_does_not_want_to_know_pays_nothing() {
        let mut steps = Steps::untimed();
        steps.begin(Step::Read);
        assert!(!steps.is_timed() && steps.open.is_none());
        assert_eq!(steps.end(Instant::now()), []);
    }
}
