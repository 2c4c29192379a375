//! Two forms of CertIDs that are answered together (RFC 9919 3.2.1).

use super::presigned::{SHA1, asked, configure_forms, presign_at, presigning};
use super::*;
use crate::ocsp::{CertIdForm, CertIdForms};
use crate::snapshot::CertIds;
use crate::snapshot::test_setting::serial;
use std::sync::Arc;

const SHA256: CertIdForm = CertIdForm { hash: HashAlgorithm::Sha256, has_null: true };
const PAIR: CertIdForms = CertIdForms::pair(SHA1, SHA256);

/// As `presigning`, with nothing signed beforehand, and SHA-1 and SHA-256 answered together.
fn paired() -> One {
    let mut one = presigning();
    let key = &mut one.setting.issuers[0].keys[0];
    key.signatories.default.series = Arc::new([]);
    key.pair = Some(Arc::new(CertIds::new(&key.certificate, PAIR)));
    one
}

impl One {
    /// The CertIDs that the answer about `number` speaks to, and whether all are told the same.
    fn told(&self, answer: &Answer) -> (Vec<Vec<u8>>, bool) {
        let response = signed(answer, self.authority.certificate.public_key());
        let singles: Vec<_> = response.singles().collect();
        let said =
            |single: &ParsedSingleResponse<'_>| (single.status, single.this_update, single.next_update);
        let agree = singles.windows(2).all(|two| said(&two[0]) == said(&two[1]));
        (singles.iter().map(|single| single.cert_id.raw.to_vec()).collect(), agree)
    }
}

#[test]
fn b10_a_pair_of_forms_is_answered_under_one_signature() {
    let one = paired();
    for number in 1..=4 {
        let both = [SHA1, SHA256].map(|form| asked(&one.authority.certificate, form, &serial(number)));
        for form in [SHA1, SHA256] {
            let answer = one.ask_form(form, &serial(number), now());
            assert_eq!(one.told(&answer), (both.to_vec(), true), "{number} {}", form.name());
            let Outcome { good, revoked, unknown, .. } = answer.outcome;
            assert_eq!(good + revoked + unknown, 1, "it is one certificate");
            assert!(answer.caching.is_some());
        }
    }
}

#[test]
fn b9_what_nobody_else_would_ask_is_answered_alone() {
    let one = paired();
    let certificate = &one.authority.certificate;
    let sha1 = |number| asked(certificate, SHA1, &serial(number));
    let alone = |request: &[u8], expected: &[Vec<u8>]| {
        let answer = Responder::new().respond(&one.setting.snapshot(), request, now());
        assert_eq!(one.told(&answer).0, expected);
    };
    let bare = asked(certificate, CertIdForm { has_null: false, ..SHA1 }, &serial(1));
    let bare = [bare];
    alone(&request(&bare, None), &bare);
    alone(&request(&[sha1(1), sha1(2)], None), &[sha1(1), sha1(2)]);
    let nonce = nonce_value(&[7; 16]);
    alone(&request(&[sha1(1)], Some((&nonce, false))), &[sha1(1)]);
    // Never issued.
    alone(&request(&[sha1(9)], None), &[sha1(9)]);
}

#[test]
fn b10_a_pair_is_signed_beforehand_once_and_held_for_both_forms() {
    let mut one = paired();
    configure_forms(&mut one.setting, 0, &[PAIR]);
    assert_eq!(presign_at(&one.setting, now()), 4);
    let later = now().plus(60);
    for number in 1..=4 {
        let answers = [SHA1, SHA256].map(|form| one.ask_form(form, &serial(number), later));
        assert!(answers.iter().all(|answer| answer.work.effort == Effort::Held), "{number}");
        assert_eq!(answers[0].body, answers[1].body);
        assert!(one.told(&answers[0]).1);
        assert_eq!(one.told(&answers[0]).0.len(), 2);
    }
}

#[test]
fn a_pair_and_its_forms_are_series_of_their_own() {
    let one = paired();
    let key = &one.setting.issuers[0].keys[0];
    let names = [PAIR, CertIdForms::pair(SHA256, SHA1), CertIdForms::one(SHA1), CertIdForms::one(SHA256)]
        .map(|forms| key.signatories.default.series_name(&key.certificate, forms));
    for (index, name) in names.iter().enumerate() {
        assert!(!names[..index].contains(name), "{index}");
    }
}
