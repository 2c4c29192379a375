//! A verified answer, for people and for programs.

use super::Asked;
use super::verify::{NamedCrl, NonceSeen, Signer, Verified};
use crate::cli::words;
use crate::ocsp::CertStatus;
use crate::x509::{CrlReason, UnixTime};
use serde_json::{Value, json};

pub(super) fn text(verified: &Verified, asked: &Asked, ca: &str, now: UnixTime) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    let title = match verified.status {
        CertStatus::Good => "good",
        CertStatus::Unknown => "unknown: the responder does not know this certificate",
        CertStatus::Revoked(revocation) if verified.extended_revoke && is_unissued(&revocation) => {
            "revoked: never issued"
        }
        CertStatus::Revoked(_) => "revoked",
    };
    if let CertStatus::Revoked(revocation) = verified.status {
        lines.push(("revoked since", at(revocation.time, now)));
        lines.push(("reason", revocation.reason.map_or("not given", CrlReason::name).to_owned()));
        if let Some(invalidity) = revocation.invalidity {
            lines.push(("key suspect since", at(invalidity, now)));
        }
    }
    lines.push(("status as of", at(verified.this_update, now)));
    let next =
        verified.next_update.map_or("not said: newer information may exist now".into(), |t| at(t, now));
    lines.push(("next update", next));
    lines.push(("produced", at(verified.produced_at, now)));
    if let Some(crl) = &verified.crl {
        lines.push(("CRL", named(crl)));
    }
    match &verified.signer {
        Signer::Ca => lines.push(("signed by", format!("{ca} (the CA itself)"))),
        Signer::Delegated { subject, not_after, has_ocsp_nocheck } => {
            lines.push(("signed by", subject.clone()));
            lines.push(("on behalf of", ca.to_owned()));
            let until = at(*not_after, now);
            let nocheck = if *has_ocsp_nocheck { "" } else { "; its own revocation was not checked" };
            lines.push(("signer valid to", format!("{until}{nocheck}")));
        }
    }
    lines.push(("signature", format!("{}, verified", verified.algorithm)));
    match verified.nonce {
        Some(NonceSeen::Repeated) => lines.push(("nonce", "repeated".into())),
        Some(NonceSeen::Unasked) => lines.push(("nonce", "sent, though none was asked for".into())),
        None => {}
    }
    lines.push(("asked", format!("{} {}, CertID by {}", asked.method, asked.url, asked.hash)));
    lines.push((
        "answered",
        format!("{} octets in {}", words::thousands(asked.response_octets as u64), words::took(asked.took)),
    ));
    format!("{title}\n\n{}", words::table(&lines))
}

/// `12 of 2026-11-22T11:00:00Z, http://crl.example/a.crl`
fn named(crl: &NamedCrl) -> String {
    let number = crl.number.as_deref().unwrap_or("one");
    let time = crl.time.map(|time| format!(" of {time}")).unwrap_or_default();
    let url = crl.url.as_ref().map(|url| format!(", {url}")).unwrap_or_default();
    format!("{number}{time}{url}")
}

/// RFC 6960 2.2: what a responder says of a serial that was never issued.
fn is_unissued(revocation: &crate::x509::Revocation) -> bool {
    revocation.time == UnixTime::EPOCH && revocation.is_hold()
}

fn at(time: UnixTime, now: UnixTime) -> String {
    format!("{time}  {}", words::away(time, now))
}

pub(super) fn json(verified: &Verified, asked: &Asked) -> Value {
    let status = match verified.status {
        CertStatus::Good => "good",
        CertStatus::Revoked(_) => "revoked",
        CertStatus::Unknown => "unknown",
    };
    let mut value = json!({
        "status": status,
        "this_update": verified.this_update.to_string(),
        "next_update": verified.next_update.map(|time| time.to_string()),
        "produced_at": verified.produced_at.to_string(),
        "signature_algorithm": verified.algorithm.to_string(),
        "nonce_repeated": verified.nonce == Some(NonceSeen::Repeated),
        "url": asked.url,
        "method": asked.method,
        "hash": asked.hash.name(),
        "response_octets": asked.response_octets,
        "took_ms": asked.took.as_secs_f64() * 1000.0,
    });
    if let CertStatus::Revoked(revocation) = verified.status {
        value["revoked"] = json!({
            "time": revocation.time.to_string(),
            "reason": revocation.reason.map(CrlReason::name),
            "invalidity": revocation.invalidity.map(|time| time.to_string()),
            "never_issued": verified.extended_revoke && is_unissued(&revocation),
        });
    }
    if let Some(crl) = &verified.crl {
        value["crl"] = json!({
            "url": crl.url,
            "number": crl.number,
            "this_update": crl.time.map(|time| time.to_string()),
        });
    }
    value["signer"] = match &verified.signer {
        Signer::Ca => json!({ "kind": "ca" }),
        Signer::Delegated { subject, not_after, has_ocsp_nocheck } => json!({
            "kind": "delegated",
            "subject": subject,
            "not_after": not_after.to_string(),
            "ocsp_nocheck": has_ocsp_nocheck,
        }),
    };
    value
}
