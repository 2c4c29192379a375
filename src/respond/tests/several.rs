//! Several certificates in one request, of one issuer and of several (A6 to A8, traps 11, 13, 17).

use super::*;
use crate::signing::test_pki::key;
use crate::snapshot::test_setting::{DAY, HOUR, revoked, serial};
use OcspResponseStatus::{TryLater, Unauthorized};

#[test]
fn a7_t13_each_is_answered_in_order_and_duplicates_twice() {
    let one = one();
    one.load(one.crl().revoking(serial(3), revoked(None)));
    let ca = &one.authority.certificate;
    // The same card under other hashes, and the same question twice.
    let asked: Vec<_> = [(3, 0), (1, 1), (3, 1), (2, 2), (1, 1), (3, 3)]
        .map(|(number, hash)| cert_id(ca, HashAlgorithm::ALL[hash], &serial(number)))
        .into();
    let answer = Responder::new().respond(&one.setting.snapshot(), &request(&asked, None), now());
    let response = verified(&answer, ca.public_key());
    let read: Vec<_> = response.singles().map(|single| single.cert_id.raw.to_vec()).collect();
    assert_eq!(read, asked);
    let is_revoked: Vec<_> = response.singles().map(|single| single.status != CertStatus::Good).collect();
    assert_eq!(is_revoked, [true, false, true, false, false, true]);
    assert_eq!((answer.outcome.good, answer.outcome.revoked), (3, 3));
}

#[test]
fn t13_as_many_as_a_request_may_hold_and_one_more() {
    let one = one();
    one.load(one.crl());
    let snapshot = one.setting.snapshot();
    let id = |number: usize| {
        let serial = SerialNumber::from_unsigned(&[1, number as u8]).unwrap();
        cert_id(&one.authority.certificate, HashAlgorithm::Sha1, &serial)
    };
    let most: Vec<_> = (0..crate::ocsp::MAX_CERT_IDS).map(id).collect();
    let answer = Responder::new().respond(&snapshot, &request(&most, None), now());
    let response = verified(&answer, one.authority.certificate.public_key());
    assert!(response.singles().map(|single| single.cert_id.raw.to_vec()).eq(most));
    let more: Vec<_> = (0..=crate::ocsp::MAX_CERT_IDS).map(id).collect();
    let answer = Responder::new().respond(&snapshot, &request(&more, None), now());
    assert_error(&answer, OcspResponseStatus::MalformedRequest, None);
}

#[test]
fn e5_t17_nobody_of_ours_is_unauthorized_before_anything_is_read() {
    // Without any CRL: a store that was asked would have said tryLater.
    let one = one();
    let stranger = Authority::new(KeyKind::P256, SIGN);
    let same_key = Authority::with_key(one.authority.key.clone(), SIGN);
    let same_name = Authority::new(KeyKind::P256, AUTH);
    let snapshot = one.setting.snapshot();
    for other in [stranger, same_key, same_name] {
        for hash in HashAlgorithm::ALL {
            let asked = request(&[cert_id(&other.certificate, hash, &serial(1))], None);
            assert_error(&Responder::new().respond(&snapshot, &asked, now()), Unauthorized, None);
        }
    }
}

/// Two issuers with a key each, and another that is not here.
fn two() -> (Setting, [Authority; 3]) {
    let mut setting = Setting::new();
    let authorities = [
        Authority::new(KeyKind::P256, AUTH),
        Authority::new(KeyKind::P256, SIGN),
        Authority::new(KeyKind::P256, "CN=Elsewhere,O=Test,C=XX"),
    ];
    for (name, authority) in ["auth", "sign"].into_iter().zip(&authorities) {
        let number = setting.add(name, vec![signs_itself(authority)]);
        setting.load(Crl::of(number, &authority.certificate).revoking(serial(3), revoked(None)));
    }
    (setting, authorities)
}

#[test]
fn a8_t11_the_first_of_ours_signs_and_speaks_for_no_other() {
    let (setting, [auth, sign, elsewhere]) = two();
    let snapshot = setting.snapshot();
    let id = |authority: &Authority, number| {
        cert_id(&authority.certificate, HashAlgorithm::Sha256, &serial(number))
    };
    let status = |asked: &[Vec<u8>], signer: &Authority, index| {
        let answer = Responder::new().respond(&snapshot, &request(asked, None), now());
        assert_eq!(answer.outcome.issuer, Some(IssuerIndex(index)));
        assert_eq!(answer.caching, None, "somebody else may know more");
        let response = verified(&answer, signer.certificate.public_key());
        assert!(response.singles().map(|single| single.cert_id.raw.to_vec()).eq(asked.iter().cloned()));
        response.singles().map(|single| single.status).collect::<Vec<_>>()
    };
    let (good, gone, unknown) = (CertStatus::Good, CertStatus::Revoked(revoked(None)), CertStatus::Unknown);
    assert_eq!(status(&[id(&auth, 3), id(&sign, 3), id(&auth, 1)], &auth, 0), [gone, unknown, good]);
    assert_eq!(status(&[id(&sign, 1), id(&auth, 3)], &sign, 1), [good, unknown]);
    assert_eq!(status(&[id(&elsewhere, 3), id(&sign, 3)], &sign, 1), [unknown, gone]);
}

