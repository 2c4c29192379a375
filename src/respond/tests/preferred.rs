//! Which of several signers answers a client that prefers algorithms (RFC 6960 4.4.7, H1, H2, trap 16).

use super::*;
use crate::signing::test_pki::Issuance;
use crate::snapshot::test_setting::{DAY, HOUR, delegates, serial};
use crate::x509::KeyAlgorithm;
use std::slice;

const P256: &[u8] = asn1::ECDSA_WITH_SHA256;
const P384: &[u8] = asn1::ECDSA_WITH_SHA384;
const RSA: &[u8] = asn1::SHA256_WITH_RSA;

/// A PreferredSignatureAlgorithm.
fn wish(signature: &[u8], key: Option<&[u8]>) -> Vec<u8> {
    let signature = element(tag::SEQUENCE, &[&element(tag::OBJECT_IDENTIFIER, &[signature])]);
    element(tag::SEQUENCE, &[&signature, key.unwrap_or_default()])
}

fn ec_key(curve: Option<&[u8]>) -> Vec<u8> {
    let curve = curve.map(|curve| element(tag::OBJECT_IDENTIFIER, &[curve])).unwrap_or_default();
    element(tag::SEQUENCE, &[&element(tag::OBJECT_IDENTIFIER, &[asn1::EC_PUBLIC_KEY]), &curve])
}

/// A CA whose answers are signed with keys of these kinds, the default first, by delegates valid as `draft` has it.
struct House {
    one: One,
    kinds: Vec<KeyKind>,
}

fn house(kinds: &[KeyKind], draft: impl Fn(usize) -> Issuance) -> House {
    let mut setting = Setting::new();
    let authority = Authority::new(KeyKind::P256, AUTH);
    let mut keys = kinds.iter().enumerate().map(|(at, kind)| delegates(&authority, *kind, draft(at)));
    let mut key = keys.next().unwrap();
    key.signatories.others = keys.map(|key| key.signatories.default).collect();
    let number = setting.add("auth", vec![key]);
    let one = One { setting, authority, number };
    one.load(one.crl().valid(now().plus(-DAY), now().plus(9 * DAY)));
    House { one, kinds: kinds.to_vec() }
}

impl House {
    fn request(&self, of: u8, wishes: &[Vec<u8>]) -> Vec<u8> {
        let id = cert_id(&self.one.authority.certificate, HashAlgorithm::Sha1, &serial(of));
        let list = element(tag::SEQUENCE, &[&element(tag::SEQUENCE, &[&id])]);
        let oid = element(tag::OBJECT_IDENTIFIER, &[asn1::OCSP_PREF_SIG_ALGS]);
        let value = element(tag::OCTET_STRING, &[&element(tag::SEQUENCE, &[&wishes.concat()])]);
        let extensions = element(tag::SEQUENCE, &[&element(tag::SEQUENCE, &[&oid, &value])]);
        let extensions = element(tag::context_constructed(2), &[&extensions]);
        element(tag::SEQUENCE, &[&element(tag::SEQUENCE, &[&list, &extensions])])
    }

    /// The kind of key that signed an answer, which is verified, and whose certificate alone is in it.
    fn signed_by(&self, answer: &Answer) -> KeyKind {
        let key = &self.one.setting.issuers[0].keys[0];
        let ParsedResponse::Basic(read) = ParsedResponse::parse(&answer.body).unwrap() else {
            panic!("{answer:?}")
        };
        let sent: Vec<_> = read.certificates().collect();
        let at = key
            .signatories
            .all()
            .position(|one| sent == [one.responder.certificate().unwrap().der()])
            .unwrap();
        verified(answer, key.signatories.all().nth(at).unwrap().responder.signer().public_key());
        self.kinds[at]
    }

    fn chosen_at(&self, wishes: &[Vec<u8>], now: UnixTime) -> KeyKind {
        let answer = Responder::new().respond(&self.one.setting.snapshot(), &self.request(1, wishes), now);
        self.signed_by(&answer)
    }

    fn chosen(&self, wishes: &[Vec<u8>]) -> KeyKind {
        self.chosen_at(wishes, now())
    }
}

