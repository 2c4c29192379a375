//! What was counted so far, summed over issuers: the status page draws its plots from the differences.
//!
//! It reads the same families that Prometheus does, a few times a minute, and adds nothing to a request.

use super::Metrics;
use prometheus::proto::{LabelPair, MetricFamily};

/// Since the process began.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Totals {
    pub good: u64,
    pub revoked: u64,
    pub unknown: u64,
    /// tryLater and internalError: somebody wanted an answer of ours and got none.
    pub turned_away: u64,
    /// unauthorized and malformedRequest: nobody could have answered that here. And what verifiers asked beyond what
    /// was agreed, though they are told tryLater.
    pub in_vain: u64,
    pub signatures: u64,
    pub cache_hits: u64,
    pub cache_misses: u64,
    /// Answers by the time they took: an upper bound in seconds, and how many were made within it.
    pub durations: Vec<(f64, u64)>,
    /// Not since the beginning, but now.
    pub connections: u64,
    pub cache_bytes: u64,
}

impl Metrics {
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        // Read before the requests, which are counted later: never more than are among them.
        let beyond = self.refusals.beyond_quota();
        for family in self.registry.gather() {
            match family.name() {
                "ocsp_requests_total" => totals.add_requests(&family),
                "ocsp_signatures_total" => totals.signatures = counted(&family),
                "ocsp_response_cache_hits_total" => totals.cache_hits = counted(&family),
                "ocsp_response_cache_misses_total" => totals.cache_misses = counted(&family),
                "ocsp_response_cache_bytes" => totals.cache_bytes = gauged(&family),
                "http_connections_open" => totals.connections = gauged(&family),
                "ocsp_request_duration_seconds" => totals.add_durations(&family),
                _ => {}
            }
        }
        let beyond = beyond.min(totals.turned_away);
        totals.turned_away -= beyond;
        totals.in_vain += beyond;
        totals
    }
}

impl Totals {
    fn add_requests(&mut self, family: &MetricFamily) {
        for metric in family.get_metric() {
            let result = metric.get_label().iter().find(|label| label.name() == "result");
            let sum = match result.map_or("", LabelPair::value) {
                "good" => &mut self.good,
                "revoked" => &mut self.revoked,
                "unknown" => &mut self.unknown,
                "try_later" | "internal_error" => &mut self.turned_away,
                _ => &mut self.in_vain,
            };
            *sum += whole(metric.get_counter().get_value());
        }
    }

    fn add_durations(&mut self, family: &MetricFamily) {
        for metric in family.get_metric() {
            let histogram = metric.get_histogram();
            let mut durations: Vec<(f64, u64)> = histogram
                .get_bucket()
                .iter()
                .map(|bucket| (bucket.upper_bound(), bucket.cumulative_count()))
                .collect();
            if durations.last().is_none_or(|(bound, _)| bound.is_finite()) {
                durations.push((f64::INFINITY, histogram.get_sample_count()));
            }
            self.durations = durations;
        }
    }

    #[must_use]
    pub fn answers(&self) -> u64 {
        self.durations.last().map_or(0, |(_, count)| *count)
    }

    /// All that was asked: certificates, and requests that were not answered.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.good + self.revoked + self.unknown + self.turned_away + self.in_vain
    }

    /// Within how many seconds `part` (0 to 1) of the answers since `earlier` were made, as far as
    /// the buckets tell; `None` where there were none.
    #[must_use]
    pub fn within(&self, part: f64, earlier: &Self) -> Option<f64> {
        let since = |index: usize, count: u64| {
            count.saturating_sub(earlier.durations.get(index).map_or(0, |(_, before)| *before))
        };
        let answers = self.answers().saturating_sub(earlier.answers());
        let wanted = part * answers as f64;
        let (mut lower, mut below) = (0.0, 0);
        for (index, (bound, count)) in self.durations.iter().enumerate() {
            let here = since(index, *count);
            if answers > 0 && here as f64 >= wanted {
                // Beyond the last bound nobody knows; that it was passed is what matters.
                let inside = (wanted - below as f64) / (here - below).max(1) as f64;
                return Some(if bound.is_finite() { lower + (bound - lower) * inside } else { lower });
            }
            (lower, below) = (*bound, here);
        }
        None
    }
}

/// The sum over all labels of a family of counters.
fn counted(family: &MetricFamily) -> u64 {
    family.get_metric().iter().map(|metric| whole(metric.get_counter().get_value())).sum()
}

fn gauged(family: &MetricFamily) -> u64 {
    family.get_metric().iter().map(|metric| whole(metric.get_gauge().get_value())).sum()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what is counted here is whole and not negative"
)]
fn whole(number: f64) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocsp::OcspResponseStatus;

    #[test]
    fn totals_are_summed_over_issuers_and_sorted_by_whose_fault_it_is() {
        let metrics = Metrics::new().unwrap();
        metrics.set_issuers(["auth", "sign"]);
        metrics.count(Some(0), OcspResponseStatus::Successful, 1, 2, 3);
        metrics.count(Some(1), OcspResponseStatus::Successful, 10, 0, 0);
        metrics.count(Some(1), OcspResponseStatus::TryLater, 0, 0, 0);
        metrics.count(Some(0), OcspResponseStatus::InternalError, 0, 0, 0);
        metrics.count(None, OcspResponseStatus::Unauthorized, 0, 0, 0);
        let totals = metrics.totals();
        assert_eq!((totals.good, totals.revoked, totals.unknown), (11, 2, 3));
        assert_eq!((totals.turned_away, totals.in_vain, totals.requests()), (2, 1, 19));
    }

    #[test]
    fn who_asks_more_than_was_agreed_is_not_turned_away() {
        let metrics = Metrics::new().unwrap();
        metrics.refusals.quota_per_second.inc();
        metrics.refusals.enumeration.inc();
        metrics.refusals.suspended.inc();
        for status in [OcspResponseStatus::TryLater; 3].into_iter().chain([OcspResponseStatus::Unauthorized])
        {
            metrics.count(None, status, 0, 0, 0);
        }
        let totals = metrics.totals();
        assert_eq!((totals.turned_away, totals.in_vain, totals.requests()), (1, 3, 4));
    }

    #[test]
    fn quantiles_are_of_what_came_since_and_never_beyond_what_is_known() {
        let metrics = Metrics::new().unwrap();
        (0..100).for_each(|_| metrics.request_duration.observe(0.5));
        let earlier = metrics.totals();
        assert_eq!(earlier.within(0.5, &earlier), None);
        (0..99).for_each(|_| metrics.request_duration.observe(0.000_04));
        metrics.request_duration.observe(100.0);
        let now = metrics.totals();
        assert_eq!(now.answers(), 200);
        let half = now.within(0.5, &earlier).unwrap();
        assert!(half > 0.000_03 && half <= 0.000_05, "{half}");
        assert!((now.within(1.0, &earlier).unwrap() - 1.0).abs() < 1e-9, "the last bound");
    }
}
