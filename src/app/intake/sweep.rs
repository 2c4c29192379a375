//! What one look at the sources found, in the order in which it is taken in.
//!
//! A country publishes thousands of CRLs at once, which is half a minute's work. Between any two of them the intake does
//! what it was asked, and now and then looks again: a few CRLs that came meanwhile, as of an emergency, go first;
//! many are the rest of the publication and queue up behind it. A CRL that waits for another one, as a delta CRL
//! for its complete one, has one more turn at the end, since that one may be behind it.

#![expect(clippy::disallowed_methods, reason = "looks are paced by elapsed time, not by the date")]

use crate::ingest::Arrival;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

/// So many new ones go first: what they take away from the others is a tenth of the time between two looks.
const FEW: usize = 16;
/// How often is looked again.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A look at a slow file system takes no more than this part of the time.
const LOOK_PART: u32 = 20;

/// Arrivals on their way in.
#[derive(Debug)]
pub(super) struct Sweep {
    waiting: VecDeque<Arrival>,
    /// Those that had their second turn promised.
    put_off: HashSet<Arrival>,
    next_look: Instant,
}

impl Sweep {
    pub fn begin(look: impl FnOnce() -> Vec<Arrival>) -> Self {
        let mut sweep = Self { waiting: VecDeque::new(), put_off: HashSet::new(), next_look: Instant::now() };
        sweep.look(look);
        sweep
    }

    pub fn next(&mut self) -> Option<Arrival> {
        self.waiting.pop_front()
    }

    /// Looks again, if it is time.
    pub fn look_now_and_then(&mut self, look: impl FnOnce() -> Vec<Arrival>) {
        if Instant::now() >= self.next_look && !self.waiting.is_empty() {
            self.look(look);
        }
    }

    fn look(&mut self, look: impl FnOnce() -> Vec<Arrival>) {
        let began = Instant::now();
        self.meet(look());
        let ended = Instant::now();
        self.next_look = ended + LOOK_EVERY.max((ended - began) * LOOK_PART);
    }

    /// `found` is all that is to be taken in now, what was found before among it.
    fn meet(&mut self, found: Vec<Arrival>) {
        // What went away meanwhile is not opened in vain.
        let there: HashSet<&Arrival> = found.iter().collect();
        self.waiting.retain(|arrival| there.contains(arrival));
        let known: HashSet<Arrival> = self.waiting.iter().cloned().collect();
        let new: Vec<Arrival> = found.into_iter().filter(|arrival| !known.contains(arrival)).collect();
        if new.len() <= FEW {
            new.into_iter().rev().for_each(|arrival| self.waiting.push_front(arrival));
        } else {
            self.waiting.extend(new);
        }
    }

    /// Whether `arrival`, which is being taken in, may have another turn behind those that wait.
    pub fn may_put_off(&self, arrival: &Arrival) -> bool {
        !self.waiting.is_empty() && !self.put_off.contains(arrival)
    }

    pub fn put_off(&mut self, arrival: Arrival) {
        self.put_off.insert(arrival.clone());
        self.waiting.push_back(arrival);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(names: &[&str]) -> Vec<Arrival> {
        names.iter().map(|name| Arrival::File(name.into())).collect()
    }

    fn rest(mut sweep: Sweep) -> Vec<String> {
        std::iter::from_fn(|| sweep.next()).map(|arrival| arrival.to_string()).collect()
    }

    #[test]
    fn a_few_that_came_meanwhile_go_first_and_many_queue_up() {
        let mut sweep = Sweep::begin(|| files(&["a", "b", "c"]));
        assert_eq!(sweep.next(), files(&["a"]).pop());
        sweep.meet(files(&["b", "c", "x", "y"]));
        assert_eq!(sweep.next(), files(&["x"]).pop());
        // The rest of the publication, copied slowly.
        let many: Vec<String> = (0..=FEW).map(|n| format!("n{n:02}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        sweep.meet([files(&many), files(&["b", "c", "y"])].concat());
        let order = rest(sweep);
        assert_eq!(order[..3], ["y", "b", "c"]);
        assert_eq!(order[3..], many);
    }

    #[test]
    fn what_went_away_is_not_opened_and_what_came_again_is_taken_again() {
        let mut sweep = Sweep::begin(|| files(&["a", "b", "c"]));
        sweep.next();
        // b was deleted, and a replaced after it was taken.
        sweep.meet(files(&["a", "c"]));
        assert_eq!(rest(sweep), ["a", "c"]);
    }

    #[test]
    fn what_waits_for_another_has_one_more_turn() {
        let mut sweep = Sweep::begin(|| files(&["delta", "complete"]));
        let delta = sweep.next().unwrap();
        assert!(sweep.may_put_off(&delta));
        sweep.put_off(delta.clone());
        // It has not been taken in, so a look finds it again.
        sweep.meet(files(&["delta", "complete"]));
        assert_eq!(sweep.next(), files(&["complete"]).pop());
        assert_eq!(sweep.next(), Some(delta.clone()));
        assert!(!sweep.may_put_off(&delta));
        let mut sweep = Sweep::begin(|| files(&["delta"]));
        let delta = sweep.next().unwrap();
        assert!(!sweep.may_put_off(&delta), "nothing is behind it");
    }
}
