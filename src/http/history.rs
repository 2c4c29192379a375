//! The last minutes in numbers, for the plots of the status page.
//!
//! The admin listener looks at the counters every [`EVERY`] and keeps [`KEPT`] samples: nothing of it
//! happens on a request's way, and nothing of it outlives the process. Whoever wants more asks Prometheus.

#![expect(
    clippy::disallowed_types,
    reason = "between the admin pages and their sampler; no request for a status comes by"
)]

use crate::metrics::{Metrics, Totals};
use serde::Serialize;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};

/// From one sample to the next.
pub(super) const EVERY: Duration = Duration::from_secs(5);
/// A quarter of an hour.
const KEPT: usize = 180;
/// What "now" means on the page: one minute.
const NOW: usize = 12;

/// One span of time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub(super) struct Sample {
    pub requests_per_second: f64,
    pub revoked_per_second: f64,
    pub turned_away_per_second: f64,
    pub in_vain_per_second: f64,
    pub signatures_per_second: f64,
    /// Seconds; none without answers.
    pub half_within: Option<f64>,
    pub most_within: Option<f64>,
    /// Of the look-ups in the cache, 0 to 1; none without look-ups.
    pub cache_hits: Option<f64>,
}

impl Sample {
    fn between(earlier: &Totals, later: &Totals, took: Duration) -> Self {
        let since = |of: fn(&Totals) -> u64| of(later).saturating_sub(of(earlier)) as f64;
        let rate = |of: fn(&Totals) -> u64| since(of) / took.as_secs_f64().max(0.001);
        let (hits, misses) = (since(|totals| totals.cache_hits), since(|totals| totals.cache_misses));
        Self {
            requests_per_second: rate(Totals::requests),
            revoked_per_second: rate(|totals| totals.revoked),
            turned_away_per_second: rate(|totals| totals.turned_away),
            in_vain_per_second: rate(|totals| totals.in_vain),
            signatures_per_second: rate(|totals| totals.signatures),
            half_within: later.within(0.5, earlier),
            most_within: later.within(0.99, earlier),
            cache_hits: (hits + misses > 0.0).then(|| hits / (hits + misses)),
        }
    }
}

/// What the page and `/api/v1/status` say of the traffic.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Traffic {
    pub seconds_each: u64,
    /// Of the last minute, or what there is of it.
    pub now: Sample,
    /// Oldest first.
    pub samples: Vec<Sample>,
    pub connections: u64,
    pub cache_bytes: u64,
}

#[derive(Default)]
struct Kept {
    /// The totals at the beginning, then after each sample.
    totals: VecDeque<(Instant, Totals)>,
    samples: VecDeque<Sample>,
}

pub(super) struct History {
    metrics: Arc<Metrics>,
    kept: Mutex<Kept>,
}

impl History {
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, kept: Mutex::default() }
    }

    /// Takes samples for ever.
    pub async fn keep(&self) -> Infallible {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let at = ticks.tick().await;
            self.sample(at);
        }
    }

    fn sample(&self, at: Instant) {
        let totals = self.metrics.totals();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((before, earlier)) = kept.totals.back() {
            let sample = Sample::between(earlier, &totals, at.saturating_duration_since(*before));
            kept.samples.push_back(sample);
        }
        kept.totals.push_back((at, totals));
        if kept.totals.len() > NOW + 1 {
            kept.totals.pop_front();
        }
        if kept.samples.len() > KEPT {
            kept.samples.pop_front();
        }
    }

    pub fn traffic(&self) -> Traffic {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match (kept.totals.front(), kept.totals.back()) {
            (Some((from, earlier)), Some((to, later))) if from < to => {
                Sample::between(earlier, later, to.saturating_duration_since(*from))
            }
            _ => Sample::default(),
        };
        let (connections, cache_bytes) =
            kept.totals.back().map_or((0, 0), |(_, totals)| (totals.connections, totals.cache_bytes));
        Traffic {
            seconds_each: EVERY.as_secs(),
            now,
            samples: kept.samples.iter().copied().collect(),
            connections,
            cache_bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocsp::OcspResponseStatus;

    #[test]
    fn rates_are_of_the_last_minute_and_the_ring_is_bounded() {
        let metrics = Arc::new(Metrics::new().unwrap());
        metrics.set_issuers(["auth"]);
        let history = History::new(Arc::clone(&metrics));
        assert_eq!(history.traffic().now, Sample::default());
        let start = Instant::now();
        history.sample(start);
        for tick in 1..=KEPT as u32 + 20 {
            // 50 a second, then, in the last minute, 10 and nobody served.
            let last_minute = tick > KEPT as u32 + 20 - NOW as u32;
            for _ in 0..if last_minute { 50 } else { 250 } {
                let status =
                    if last_minute { OcspResponseStatus::TryLater } else { OcspResponseStatus::Successful };
                metrics.count(Some(0), status, 1, 0, 0);
                metrics.request_duration.observe(0.000_02);
            }
            history.sample(start + EVERY * tick);
        }
        let traffic = history.traffic();
        assert_eq!(traffic.samples.len(), KEPT);
        let near = |found: f64, expected: f64| (found - expected).abs() < 1e-6;
        assert!(near(traffic.samples[0].requests_per_second, 50.0), "{:?}", traffic.samples[0]);
        assert!(near(traffic.now.requests_per_second, 10.0), "{:?}", traffic.now);
        assert!(near(traffic.now.turned_away_per_second, 10.0), "{:?}", traffic.now);
        assert!(traffic.now.most_within.is_some_and(|within| within <= 0.000_02 + 1e-9), "{:?}", traffic.now);
        assert_eq!(traffic.now.cache_hits, None);
    }
}
