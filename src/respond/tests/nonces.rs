//! The nonce in an answer (ledger C).

use super::*;
use crate::snapshot::test_setting::serial;

fn ask(policy: NoncePolicy, nonce: Option<(&[u8], bool)>) -> (One, Answer) {
    let mut one = one();
    one.setting.options.nonce = policy;
    one.load(one.crl());
    let id = cert_id(&one.authority.certificate, HashAlgorithm::Sha1, &serial(1));
    let answer = Responder::new().respond(&one.setting.snapshot(), &request(&[id], nonce), now());
    (one, answer)
}

#[test]
fn c1_c3_c4_a_nonce_is_repeated_octet_by_octet_and_its_answer_not_kept() {
    for length in [1, 16, 32, 128] {
        let value = nonce_value(&vec![0x9d; length]);
        for critical in [false, true] {
            let (one, answer) = ask(NoncePolicy::Echo, Some((&value, critical)));
            let response = verified(&answer, one.authority.certificate.public_key());
            assert_eq!(response.nonce, Some(&value[..]));
            // C12: nobody else may be given it.
            assert_eq!(answer.caching, None);
        }
    }
}

#[test]
fn c10_ignored_it_is_left_out_and_the_answer_may_be_kept() {
    let value = nonce_value(&[0x9d; 32]);
    let (one, answer) = ask(NoncePolicy::Ignore, Some((&value, false)));
    assert_eq!(verified(&answer, one.authority.certificate.public_key()).nonce, None);
    assert!(answer.caching.is_some());
}

#[test]
fn c8_a_critical_nonce_that_would_be_ignored_is_no_success() {
    let value = nonce_value(&[0x9d; 32]);
    let (_, answer) = ask(NoncePolicy::Ignore, Some((&value, true)));
    assert_error(&answer, OcspResponseStatus::MalformedRequest, Some(0));
}

#[test]
fn c5_c6_c7_a_bad_nonce_is_malformed_under_either_policy() {
    for policy in [NoncePolicy::Echo, NoncePolicy::Ignore] {
        for value in [nonce_value(&[]), nonce_value(&[1; 129]), vec![0x9d; 32]] {
            let (_, answer) = ask(policy, Some((&value, false)));
            assert_error(&answer, OcspResponseStatus::MalformedRequest, None);
        }
    }
}

#[test]
fn c13_without_a_nonce_none_comes_back() {
    let (one, answer) = ask(NoncePolicy::Echo, None);
    assert_eq!(verified(&answer, one.authority.certificate.public_key()).nonce, None);
    assert!(answer.caching.is_some());
}
