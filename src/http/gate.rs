//! The gate: whether a request of a registered verifier is answered, decided before any status is read.
//!
//! Called by [`super::service`] with every request, where a registry is configured; an open responder has no gate.
//! `app` makes one a process and puts another [`Registry`] into it with every reload. A request is judged by the
//! registry and the snapshot of its own moment, never by those of its connection: who is suspended
//! while connected is refused with the next request.
//!
//! Cheap questions first, the quota last, so that only what is let in counts. Every refusal is counted by its cause.

use super::caller::Caller;
use super::peer::Peer;
use crate::metrics::Metrics;
use crate::ocsp::{CertIdRef, CertStatus, OcspRequest, OcspResponseStatus, ParsedResponse};
use crate::respond::{Answer, explain};
use crate::snapshot::{Published, Snapshot};
use crate::store::{LONGEST_NAME, VerifierNumber};
use crate::verifiers::{
    Account, Cause, Enumeration, Moment, Registry, SignedRequests, Verifier, check_rights,
};
use crate::x509::{Certificate, UnixTime};
use arc_swap::ArcSwap;
use hyper::header::HeaderMap;
use std::sync::Arc;
use std::time::Instant;

/// Who may ask. See the module's head.
#[derive(Debug)]
pub struct Gate {
    registry: ArcSwap<Registry>,
    published: Arc<Published>,
    /// What quotas and pauses count from.
    began: Instant,
}

/// A request that was let in.
pub(super) struct Admitted<'a> {
    caller: Caller<'a>,
    account: Arc<Account>,
    enumeration: Enumeration,
    moment: Moment,
}

/// A request that was not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refused {
    pub cause: Cause,
    /// Who it was, where that is known.
    verifier: Option<VerifierNumber>,
}

impl<'a> Admitted<'a> {
    pub fn caller(&self) -> Caller<'a> {
        self.caller
    }
}

impl Refused {
    /// Whoever it was, on whose behalf it came is not believed.
    pub fn caller(self) -> Caller<'static> {
        Caller { verifier: self.verifier, on_behalf_of: None }
    }
}

impl From<Cause> for Refused {
    fn from(cause: Cause) -> Self {
        Self { cause, verifier: None }
    }
}

impl Gate {
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the beginning of time, once a process")]
    pub fn new(registry: Registry, published: Arc<Published>) -> Self {
        Self { registry: ArcSwap::from_pointee(registry), published, began: Instant::now() }
    }

    /// From the next request on `registry` counts.
    pub fn replace(&self, registry: Registry) {
        self.registry.store(Arc::new(registry));
    }

    /// The registry in force.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        self.registry.load_full()
    }

    /// `now`, as quotas and pauses count.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "for the status page; a request brings its own")]
    pub fn moment(&self, now: UnixTime) -> Moment {
        Moment { now, uptime: self.began.elapsed() }
    }

    /// Lets a request in, or says why not.
    pub(super) fn admit<'a>(
        &self,
        peer: Option<&Peer>,
        request: &OcspRequest<'_>,
        headers: &'a HeaderMap,
        (now, at): (UnixTime, Instant),
    ) -> Result<Admitted<'a>, Refused> {
        let registry = self.registry.load();
        let snapshot = self.published.load();
        let moment = Moment { now, uptime: at.saturating_duration_since(self.began) };
        let peer = peer.ok_or(Cause::Unregistered)?;
        let verifier = identify(&registry, &snapshot, peer, request, moment)?;
        let judged = judge(&registry, verifier, &snapshot, peer, request, headers, moment);
        let on_behalf_of = judged.map_err(|cause| {
            verifier.account.refuse(cause);
            Refused { cause, verifier: Some(verifier.entry.number) }
        })?;
        Ok(Admitted {
            caller: Caller { verifier: Some(verifier.entry.number), on_behalf_of },
            account: Arc::clone(&verifier.account),
            enumeration: registry.policy().enumeration,
            moment,
        })
    }

    /// Looks after the answer for what it says of serial numbers that were never issued.
    pub(super) fn look_at(&self, admitted: &Admitted<'_>, request: &[u8], answer: &Answer) {
        let outcome = &answer.outcome;
        match outcome.status {
            OcspResponseStatus::Successful if outcome.unknown > 0 || outcome.revoked > 0 => {
                let Ok(ParsedResponse::Basic(basic)) = ParsedResponse::parse(&answer.body) else { return };
                let unissued = basic.singles().filter(|single| {
                    single.status == CertStatus::Unknown
                        || basic.extended_revoke && single.status == CertStatus::NEVER_ISSUED
                });
                self.step(admitted, unissued.map(|single| single.cert_id));
            }
            // `unlisted = "unauthorized"`: an issuer of ours, and no word about its serial number.
            OcspResponseStatus::Unauthorized if outcome.issuer.is_some() => {
                if let Ok(request) = OcspRequest::parse(request) {
                    self.step(admitted, request.cert_ids());
                }
            }
            _ => {}
        }
    }

    fn step<'a>(&self, admitted: &Admitted<'_>, cert_ids: impl Iterator<Item = CertIdRef<'a>>) {
        let snapshot = self.published.load();
        for cert_id in cert_ids {
            if let Some((_, key)) = snapshot.key_of(&cert_id) {
                let Admitted { account, enumeration, moment, .. } = admitted;
                account.unissued(enumeration, key.number, &cert_id.serial_number, *moment);
            }
        }
    }
}

