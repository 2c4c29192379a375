//! Taking turns: while a worker is pressed, everything that has come is decided before any of it is signed.
//!
//! A signature walks through 150 KB of tables, a decision through RocksDB and HTTP's code: one after the other for each
//! request, each begins by fetching what the other has pushed out of the nearest caches: three to seven percent of a
//! P-256 answer. So the task of a request that needs a signature stands back once, behind all that are ready.
//!
//! What stands back was allowed its signature and has not spent it yet: a thousand of them would be signed in a row,
//! whatever [`Pressure`] allows, and wait twice as long as it sees. So only a few stand back, and nobody in an overload.
//!
//! Called by [`super::PublishedResponder`]; [`super::service`] takes off what was waited, which is nobody's work.

use super::pressure::Pressure;
use std::time::{Duration, Instant};

/// One request's turns.
#[derive(Debug)]
pub struct Turn<'a> {
    pressure: &'a Pressure,
    waited: Duration,
}

impl<'a> Turn<'a> {
    pub(super) fn new(pressure: &'a Pressure) -> Self {
        Self { pressure, waited: Duration::ZERO }
    }

    /// Lets all who are ready go first, unless that would make them wait.
    #[expect(clippy::disallowed_methods, reason = "what others do meanwhile is not this request's effort")]
    pub async fn take(&mut self) {
        let Some(_place) = self.pressure.stand_back() else { return };
        let begin = Instant::now();
        tokio::task::yield_now().await;
        self.waited += begin.elapsed();
    }

    pub(super) fn waited(&self) -> Duration {
        self.waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    #[test]
    fn all_who_are_ready_decide_before_the_first_signs() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (steps, pressure) = (Rc::new(RefCell::new(Vec::new())), Rc::new(Pressure::default()));
        let requests = tokio::task::LocalSet::new();
        for number in 0..3_u32 {
            let (steps, pressure) = (Rc::clone(&steps), Rc::clone(&pressure));
            requests.spawn_local(async move {
                steps.borrow_mut().push(("decide", number));
                let mut turn = Turn::new(&pressure);
                assert_eq!(turn.waited(), Duration::ZERO);
                turn.take().await;
                assert!(turn.waited() > Duration::ZERO);
                steps.borrow_mut().push(("sign", number));
            });
        }
        runtime.block_on(requests);
        let steps = steps.borrow();
        // In whichever order.
        let of = |some: &[(&str, u32)], step| some.iter().all(|(one, _)| *one == step);
        assert!(of(&steps[..3], "decide") && of(&steps[3..], "sign") && steps.len() == 6, "{steps:?}");
    }
}
