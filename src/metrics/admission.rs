//! Who is let in, and who is not: handshakes of TLS, and requests refused before a status is read.

use super::families::Families;
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

/// Why requests were refused before any status was read: `ocsp_refusals_total`.
#[derive(Debug)]
pub struct RefusalCounters {
    pub unregistered: IntCounter,
    pub credentials_disagree: IntCounter,
    pub suspended: IntCounter,
    pub not_valid: IntCounter,
    pub network: IntCounter,
    pub certificate_expired: IntCounter,
    pub certificate_revoked: IntCounter,
    pub no_right: IntCounter,
    pub on_behalf_of: IntCounter,
    pub signature_missing: IntCounter,
    pub signature_wrong: IntCounter,
    pub quota_per_second: IntCounter,
    pub quota_per_day: IntCounter,
    pub enumeration: IntCounter,
}

#[expect(clippy::disallowed_methods, reason = "handles are looked up by label once, at start")]
impl RefusalCounters {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        let family = families.counters(
            "ocsp_refusals_total",
            "Requests of verifiers that were refused before any status was read, by cause. In ocsp_requests_total they \
             are unauthorized or try_later of no issuer; tryLater to who asks more than was agreed breaks no promise.",
            &["cause"],
        )?;
        let cause = |cause: &str| family.with_label_values(&[cause]);
        Ok(Self {
            unregistered: cause("unregistered"),
            credentials_disagree: cause("credentials_disagree"),
            suspended: cause("suspended"),
            not_valid: cause("not_valid"),
            network: cause("network"),
            certificate_expired: cause("certificate_expired"),
            certificate_revoked: cause("certificate_revoked"),
            no_right: cause("no_right"),
            on_behalf_of: cause("on_behalf_of"),
            signature_missing: cause("signature_missing"),
            signature_wrong: cause("signature_wrong"),
            quota_per_second: cause("quota_per_second"),
            quota_per_day: cause("quota_per_day"),
            enumeration: cause("enumeration"),
        })
    }
}

impl RefusalCounters {
    /// Requests told tryLater because they were more than was agreed.
    #[must_use]
    pub fn beyond_quota(&self) -> u64 {
        [&self.quota_per_second, &self.quota_per_day, &self.enumeration].map(IntCounter::get).iter().sum()
    }

    /// What was counted so far, each cause once, as its label calls it.
    #[must_use]
    pub fn by_cause(&self) -> [(&'static str, u64); 14] {
        [
            ("unregistered", &self.unregistered),
            ("credentials_disagree", &self.credentials_disagree),
            ("suspended", &self.suspended),
            ("not_valid", &self.not_valid),
            ("network", &self.network),
            ("certificate_expired", &self.certificate_expired),
            ("certificate_revoked", &self.certificate_revoked),
            ("no_right", &self.no_right),
            ("on_behalf_of", &self.on_behalf_of),
            ("signature_missing", &self.signature_missing),
            ("signature_wrong", &self.signature_wrong),
            ("quota_per_second", &self.quota_per_second),
            ("quota_per_day", &self.quota_per_day),
            ("enumeration", &self.enumeration),
        ]
        .map(|(cause, counter)| (cause, counter.get()))
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
        for (cause, _) in Metrics::new().unwrap().refusals.by_cause() {
            let line = format!("ocsp_refusals_total{{cause=\"{cause}\"}} 0\n");
            assert!(text.contains(&line), "{line}{text}");
        }
    }
}