/// Who asks. What says so twice must say the same; a network says it only where nothing else does.
fn identify<'r>(
    registry: &'r Registry,
    snapshot: &Snapshot,
    peer: &Peer,
    request: &OcspRequest<'_>,
    moment: Moment,
) -> Result<&'r Verifier, Cause> {
    let by_certificate = match &peer.certificate {
        None => None,
        Some(shown) => {
            let keys = [Some(shown.fingerprint), shown.names];
            let known = registry.by_certificate(keys.into_iter().flatten()).ok_or(Cause::Unregistered)?;
            // TLS looked when the connection began, which may be long ago, or in an earlier session.
            if let Some(certificate) = &shown.certificate {
                if moment.now > certificate.not_after() {
                    return Err(Cause::CertificateExpired);
                }
                if !shown.standing.is_fine(certificate, snapshot, moment, &status_of) {
                    return Err(Cause::CertificateRevoked);
                }
            }
            Some(known)
        }
    };
    let by_signature = match (registry.policy().signed_requests, request.signature()) {
        (SignedRequests::Ignored, _) | (SignedRequests::Verified, None) => None,
        (SignedRequests::Required, None) => return Err(Cause::SignatureMissing),
        (SignedRequests::Verified | SignedRequests::Required, Some(signature)) => {
            let signature = signature.map_err(|_| Cause::SignatureWrong)?;
            Some(registry.signed_by(&signature, snapshot, moment, &status_of)?.verifier)
        }
    };
    let known = match (by_certificate, by_signature) {
        (Some(one), Some(other)) if one != other => return Err(Cause::CredentialsDisagree),
        (Some(known), _) | (None, Some(known)) => Some(known),
        (None, None) => registry.by_network(peer.address),
    };
    known.and_then(|known| registry.get(known)).ok_or(Cause::Unregistered)
}

/// Whether it may ask this, now; and on whose behalf it does.
fn judge<'a>(
    registry: &Registry,
    verifier: &Verifier,
    snapshot: &Snapshot,
    peer: &Peer,
    request: &OcspRequest<'_>,
    headers: &'a HeaderMap,
    moment: Moment,
) -> Result<Option<&'a str>, Cause> {
    verifier.admit(peer.address, moment.now)?;
    let on_behalf_of = match &registry.policy().on_behalf_of {
        None => None,
        Some(field) => named(verifier, field, headers)?,
    };
    check_rights(verifier, snapshot, request.cert_ids())?;
    // `parse` takes a hundred at the most.
    verifier.take(moment, u32::try_from(request.len()).unwrap_or(u32::MAX))?;
    Ok(on_behalf_of)
}

/// The one name in the header field, where there is one.
fn named<'a>(verifier: &Verifier, field: &str, headers: &'a HeaderMap) -> Result<Option<&'a str>, Cause> {
    let mut values = headers.get_all(field).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let name =
        value.to_str().ok().map(str::trim).filter(|name| !name.is_empty() && name.len() <= LONGEST_NAME);
    match (name, values.next()) {
        (Some(name), None) if verifier.entry.terms.may_name_others => Ok(Some(name)),
        _ => Err(Cause::OnBehalfOf),
    }
}

/// What would be answered about a verifier's own certificate.
fn status_of(
    snapshot: &Snapshot,
    key: usize,
    certificate: &Certificate,
    now: UnixTime,
) -> Option<CertStatus> {
    let key = snapshot.keys().get(key)?;
    let explained = explain(key, snapshot.view(), &certificate.serial_number(), now).ok()?;
    explained.answer.ok().map(|(status, _)| status)
}

/// Counts a refusal by its cause.
pub(super) fn count(metrics: &Metrics, cause: Cause) {
    let refusals = &metrics.refusals;
    let counter = match cause {
        Cause::Unregistered => &refusals.unregistered,
        Cause::CredentialsDisagree => &refusals.credentials_disagree,
        Cause::Suspended => &refusals.suspended,
        Cause::NotValid => &refusals.not_valid,
        Cause::Network => &refusals.network,
        Cause::CertificateExpired => &refusals.certificate_expired,
        Cause::CertificateRevoked => &refusals.certificate_revoked,
        Cause::NoRight => &refusals.no_right,
        Cause::OnBehalfOf => &refusals.on_behalf_of,
        Cause::SignatureMissing => &refusals.signature_missing,
        Cause::SignatureWrong => &refusals.signature_wrong,
        Cause::QuotaPerSecond => &refusals.quota_per_second,
        Cause::QuotaPerDay => &refusals.quota_per_day,
        Cause::Enumeration => &refusals.enumeration,
    };
    counter.inc();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_is_counted_under_its_own_name() {
        for cause in Cause::ALL {
            let metrics = Metrics::new().unwrap();
            count(&metrics, cause);
            let counted: Vec<_> =
                metrics.refusals.by_cause().into_iter().filter(|(_, count)| *count > 0).collect();
            assert_eq!(counted, [(cause.name(), 1)]);
        }
    }
}
