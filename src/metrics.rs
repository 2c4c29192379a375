//! What Prometheus reads: every counter of the contract, there from the start at 0.
//!
//! Families are registered once, in [`Metrics::new`]; handles are resolved per issuer when the
//! configuration is loaded ([`Metrics::issuer`], [`Metrics::set_issuers`]). A request then only adds to
//! atomics: looking a handle up by its labels takes a lock and hashes, and never happens on the way
//! of an answer.
//!
//! Labels are bounded: names of configured issuers, and words listed here. Never a serial number,
//! never a client's address.

#![expect(
    clippy::disallowed_methods,
    reason = "the one place that looks handles up by label, at start and reload"
)]

mod admission;
mod families;
mod interventions;
mod records;
mod shed;
mod signatures;
mod totals;
mod traces;
mod vitals;

pub use admission::{HandshakeCounters, RefusalCounters};
pub use interventions::InterventionCounters;
pub use records::{AuditMetrics, UsageMetrics};
pub use shed::ShedCounters;
pub use signatures::SignatureTally;
pub use totals::Totals;
pub use traces::TraceMetrics;
pub use vitals::Vitals;

use crate::ocsp::OcspResponseStatus;
use arc_swap::ArcSwap;
use families::{Families, ISSUER};
use interventions::Interventions;
use prometheus::{
    Encoder, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry, TextEncoder,
};
use signatures::Signatures;
use std::sync::Arc;

/// The value of the label `issuer` for requests that name no issuer of ours.
pub const NO_ISSUER: &str = "none";

