//! What is said of the records that are kept of answers: counts for bills.

use super::{Families, MetricsError};
use prometheus::{IntCounter, IntGauge};

/// Counts on their way into the store.
#[derive(Debug)]
pub struct UsageMetrics {
    /// With the thread that writes them, and not written: what a kill would lose, workers' last quarter second aside.
    pub unwritten: IntGauge,
    /// When counts were last written, in seconds since 1970.
    pub written: IntGauge,
    pub failures: IntCounter,
}

impl UsageMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            unwritten: families.gauge(
                "usage_counts_unwritten",
                "Counts for bills that the store has not taken yet. Aim: 0 within a second.",
            )?,
            written: families.gauge(
                "usage_written_timestamp_seconds",
                "When counts for bills were last written, in seconds since 1970; 0 while there were none.",
            )?,
            failures: families.counter(
                "usage_write_failures_total",
                "Times that the store did not take counts for bills; they are kept and tried again. Aim: 0.",
            )?,
        })
    }
}
