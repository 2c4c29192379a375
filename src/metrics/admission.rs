//! Who is let in, and who is not: handshakes of TLS, and requests refused before a status is read.

use super::Families;
use prometheus::IntCounter;

/// How TLS handshakes ended: `tls_handshakes_total`.
#[derive(Debug)]
pub struct HandshakeCounters {
    pub done: IntCounter,
    /// No certificate, a wrong one, a version that is not spoken, no TLS at all.
    pub refused: IntCounter,
    /// Not done in the time that there is.
    pub stalled: IntCounter,
}

#[expect(clippy::disallowed_methods, reason = "handles are looked up by label once, at start")]
impl HandshakeCounters {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        let family = families.counters(
            "tls_handshakes_total",
            "TLS handshakes of the OCSP listeners: done, refused (no certificate or a wrong one, no common version), \
             stalled (not done in time).",
            &["outcome"],
        )?;
        let outcome = |outcome: &str| family.with_label_values(&[outcome]);
        Ok(Self { done: outcome("done"), refused: outcome("refused"), stalled: outcome("stalled") })
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::Metrics;

    #[test]
    fn contract_6_every_counter_exists_from_the_start_at_0() {
        let text = Metrics::new().unwrap().render().unwrap();
        for outcome in ["done", "refused", "stalled"] {
            let line = format!("tls_handshakes_total{{outcome=\"{outcome}\"}} 0\n");
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}
