//! How long the signers still last. Their end is known for years and still takes people by surprise.
//!
//! [`endings`] is asked by `check`; the intake asks [`SignerLife`] after every look at its sources, which says it
//! once a day. Metrics and the status page have the times themselves; at its end a signer makes the
//! server not ready ([`Snapshot::reasons_not_ready`]).

use crate::signing::ResponderIdentity;
use crate::snapshot::{IssuerKey, Snapshot};
use crate::x509::{Certificate, UnixTime};

const DAY: i64 = 86_400;
/// So long before its end a signer is to be renewed.
const NOTICE: i64 = 14 * DAY;

/// What is to be said of a signer that ends soon, or has ended.
fn ending(responder: &ResponderIdentity, then: FromThenOn, now: UnixTime) -> Option<String> {
    let not_after = responder.not_after();
    let left = not_after.since(now);
    if left >= NOTICE {
        return None;
    }
    let subject =
        responder.certificate().map_or_else(|| "the CA itself".to_owned(), Certificate::subject_text);
    let left = match left {
        ..=0 => "ran out".to_owned(),
        1..DAY => "runs out within a day,".to_owned(),
        DAY..172_800 => "runs out in a day,".to_owned(),
        _ => format!("runs out in {} days,", left / DAY),
    };
    let then = match then {
        FromThenOn::NobodyAnswers => "every answer is tryLater".to_owned(),
        FromThenOn::DefaultAnswers => {
            format!("clients that prefer {} get the default signer's answers", responder.signer().algorithm())
        }
    };
    Some(format!(
        "the certificate of {subject} {left} at {not_after}: from then on {then} (have the CA issue a new one, then \
         reload)"
    ))
}

/// What is to be said of all who sign for a key.
pub(super) fn endings(key: &IssuerKey, now: UnixTime) -> impl Iterator<Item = String> {
    let of_default = ending(&key.signatories.default.responder, FromThenOn::NobodyAnswers, now);
    let others = key.signatories.others.iter();
    of_default
        .into_iter()
        .chain(others.filter_map(move |one| ending(&one.responder, FromThenOn::DefaultAnswers, now)))
}

/// What becomes of requests when a signer has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FromThenOn {
    NobodyAnswers,
    /// It is one of the further signers.
    DefaultAnswers,
}

/// Whom the log was told about, and when.
#[derive(Debug, Default)]
pub(super) struct SignerLife {
    told: Option<UnixTime>,
}

impl SignerLife {
    /// What is to be logged now: issuers and what is the matter with their signers.
    pub fn due(&mut self, snapshot: &Snapshot, now: UnixTime) -> Vec<(String, String)> {
        // A clock that was set back does not silence it.
        if self.told.is_some_and(|told| (0..DAY).contains(&now.since(told))) {
            return Vec::new();
        }
        let issuers = snapshot.issuers().iter();
        let keys = issuers.flat_map(|issuer| issuer.keys.iter().map(move |key| (&issuer.name, key)));
        let found: Vec<_> =
            keys.flat_map(|(name, key)| endings(key, now).map(|why| (name.clone(), why))).collect();
        if !found.is_empty() {
            self.told = Some(now);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::KeyKind;
    use crate::signing::test_pki::{Authority, Issuance, now};
    use crate::snapshot::test_setting::{Setting, delegates, signs_itself};

    #[test]
    fn h3_a_signer_that_ends_within_14_days_is_told_once_a_day() {
        let mut setting = Setting::new();
        let authority = Authority::new(KeyKind::P256, "CN=Auth,C=XX");
        let end = now().plus(30 * DAY);
        let draft = Issuance { not_after: end, ..Issuance::default() };
        setting.add("auth", vec![delegates(&authority, KeyKind::P256, draft)]);
        let other = Authority::new(KeyKind::P256, "CN=Sign,C=XX");
        setting.add("sign", vec![signs_itself(&other)]);
        let snapshot = setting.snapshot();
        let mut life = SignerLife::default();
        let mut said = |at: UnixTime| life.due(&snapshot, at);
        assert!(said(end.plus(-NOTICE)).is_empty());
        let first = end.plus(1 - NOTICE);
        let [(issuer, why)] = &said(first)[..] else { panic!("one signer") };
        assert_eq!(issuer, "auth");
        assert_eq!(
            why,
            "the certificate of CN=OCSP Responder,O=Test,C=XX runs out in 13 days, at 2026-12-22T12:00:00Z: from then \
             on every answer is tryLater (have the CA issue a new one, then reload)"
        );
        assert!(said(first.plus(DAY - 1)).is_empty());
        assert!(said(first.plus(DAY))[0].1.contains("runs out in 12 days, at 2026"));
        assert!(said(end.plus(-1))[0].1.contains("runs out within a day, at 2026"));
        assert!(said(end.plus(2 * DAY))[0].1.contains("ran out at 2026"));
        // The clock is set right.
        assert_eq!(said(first).len(), 1);
    }
}
