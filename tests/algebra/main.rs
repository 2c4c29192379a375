//! The algebra of CRL states, end to end: any sequence of full CRLs, delta CRLs, holds, releases,
//! rollbacks, restarts and waiting goes through the real ingest into a real store, and what the
//! responder then says of every serial number is what a model of RFC 5280 section 5 says.
//!
//! `PROPTEST_CASES=5000 cargo test --release --test algebra` asks more than the ordinary run does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

mod house;
mod model;
mod rules;
mod steps;

use house::{House, SERIALS};
use model::{Crl, Generation, Inventory, Model, Verdict};
use ocsprey::x509::UnixTime;
use proptest::prelude::*;
use steps::Step;

/// The model and the real thing, side by side.
struct Pair {
    model: Model,
    house: House,
    now: i64,
}

impl Pair {
    fn new(inventory: Option<Inventory>) -> Self {
        let house = House::new(inventory.as_ref());
        Self { model: Model::new(inventory), house, now: house::start() }
    }

    fn take(&mut self, crl: &Crl) -> Result<(), TestCaseError> {
        let expected = self.model.take(crl, self.now);
        let verdict = self.house.take(crl).map_err(TestCaseError::fail)?;
        // Whether a delta CRL that does not fit is refused or has nothing to add is a matter of words.
        let same =
            verdict == expected || crl.base.is_some() && ![verdict, expected].contains(&Verdict::Applied);
        prop_assert!(same, "{verdict:?}, expected {expected:?} of {crl:?}, {:#?}", self.model);
        self.compare()
    }

    fn step(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match step {
            Step::Publish(draft) => return self.take(&draft.crl(&self.model, self.now)),
            Step::Again(scope) => {
                if let Some(crl) = self.model.full(model::SCOPES[*scope]).cloned() {
                    prop_assert_eq!(self.model.clone().take(&crl, self.now), Verdict::Unchanged);
                    return self.take(&crl);
                }
            }
            Step::Reopen => self.house.reopen(),
            Step::Wait(seconds) => {
                self.now += seconds;
                self.house.clock.set(UnixTime::from_seconds(self.now));
            }
        }
        self.compare()
    }

    /// Asks about every serial number, under both keys.
    fn compare(&self) -> Result<(), TestCaseError> {
        let snapshot = self.house.snapshot();
        for generation in [Generation::First, Generation::Second] {
            for serial in 0..SERIALS.len() {
                let expected = self.model.ask(serial, generation, self.now);
                let said = self.house.ask(&snapshot, serial, generation);
                prop_assert!(
                    expected.iter().any(|expected| said.is(expected, self.now)),
                    "serial {serial} of the {generation:?} key at {}: {said:?}, expected {expected:?}, {:#?}",
                    self.now,
                    self.model
                );
            }
        }
        Ok(())
    }
}

/// `PROPTEST_CASES`, or as many as an ordinary run has time for.
fn configured() -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(64);
    // A failure that was found becomes a named test in `rules`, not a seed in a file.
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 400, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(configured())]

    #[test]
    fn whatever_comes_in_is_answered_as_rfc_5280_has_it(
        inventory in steps::inventory(),
        steps in steps::steps(),
    ) {
        let mut pair = Pair::new(inventory);
        pair.compare()?;
        for step in &steps {
            pair.step(step)?;
        }
    }
}