#[test]
fn a8_t11_each_is_judged_alone() {
    let (setting, [auth, sign, _]) = two();
    // A revocation on a fresh CRL, while another CRL of the same issuer is late.
    let number = setting.issuers[0].number;
    setting.load(Crl::of(number, &auth.certificate).at("late").valid(now().plus(-DAY), now()));
    let id =
        |authority: &Authority, number| cert_id(&authority.certificate, HashAlgorithm::Sha1, &serial(number));
    let snapshot = setting.snapshot();
    let asked = request(&[id(&auth, 3), id(&sign, 1)], None);
    let answer = Responder::new().respond(&snapshot, &asked, now());
    let response = verified(&answer, auth.certificate.public_key());
    let singles: Vec<_> = response.singles().collect();
    assert_eq!(singles[0].status, CertStatus::Revoked(revoked(None)));
    assert_eq!(singles[1].status, CertStatus::Unknown);
    // That it is none of ours is known since now.
    assert_eq!((singles[1].this_update, singles[1].next_update), (now(), Some(now().plus(DAY))));
    let undecidable = request(&[id(&auth, 1), id(&sign, 1)], None);
    assert_error(&Responder::new().respond(&snapshot, &undecidable, now()), TryLater, Some(0));
}

#[test]
fn t11_two_generations_in_one_request_are_two_issuers() {
    let mut setting = Setting::new();
    let (new, old) = (Authority::new(KeyKind::P256, AUTH), Authority::new(KeyKind::P256, AUTH));
    let number = setting.add("auth", vec![signs_itself(&new), signs_itself(&old)]);
    setting.load(Crl::of(number, &new.certificate).revoking(serial(3), revoked(None)));
    let asked = request(
        &[&old, &new].map(|authority| cert_id(&authority.certificate, HashAlgorithm::Sha1, &serial(3))),
        None,
    );
    let answer = Responder::new().respond(&setting.snapshot(), &asked, now());
    let response = verified(&answer, old.certificate.public_key());
    let statuses: Vec<_> = response.singles().map(|single| single.status).collect();
    assert_eq!(statuses, [CertStatus::Revoked(revoked(None)), CertStatus::Unknown]);
}

#[test]
fn one_that_cannot_be_answered_makes_the_whole_try_later() {
    let one = one();
    one.load(
        one.crl().at("fine").valid(now().plus(-HOUR), now().plus(DAY)).revoking(serial(3), revoked(None)),
    );
    one.load(one.crl().at("late").valid(now().plus(-DAY), now()));
    let ca = &one.authority.certificate;
    let asked = request(&[3, 1].map(|number| cert_id(ca, HashAlgorithm::Sha1, &serial(number))), None);
    assert_error(&Responder::new().respond(&one.setting.snapshot(), &asked, now()), TryLater, Some(0));
}

#[test]
fn t18_caches_are_told_the_shortest_life_of_all() {
    let one = one();
    one.load(one.crl().at("a").valid(now().plus(-9 * HOUR), now().plus(5 * HOUR)));
    one.load(
        one.crl().at("b").valid(now().plus(-HOUR), now().plus(7 * HOUR)).revoking(serial(3), revoked(None)),
    );
    one.setting.issued(one.number, &[(serial(1), Some("a"))]);
    let ca = &one.authority.certificate;
    let asked = request(&[1, 3].map(|number| cert_id(ca, HashAlgorithm::Sha1, &serial(number))), None);
    let answer = Responder::new().respond(&one.setting.snapshot(), &asked, now());
    verified(&answer, ca.public_key());
    let expected =
        Caching { this_update: now().plus(-9 * HOUR), next_update: now().plus(5 * HOUR), produced_at: now() };
    assert_eq!(answer.caching, Some(expected));
}

#[test]
fn t11_one_key_under_two_names_keeps_their_cards_apart() {
    let mut setting = Setting::new();
    let shared = key(KeyKind::P256);
    let authorities = [AUTH, SIGN].map(|name| Authority::with_key(shared.clone(), name));
    for (name, authority) in ["auth", "sign"].into_iter().zip(&authorities) {
        let number = setting.add(name, vec![signs_itself(authority)]);
        let of = if name == "auth" { 3 } else { 4 };
        setting.load(Crl::of(number, &authority.certificate).revoking(serial(of), revoked(None)));
    }
    let snapshot = setting.snapshot();
    for (index, authority) in authorities.iter().enumerate() {
        for number in [3u8, 4] {
            let asked =
                request(&[cert_id(&authority.certificate, HashAlgorithm::Sha1, &serial(number))], None);
            let answer = Responder::new().respond(&snapshot, &asked, now());
            assert_eq!(answer.outcome.issuer, Some(IssuerIndex(index)));
            assert_eq!(answer.outcome.revoked, u32::from(usize::from(number) == 3 + index));
        }
    }
}
