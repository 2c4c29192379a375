//! What signing costs: `ocsp_signatures_total` and `ocsp_sign_duration_seconds`.
//!
//! Every thread that signs adds to these, and a signature takes 16 microseconds: a histogram that all of them share
//! took a twentieth of that, for the lines of memory went from core to core. So each thread adds to a stripe of its
//! own, and whoever looks adds the stripes up.

use super::families::ISSUER;
use arc_swap::ArcSwap;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Counter, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use std::array;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Upper bounds in microseconds: about what keys in software take, P-256 15, RSA-2048 250; then keys that are elsewhere.
const BOUNDS: [u64; 18] =
    [5, 10, 15, 25, 50, 75, 100, 200, 250, 300, 500, 750, 1000, 2500, 10_000, 50_000, 250_000, 1_000_000];
/// More threads than that share some.
const STRIPES: usize = 16;

const TOTAL: (&str, &str) = ("ocsp_signatures_total", "Responses signed afresh.");
const DURATION: (&str, &str) = (
    "ocsp_sign_duration_seconds",
    "Seconds that one signature takes. Aim: 99 percent under 1 ms with keys in software.",
);

/// Of one thread, usually; on lines of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Stripe {
    /// By bound, and those above the last.
    counts: [AtomicU64; BOUNDS.len() + 1],
    nanoseconds: AtomicU64,
}

/// The signatures of one issuer.
#[derive(Debug)]
pub struct SignatureTally {
    stripes: Box<[Stripe]>,
}

impl SignatureTally {
    fn new() -> Self {
        let stripe =
            || Stripe { counts: array::from_fn(|_| AtomicU64::new(0)), nanoseconds: AtomicU64::new(0) };
        Self { stripes: std::iter::repeat_with(stripe).take(STRIPES).collect() }
    }

    /// One signature, which took so long.
    pub fn add(&self, took: Duration) {
        let Some(stripe) = self.stripes.get(own_stripe()) else { return };
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let place = BOUNDS.partition_point(|bound| bound * 1000 < nanoseconds);
        if let Some(count) = stripe.counts.get(place) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        stripe.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// How many there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.stripes.iter().flat_map(|stripe| &stripe.counts).map(|count| count.load(Ordering::Relaxed)).sum()
    }

    fn histogram(&self) -> Histogram {
        let mut so_far = 0;
        let mut up_to = |place: usize| {
            let counts = self.stripes.iter().filter_map(|stripe| stripe.counts.get(place));
            so_far += counts.map(|count| count.load(Ordering::Relaxed)).sum::<u64>();
            so_far
        };
        let mut buckets = Vec::with_capacity(BOUNDS.len());
        for (place, bound) in BOUNDS.iter().enumerate() {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(*bound as f64 / 1e6);
            bucket.set_cumulative_count(up_to(place));
            buckets.push(bucket);
        }
        let nanoseconds: u64 =
            self.stripes.iter().map(|stripe| stripe.nanoseconds.load(Ordering::Relaxed)).sum();
        let mut histogram = Histogram::default();
        histogram.set_sample_count(up_to(BOUNDS.len()));
        histogram.set_sample_sum(nanoseconds as f64 / 1e9);
        histogram.set_bucket(buckets);
        histogram
    }
}

/// Threads take stripes in turn, when they first sign.
fn own_stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    OWN.with(|own| *own)
}

/// By name, in the order in which they came.
type Issuers = Vec<(String, Arc<SignatureTally>)>;

/// The two families. Clones are one.
#[derive(Clone)]
pub(super) struct Signatures {
    descriptions: Arc<[Desc; 2]>,
    issuers: Arc<ArcSwap<Issuers>>,
}

impl Signatures {
    pub fn new() -> Result<Self, prometheus::Error> {
        let description = |(name, help): (&str, &str)| {
            let labels = ISSUER.iter().map(|label| (*label).to_owned()).collect();
            Desc::new(name.to_owned(), help.to_owned(), labels, HashMap::new())
        };
        let descriptions = Arc::new([description(TOTAL)?, description(DURATION)?]);
        Ok(Self { descriptions, issuers: Arc::default() })
    }

    /// Those of an issuer, at 0 where it is new.
    pub fn of(&self, issuer: &str) -> Arc<SignatureTally> {
        let known = |issuers: &Issuers| {
            issuers.iter().find(|(name, _)| name == issuer).map(|(_, tally)| Arc::clone(tally))
        };
        let new = Arc::new(SignatureTally::new());
        // Whoever else adds one at the same time, nobody is lost.
        self.issuers.rcu(|issuers| {
            let mut issuers = Vec::clone(issuers);
            if known(&issuers).is_none() {
                issuers.push((issuer.to_owned(), Arc::clone(&new)));
            }
            issuers
        });
        known(&self.issuers.load()).unwrap_or(new)
    }
}

impl Collector for Signatures {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let issuers = self.issuers.load();
        let family = |(name, help): (&str, &str), kind, value: &dyn Fn(&SignatureTally, &mut Metric)| {
            let metrics = issuers.iter().map(|(issuer, tally)| {
                let mut label = LabelPair::default();
                label.set_name("issuer".to_owned());
                label.set_value(issuer.clone());
                let mut metric = Metric::from_label(vec![label]);
                value(tally, &mut metric);
                metric
            });
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            family.set_metric(metrics.collect());
            family
        };
        vec![
            family(TOTAL, MetricType::COUNTER, &|tally, metric| {
                let mut counter = Counter::default();
                counter.set_value(tally.count() as f64);
                metric.set_counter(counter);
            }),
            family(DURATION, MetricType::HISTOGRAM, &|tally, metric| metric.set_histogram(tally.histogram())),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn stripes_of_all_threads_add_up() {
        let tally = SignatureTally::new();
        thread::scope(|scope| {
            for _ in 0..STRIPES + 3 {
                scope.spawn(|| (0..1000).for_each(|_| tally.add(Duration::from_micros(25))));
            }
        });
        tally.add(Duration::from_nanos(25_001));
        tally.add(Duration::from_secs(2));
        let (all, histogram) = ((STRIPES as u64 + 3) * 1000, tally.histogram());
        assert_eq!((tally.count(), histogram.get_sample_count()), (all + 2, all + 2));
        let counts: Vec<u64> = histogram.get_bucket().iter().map(Bucket::cumulative_count).collect();
        assert_eq!(counts[2..6], [0, all, all + 1, all + 1]);
        assert_eq!(counts[BOUNDS.len() - 1], all + 1);
        let seconds = all as f64 * 25e-6 + 25.001e-6 + 2.0;
        assert!((histogram.get_sample_sum() - seconds).abs() < 1e-6);
    }

    #[test]
    fn an_issuer_keeps_its_count_however_often_it_is_asked_for() {
        let signatures = Signatures::new().unwrap();
        signatures.of("auth").add(Duration::from_micros(15));
        signatures.of("sign");
        signatures.of("auth").add(Duration::from_micros(15));
        assert_eq!((signatures.of("auth").count(), signatures.of("sign").count()), (2, 0));
        assert_eq!(signatures.collect()[0].get_metric().len(), 2);
    }
}
