//! `[telemetry]`: who is told what taking a CRL in took.

/// `[telemetry]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// Where an OpenTelemetry collector takes traces: `http://` or `https://`, with a path, and nothing secret in it.
    pub traces: String,
}