#[test]
fn h1_h2_the_first_wish_that_somebody_meets_decides_else_the_default() {
    let house = house(&[KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048], |_| Issuance::default());
    let ed25519 = wish(asn1::ED25519, None);
    for (wishes, signs) in [
        (&[wish(P384, None)][..], KeyKind::P384),
        (&[wish(RSA, None), wish(P384, None)], KeyKind::Rsa2048),
        (&[ed25519.clone(), wish(P384, None), wish(P256, None)], KeyKind::P384),
        (&[wish(P256, None), wish(P384, None)], KeyKind::P256),
        (&[ed25519], KeyKind::P256),
        (&[wish(b"\x2a\x03\x04", None)], KeyKind::P256),
        (&[], KeyKind::P256),
    ] {
        assert_eq!(house.chosen(wishes), signs, "{wishes:02x?}");
    }
}

#[test]
fn h1_a_wish_may_say_what_kind_of_key_the_certificate_holds() {
    let house = house(&[KeyKind::P256, KeyKind::P384], |_| Issuance::default());
    for (wishes, signs) in [
        (&[wish(P384, Some(&ec_key(Some(asn1::SECP384R1))))][..], KeyKind::P384),
        (&[wish(P384, Some(&ec_key(None)))], KeyKind::P384),
        // SHA-384 with a key on another curve: nobody has that.
        (&[wish(P384, Some(&ec_key(Some(asn1::SECP256R1))))], KeyKind::P256),
        (&[wish(P384, Some(&element(tag::SEQUENCE, &[&[tag::NULL, 0]])))], KeyKind::P256),
    ] {
        assert_eq!(house.chosen(wishes), signs, "{wishes:02x?}");
    }
    let read: Vec<_> = preferred_algorithms(&wish(P384, Some(&ec_key(Some(asn1::SECP384R1))))).collect();
    assert_eq!(read[0].key, Some(KeyAlgorithm::P384));
}

#[test]
fn t16_no_wish_leads_to_a_weaker_hash_than_the_default() {
    let house = house(&[KeyKind::P384, KeyKind::P256, KeyKind::Ed25519], |_| Issuance::default());
    assert_eq!(house.chosen(&[wish(P256, None)]), KeyKind::P384);
    // Ed25519 hashes with SHA-512.
    assert_eq!(house.chosen(&[wish(P256, None), wish(asn1::ED25519, None)]), KeyKind::Ed25519);
}

#[test]
fn h2_h3_who_is_not_valid_now_is_passed_over_and_without_the_default_nobody_answers() {
    let until = now().plus(6 * HOUR);
    let short = move |at| Issuance {
        not_after: if at == 1 { until } else { now().plus(9 * DAY) },
        ..Issuance::default()
    };
    let house = house(&[KeyKind::P256, KeyKind::P384], short);
    assert_eq!(house.chosen_at(&[wish(P384, None)], until.plus(-1)), KeyKind::P384);
    assert_eq!(house.chosen_at(&[wish(P384, None)], until), KeyKind::P256);
    assert!(house.one.setting.snapshot().reasons_not_ready(until).is_empty());
    // No answer of it outlives it, whatever the default's end.
    let answer = Responder::new().respond(
        &house.one.setting.snapshot(),
        &house.request(1, &[wish(P384, None)]),
        now(),
    );
    assert_eq!(answer.caching.unwrap().next_update, until);
}

#[test]
fn t16_there_is_one_cached_answer_for_each_algorithm() {
    let house = house(&[KeyKind::P256, KeyKind::P384], |_| Issuance::default());
    let (responder, snapshot) = (Responder::with_cache(1 << 20), house.one.setting.snapshot());
    let ask = |wishes: &[Vec<u8>]| {
        let answer = responder.respond(&snapshot, &house.request(1, wishes), now());
        (house.signed_by(&answer), answer.cache, answer.body)
    };
    let (p384, p256) = (wish(P384, None), wish(P256, None));
    let first = ask(slice::from_ref(&p384));
    assert_eq!((first.0, first.1), (KeyKind::P384, CacheUse::Miss));
    let default = ask(slice::from_ref(&p256));
    assert_eq!((default.0, default.1), (KeyKind::P256, CacheUse::Miss));
    // Other wishes with the same outcome, and none: the same octets.
    assert_eq!(ask(&[p384.clone(), p256.clone()]), (KeyKind::P384, CacheUse::Hit, first.2));
    assert_eq!(ask(&[p256, p384]), (KeyKind::P256, CacheUse::Hit, default.2.clone()));
    let plain = responder.respond(&snapshot, &house.one.about(&serial(1)), now());
    assert_eq!((plain.cache, plain.body), (CacheUse::Hit, default.2));
}
