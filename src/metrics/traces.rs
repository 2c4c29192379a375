//! What becomes of traces of ingest.

use super::MetricsError;
use super::families::Families;
use prometheus::IntCounter;

/// Spans, where traces are exported.
#[derive(Debug)]
pub struct TraceMetrics {
    pub exported: IntCounter,
    pub dropped: IntCounter,
}

impl TraceMetrics {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            exported: families
                .counter("trace_spans_exported_total", "Spans of ingest that the collector has taken.")?,
            dropped: families.counter(
                "trace_spans_dropped_total",
                "Spans of ingest that the collector did not take, or not in time. Aim: 0.",
            )?,
        })
    }
}
