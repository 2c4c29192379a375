//! What changes by itself and is noticed too late: room on the disks, and ends of certificates that no CRL speaks of.

use super::MetricsError;
use super::families::Families;
use prometheus::IntGauge;

/// Measured now and then by `app`.
#[derive(Debug)]
pub struct Vitals {
    pub store_free: IntGauge,
    pub rows_in_memory: IntGauge,
    /// Answers signed beforehand, and when the first of them runs out, in seconds since 1970; 0 where there are none.
    pub presigned_answers: IntGauge,
    pub presigned_first_expiry: IntGauge,
    /// 0 without an audit log.
    pub audit_free: IntGauge,
    /// Seconds since 1970; 0 without TLS.
    pub tls_not_after: IntGauge,
    pub verifiers: IntGauge,
    /// Seconds since 1970; 0 where none ends.
    pub verifier_not_after: IntGauge,
}

impl Vitals {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, MetricsError> {
        Ok(Self {
            store_free: families.gauge(
                "store_free_bytes",
                "Octets that may still be written to the disk of the store. Aim: as much as the store has, and 1 GiB, \
                 always.",
            )?,
            rows_in_memory: families.gauge(
                "store_rows_in_memory_bytes",
                "Octets of rows in memory that requests look up. Once it stands at half of store.cache_size, what is \
                 beyond is looked up in RocksDB.",
            )?,
            presigned_answers: families.gauge(
                "ocsp_presigned_answers",
                "Answers that lie ready in the store, signed beforehand.",
            )?,
            presigned_first_expiry: families.gauge(
                "ocsp_presigned_first_expiry_timestamp_seconds",
                "nextUpdate of the answer signed beforehand that runs out first, in seconds since 1970; 0 where there \
                 are none. Aim: ahead, always.",
            )?,
            audit_free: families.gauge(
                "audit_free_bytes",
                "Octets that may still be written to the disk of the audit log; 0 without one. Aim: enough for a week, \
                 always.",
            )?,
            tls_not_after: families.gauge(
                "tls_certificate_not_after_timestamp_seconds",
                "notAfter of the certificate that the TLS listener shows, the nearest of its chain, in seconds since \
                 1970; 0 without TLS. Aim: 14 days ahead, always.",
            )?,
            verifiers: families.gauge("verifiers", "Verifiers in the registry; 0 where everybody may ask.")?,
            verifier_not_after: families.gauge(
                "verifier_not_after_timestamp_seconds",
                "When the first of the verifiers that may ask now may ask no more (valid_until, or the end of a \
                 certificate that the registry names as a file), in seconds since 1970; 0 where none ends.",
            )?,
        })
    }
}
