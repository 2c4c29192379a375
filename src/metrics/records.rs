//! What is said of the records that are kept of answers: counts for bills, and the audit log.

use super::MetricsError;
use super::families::Families;
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

/// The audit log.
#[derive(Debug)]
pub struct AuditMetrics {
    pub records: IntCounter,
    pub waiting: IntGauge,
    pub missing: IntCounter,
    pub refused: IntCounter,
    pub failures: IntCounter,
    pub committed: IntGauge,
    /// Where the newest head is: its root is in the log.
    pub segment: IntGauge,
    pub segment_records: IntGauge,
}

impl AuditMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            records: families.counter("audit_records_total", "Answers put on record in the audit log.")?,
            waiting: families.gauge("audit_records_waiting", "Answers that wait to be put on record.")?,
            missing: families.counter(
                "audit_records_missing_total",
                "Answers that left and are in the audit log only as a number in a gap. Aim: 0.",
            )?,
            refused: families.counter(
                "audit_answers_refused_total",
                "Requests that were told tryLater because their answers could not have been put on record. Aim: 0.",
            )?,
            failures: families.counter(
                "audit_write_failures_total",
                "Times that the audit log could not be written; it is tried again. Aim: 0.",
            )?,
            committed: families.gauge(
                "audit_committed_timestamp_seconds",
                "When the audit log last was durable to its last record, in seconds since 1970; 0 without one.",
            )?,
            segment: families.gauge("audit_segment", "The segment of the audit log that grows; 0 without one.")?,
            segment_records: families.gauge(
                "audit_segment_records",
                "Records in it: whoever notes both can tell later that no end was cut off.",
            )?,
        })
    }
}