/// Why the metrics could not be set up: two families of one name, a name that Prometheus does not take.
#[derive(Debug, thiserror::Error)]
#[error("the metrics could not be registered: {0}")]
pub struct MetricsError(#[from] prometheus::Error);

/// The seven results of `ocsp_requests_total` for one issuer.
#[derive(Debug)]
pub struct RequestCounters {
    pub good: IntCounter,
    pub revoked: IntCounter,
    pub unknown: IntCounter,
    pub malformed_request: IntCounter,
    pub unauthorized: IntCounter,
    pub try_later: IntCounter,
    pub internal_error: IntCounter,
}

impl RequestCounters {
    fn new(family: &IntCounterVec, issuer: &str) -> Self {
        let result = |result: &str| family.with_label_values(&[issuer, result]);
        Self {
            good: result("good"),
            revoked: result("revoked"),
            unknown: result("unknown"),
            malformed_request: result("malformed_request"),
            unauthorized: result("unauthorized"),
            try_later: result("try_later"),
            internal_error: result("internal_error"),
        }
    }

    /// Counts one request: its certificates one by one where it was answered, itself where it was not.
    pub fn count(&self, status: OcspResponseStatus, good: u32, revoked: u32, unknown: u32) {
        match status {
            OcspResponseStatus::Successful => {
                // A counter is an atomic that all cores share: the usual request touches one of the three.
                for (counter, certificates) in
                    [(&self.good, good), (&self.revoked, revoked), (&self.unknown, unknown)]
                {
                    if certificates > 0 {
                        counter.inc_by(u64::from(certificates));
                    }
                }
            }
            OcspResponseStatus::MalformedRequest => self.malformed_request.inc(),
            OcspResponseStatus::InternalError => self.internal_error.inc(),
            OcspResponseStatus::TryLater => self.try_later.inc(),
            // RFC 6960 2.3: a signature that is wanted and missing is a matter of authorization.
            OcspResponseStatus::SigRequired | OcspResponseStatus::Unauthorized => self.unauthorized.inc(),
        }
    }
}

/// What became of a CRL that was brought in: `crl_ingests_total`.
#[derive(Debug)]
pub struct IngestCounters {
    /// Verified and applied.
    pub applied: IntCounter,
    /// The one already held; nothing to do.
    pub unchanged: IntCounter,
    /// Read, and not believed: signature, issuer, number, guard.
    pub refused: IntCounter,
    /// Not read to its end, or not stored: download, parse, disk.
    pub failed: IntCounter,
}

/// All handles of one issuer.
#[derive(Debug)]
pub struct IssuerMetrics {
    name: String,
    pub requests: RequestCounters,
    /// Responses signed afresh, and what that took.
    pub signatures: Arc<SignatureTally>,
    /// Of those that were verified, signatures that did not; they were not given out.
    pub signatures_wrong: IntCounter,
    /// Of the oldest scope, in seconds since 1970; 0 while there is none.
    pub crl_this_update: IntGauge,
    /// Of the oldest scope, in seconds since 1970; 0 while there is none.
    pub crl_next_update: IntGauge,
    pub crl_scopes: IntGauge,
    pub crl_entries: IntGauge,
    pub crl_ingests: IngestCounters,
    pub crl_ingest_duration: Histogram,
    /// From the arrival of a CRL at its source until answers come from it.
    pub crl_visible: Histogram,
    /// Sources whose last CRL was refused.
    pub crl_refused: IntGauge,
    /// Partitions that no source has any more, or that are listed and never came.
    pub crl_scopes_missing: IntGauge,
    pub interventions: InterventionCounters,
    pub signer_not_after: IntGauge,
}

impl IssuerMetrics {
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// The families, the handles that have no issuer, and the issuers in the order of the snapshot.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    signatures: Signatures,
    signatures_wrong: IntCounterVec,
    crl_this_update: IntGaugeVec,
    crl_next_update: IntGaugeVec,
    crl_scopes: IntGaugeVec,
    crl_entries: IntGaugeVec,
    crl_ingests: IntCounterVec,
    crl_ingest_duration: HistogramVec,
    crl_visible: HistogramVec,
    crl_refused: IntGaugeVec,
    crl_scopes_missing: IntGaugeVec,
    interventions: Interventions,
    signer_not_after: IntGaugeVec,
    issuers: ArcSwap<Vec<Arc<IssuerMetrics>>>,
    /// Requests that name no issuer of ours, or nothing that can be read.
    pub no_issuer: RequestCounters,
    pub request_duration: Histogram,
    pub cache_hits: IntCounter,
    pub cache_misses: IntCounter,
    pub cache_bytes: IntGauge,
    /// Answers that were signed beforehand and read from the store.
    pub presigned_hits: IntCounter,
    /// Requests that had to wait for the disk, and those that found too many waiting.
    pub disk_reads: IntCounter,
    pub disk_reads_refused: IntCounter,
    /// Of these, requests that another thread read for.
    pub disk_reads_elsewhere: IntCounter,
    pub shed: ShedCounters,
    pub connections_open: IntGauge,
    pub tls_handshakes: HandshakeCounters,
    /// Requests refused before any status was read.
    pub refusals: RefusalCounters,
    pub store_bytes: IntGauge,
    pub usage: Arc<UsageMetrics>,
    pub audit: Arc<AuditMetrics>,
    pub traces: Arc<TraceMetrics>,
    pub vitals: Vitals,
    /// 1 while every issuer can answer; whoever renders the metrics says so first.
    pub ready: IntGauge,
}

/// Measured: 0.3 to 2 us for an answer that is kept, 2 to 5 for one without a new signature, 20 to 50 with one of
/// P-256, 250 with one of RSA-2048.
/// There the buckets are dense, and at the aim of 1 ms; above it they only say how bad it is.
const REQUEST_BUCKETS: &[f64] = &[
    5e-7, 0.000_001, 1.5e-6, 0.000_002, 0.000_005, 0.000_01, 0.000_02, 0.000_03, 0.000_05, 0.000_075,
    0.000_1, 0.000_2, 0.000_25, 0.000_3, 0.000_4, 0.000_6, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1.0,
];
/// From a municipality's CRL to a country's.
const INGEST_BUCKETS: &[f64] = &[0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Around the second that a new CRL may take to be seen.
const VISIBLE_BUCKETS: &[f64] = &[0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 60.0, 600.0];

impl Metrics {
    /// All families, registered, and the process's own.
    ///
    /// # Errors
    /// [`MetricsError`] when a family cannot be registered, which is a mistake in this file.
    pub fn new() -> Result<Self, MetricsError> {
        let registry = Registry::new();
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let families = Families::of(&registry)?;
        let requests = families.counters(
            "ocsp_requests_total",
            "OCSP requests by result. good, revoked and unknown count once for each certificate answered, \
             the others once for each request. Aim: try_later and internal_error together under 0.1 percent.",
            &["issuer", "result"],
        )?;
        Ok(Self {
            no_issuer: RequestCounters::new(&requests, NO_ISSUER),
            requests,
            signatures: families.add(Signatures::new()?)?,
            signatures_wrong: families.counters(
                "ocsp_signatures_wrong_total",
                "Signatures that did not verify before they left (response.verify_every); their requests were told \
                 internalError. Aim: 0.",
                ISSUER,
            )?,
            crl_this_update: families.gauges(
                "crl_this_update_timestamp_seconds",
                "thisUpdate of the oldest CRL scope, in seconds since 1970; 0 while none is loaded.",
            )?,
            crl_next_update: families.gauges(
                "crl_next_update_timestamp_seconds",
                "nextUpdate of the CRL scope that expires first, in seconds since 1970; 0 while none is loaded. \
                 Behind it lies tryLater. Aim: 6 hours ahead, always.",
            )?,
            crl_scopes: families.gauges("crl_scopes", "CRL scopes loaded.")?,
            crl_entries: families.gauges("crl_entries", "Entries of all CRL scopes loaded.")?,
            crl_ingests: families.counters(
                "crl_ingests_total",
                "CRLs brought in: applied, unchanged (held already), refused (not believed), failed (not read \
                 or not stored).",
                &["issuer", "outcome"],
            )?,
            crl_ingest_duration: families.histograms(
                "crl_ingest_duration_seconds",
                "Seconds that taking one CRL in takes, from its first octet to its last row. Aim: 99 percent under 10 s.",
                INGEST_BUCKETS,
            )?,
            crl_visible: families.histograms(
                "crl_visible_seconds",
                "Seconds from the arrival of a CRL (a file's last change, a server's answer, a submission; the \
                 start of the process for what was there before) to answers from it. Aim: 99 percent under 1 s.",
                VISIBLE_BUCKETS,
            )?,
            crl_refused: families.gauges(
                "crl_refused",
                "Sources whose last CRL was refused and is in quarantine; a submitted CRL counts for all. Aim: 0.",
            )?,
            crl_scopes_missing: families.gauges(
                "crl_scopes_missing",
                "CRL scopes that are held and in no source any more, or listed in the configuration and not held. Aim: 0.",
            )?,
            interventions: Interventions::new(&families)?,
            signer_not_after: families.gauges(
                "signer_not_after_timestamp_seconds",
                "notAfter of the certificate that signs responses, the nearest of all generations, in seconds since \
                 1970; 0 while none is loaded. Aim: 14 days ahead, always.",
            )?,
            issuers: ArcSwap::from_pointee(Vec::new()),
            request_duration: families.histogram(
                "ocsp_request_duration_seconds",
                "Seconds from a whole request in hand to its answer in hand, network excluded. Aim: 99 percent under \
                 1 ms.",
                REQUEST_BUCKETS,
            )?,
            cache_hits: families.counter("ocsp_response_cache_hits_total", "Answers taken from the memory cache.")?,
            cache_misses: families.counter("ocsp_response_cache_misses_total",
                "Answers that the memory cache did not have.")?,
            cache_bytes: families.gauge("ocsp_response_cache_bytes", "Octets in the memory cache of answers.")?,
            presigned_hits: families.counter("ocsp_presigned_hits_total",
                "Answers that were signed beforehand, read from the store.")?,
            disk_reads: families.counter("ocsp_disk_reads_total",
                "Requests that needed rows of the store that were not in its memory.")?,
            disk_reads_refused: families.counter("ocsp_disk_reads_refused_total",
                "Of these, requests that were answered tryLater because too many were waiting for the disk. Aim: 0.")?,
            disk_reads_elsewhere: families.counter("ocsp_disk_reads_elsewhere_total",
                "Of these, requests that a thread of their own read for, because the disk is slow.")?,
            shed: ShedCounters::new(&families)?,
            tls_handshakes: HandshakeCounters::new(&families)?,
            refusals: RefusalCounters::new(&families)?,
            connections_open: families.gauge("http_connections_open", "Open connections of the OCSP listeners.")?,
            usage: Arc::new(UsageMetrics::new(&families)?),
            audit: Arc::new(AuditMetrics::new(&families)?),
            traces: Arc::new(TraceMetrics::new(&families)?),
            vitals: Vitals::new(&families)?,
            store_bytes: families.gauge("store_bytes", "Octets of the store on disk.")?,
            ready: families.gauge("ocsp_ready",
                "1 while every issuer can answer, 0 otherwise; /readyz has the reasons. Aim: 1 for 99.95 percent \
                 of the time.")?,
            registry,
        })
    }

    /// The handles of the issuer called `name`, at 0 where they are new. For start-up and reload: it
    /// looks up by label.
    #[must_use]
    pub fn issuer(&self, name: &str) -> Arc<IssuerMetrics> {
        let outcome = |outcome: &str| self.crl_ingests.with_label_values(&[name, outcome]);
        Arc::new(IssuerMetrics {
            name: name.to_owned(),
            requests: RequestCounters::new(&self.requests, name),
            signatures: self.signatures.of(name),
            signatures_wrong: self.signatures_wrong.with_label_values(&[name]),
            crl_this_update: self.crl_this_update.with_label_values(&[name]),
            crl_next_update: self.crl_next_update.with_label_values(&[name]),
            crl_scopes: self.crl_scopes.with_label_values(&[name]),
            crl_entries: self.crl_entries.with_label_values(&[name]),
            crl_ingests: IngestCounters {
                applied: outcome("applied"),
                unchanged: outcome("unchanged"),
                refused: outcome("refused"),
                failed: outcome("failed"),
            },
            crl_ingest_duration: self.crl_ingest_duration.with_label_values(&[name]),
            crl_visible: self.crl_visible.with_label_values(&[name]),
            crl_refused: self.crl_refused.with_label_values(&[name]),
            crl_scopes_missing: self.crl_scopes_missing.with_label_values(&[name]),
            interventions: self.interventions.of(name),
            signer_not_after: self.signer_not_after.with_label_values(&[name]),
        })
    }

    /// Says which issuers the published snapshot has, in its order.
    pub fn set_issuers<'a>(&self, names: impl IntoIterator<Item = &'a str>) {
        self.issuers.store(Arc::new(names.into_iter().map(|name| self.issuer(name)).collect()));
    }

    /// The issuers of the published snapshot, in its order.
    #[must_use]
    pub fn issuers(&self) -> Arc<Vec<Arc<IssuerMetrics>>> {
        self.issuers.load_full()
    }

    /// Counts one request that named the issuer at `index` of the published snapshot, or none.
    /// Between a reload's two steps an index may be one too far: such a request counts as of none.
    pub fn count(
        &self,
        index: Option<usize>,
        status: OcspResponseStatus,
        good: u32,
        revoked: u32,
        unknown: u32,
    ) {
        match index {
            None => self.no_issuer.count(status, good, revoked, unknown),
            Some(index) => match self.issuers.load().get(index) {
                Some(issuer) => issuer.requests.count(status, good, revoked, unknown),
                None => self.no_issuer.count(status, good, revoked, unknown),
            },
        }
    }

    /// All of it in Prometheus' text format.
    ///
    /// # Errors
    /// [`MetricsError`] when two collectors disagree about a family.
    pub fn render(&self) -> Result<String, MetricsError> {
        let mut text = Vec::with_capacity(16 << 10);
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contract_6_every_counter_exists_from_the_start_at_0() {
        let metrics = Metrics::new().unwrap();
        metrics.set_issuers(["auth", "sign"]);
        let text = metrics.render().unwrap();
        for issuer in ["auth", "sign", "none"] {
            for result in [
                "good",
                "revoked",
                "unknown",
                "malformed_request",
                "unauthorized",
                "try_later",
                "internal_error",
            ] {
                let line = format!("ocsp_requests_total{{issuer=\"{issuer}\",result=\"{result}\"}} 0\n");
                assert!(text.contains(&line), "{line}{text}");
            }
        }
        for line in [
            "ocsp_request_duration_seconds_count 0\n",
            "ocsp_response_cache_hits_total 0\n",
            "ocsp_response_cache_misses_total 0\n",
            "ocsp_response_cache_bytes 0\n",
            "ocsp_presigned_hits_total 0\n",
            "ocsp_disk_reads_total 0\n",
            "ocsp_disk_reads_refused_total 0\n",
            "ocsp_disk_reads_elsewhere_total 0\n",
            "ocsp_requests_shed_total{class=\"nonce\"} 0\n",
            "ocsp_requests_shed_total{class=\"signature\"} 0\n",
            "ocsp_requests_shed_total{class=\"held\"} 0\n",
            "ocsp_signatures_total{issuer=\"auth\"} 0\n",
            "ocsp_signatures_wrong_total{issuer=\"auth\"} 0\n",
            "ocsp_sign_duration_seconds_count{issuer=\"auth\"} 0\n",
            "http_connections_open 0\n",
            "crl_this_update_timestamp_seconds{issuer=\"auth\"} 0\n",
            "crl_next_update_timestamp_seconds{issuer=\"auth\"} 0\n",
            "crl_scopes{issuer=\"auth\"} 0\n",
            "crl_entries{issuer=\"auth\"} 0\n",
            "crl_ingests_total{issuer=\"auth\",outcome=\"applied\"} 0\n",
            "crl_ingests_total{issuer=\"auth\",outcome=\"refused\"} 0\n",
            "crl_ingest_duration_seconds_count{issuer=\"auth\"} 0\n",
            "crl_visible_seconds_count{issuer=\"auth\"} 0\n",
            "crl_refused{issuer=\"auth\"} 0\n",
            "crl_interventions_total{issuer=\"auth\",kind=\"dropped\"} 0\n",
            "crl_interventions_total{issuer=\"auth\",kind=\"rolled_back\"} 0\n",
            "crl_interventions_total{issuer=\"auth\",kind=\"forced\"} 0\n",
            "signer_not_after_timestamp_seconds{issuer=\"auth\"} 0\n",
            "store_bytes 0\n",
            "store_free_bytes 0\n",
            "tls_certificate_not_after_timestamp_seconds 0\n",
            "verifier_not_after_timestamp_seconds 0\n",
            "ocsp_ready 0\n",
            "trace_spans_exported_total 0\n",
            "trace_spans_dropped_total 0\n",
            concat!("ocsprey_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1\n"),
        ] {
            assert!(text.contains(line), "{line}{text}");
        }
        #[cfg(target_os = "linux")]
        assert!(text.contains("process_resident_memory_bytes"), "{text}");
    }

    #[test]
    fn certificates_count_one_by_one_and_errors_once_a_request() {
        let metrics = Metrics::new().unwrap();
        metrics.set_issuers(["auth", "sign"]);
        metrics.count(Some(1), OcspResponseStatus::Successful, 2, 1, 3);
        metrics.count(Some(1), OcspResponseStatus::TryLater, 9, 9, 9);
        metrics.count(Some(7), OcspResponseStatus::InternalError, 0, 0, 0);
        metrics.count(None, OcspResponseStatus::Unauthorized, 0, 0, 0);
        metrics.count(None, OcspResponseStatus::SigRequired, 0, 0, 0);
        let [auth, sign] = &metrics.issuers()[..] else { panic!("two issuers") };
        assert_eq!((auth.name(), auth.requests.good.get()), ("auth", 0));
        let counted = &sign.requests;
        assert_eq!((counted.good.get(), counted.revoked.get(), counted.unknown.get()), (2, 1, 3));
        assert_eq!(counted.try_later.get(), 1);
        assert_eq!(metrics.no_issuer.internal_error.get(), 1);
        assert_eq!(metrics.no_issuer.unauthorized.get(), 2);
    }

    #[test]
    fn a_reload_keeps_what_was_counted() {
        let metrics = Metrics::new().unwrap();
        metrics.set_issuers(["auth"]);
        metrics.count(Some(0), OcspResponseStatus::Successful, 1, 0, 0);
        metrics.set_issuers(["sign", "auth"]);
        metrics.count(Some(1), OcspResponseStatus::Successful, 1, 0, 0);
        assert!(
            metrics.render().unwrap().contains("ocsp_requests_total{issuer=\"auth\",result=\"good\"} 2\n")
        );
    }
}
