//! What may be done for a request, and what is told where that is too little.

use super::presigned::{SHA1, asked, presign_at, presigning};
use super::*;
use crate::snapshot::test_setting::serial;

const KEPT: Allowance = Allowance { with_nonce: Effort::Kept, without: Effort::Kept };
const HELD: Allowance = Allowance { with_nonce: Effort::Kept, without: Effort::Held };

fn shed(effort: Effort, has_nonce: bool) -> Work {
    Work { effort, has_nonce, is_shed: true }
}

#[test]
fn what_is_kept_is_given_and_a_signature_that_is_not_allowed_is_not_made() {
    let one = one();
    one.load(one.crl());
    let (responder, snapshot) = (Responder::with_cache(1 << 20), one.setting.snapshot());
    let ask = |allowance| responder.respond_within(&snapshot, &one.about(&serial(1)), now(), allowance);
    for allowance in [KEPT, HELD] {
        let answer = ask(allowance);
        assert_error(&answer, OcspResponseStatus::TryLater, Some(0));
        assert_eq!((answer.work, answer.cache), (shed(Effort::Signature, false), CacheUse::Miss));
    }
    let signed = ask(Allowance::ALL);
    assert_eq!(signed.work, Work::done(Effort::Signature, false));
    let kept = ask(KEPT);
    assert_eq!((kept.work.effort, kept.work.is_shed, kept.body), (Effort::Kept, false, signed.body));
}

#[test]
fn t37_a_nonce_has_a_limit_of_its_own() {
    let one = one();
    one.load(one.crl());
    let ids = [cert_id(&one.authority.certificate, HashAlgorithm::Sha1, &serial(1))];
    let request = request(&ids, Some((&nonce_value(&[7; 16]), false)));
    let (responder, snapshot) = (Responder::with_cache(1 << 20), one.setting.snapshot());
    let allowance = Allowance { with_nonce: Effort::Kept, without: Effort::Signature };
    let answer = responder.respond_within(&snapshot, &request, now(), allowance);
    assert_error(&answer, OcspResponseStatus::TryLater, Some(0));
    assert_eq!(answer.work, shed(Effort::Signature, true));
    let allowance = Allowance { with_nonce: Effort::Signature, without: Effort::Kept };
    let answer = responder.respond_within(&snapshot, &request, now(), allowance);
    assert_eq!((answer.outcome.good, answer.work), (1, Work::done(Effort::Signature, true)));
}

#[test]
fn what_is_signed_beforehand_is_given_longer_than_what_has_to_be_signed() {
    let one = presigning();
    assert!(presign_at(&one.setting, now()) > 0);
    let (responder, snapshot) = (Responder::new(), one.setting.snapshot());
    let ca = &one.authority.certificate;
    let held = request(&[asked(ca, SHA1, &serial(1))], None);
    let bare = request(&[cert_id(ca, HashAlgorithm::Sha384, &serial(1))], None);
    let ask = |request: &[u8], allowance| responder.respond_within(&snapshot, request, now(), allowance).work;
    assert_eq!(ask(&held, HELD), Work::done(Effort::Held, false));
    assert_eq!(ask(&held, KEPT), shed(Effort::Held, false));
    // In a form that nobody signs beforehand.
    assert_eq!(ask(&bare, HELD), shed(Effort::Signature, false));
}
