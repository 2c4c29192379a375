//! Coverage (design: decision 6), keys by CertID, and who frees what.

mod signers;

use super::test_setting::{Crl, DAY, HOUR, Setting, revoked, serial, signs_itself};
use super::*;
use crate::asn1::{Reader, tag, write_tlv};
use crate::signing::test_pki::{Authority, key, now};
use crate::signing::{KeyKind, digest};
use crate::store::DistributionPointNumber;
use crate::x509::HashAlgorithm;
use crate::x509::crl::CertificateKinds;

const CA: &str = "CN=Authentication CA,O=Test,C=XX";

/// One issuer with one key.
struct One {
    setting: Setting,
    authority: Authority,
    number: IssuerNumber,
}

fn one() -> One {
    let mut setting = Setting::new();
    let authority = Authority::new(KeyKind::P256, CA);
    let number = setting.add("auth", vec![signs_itself(&authority)]);
    One { setting, authority, number }
}

impl One {
    fn crl(&self) -> Crl {
        Crl::of(self.number, &self.authority.certificate)
    }

    fn load(&self, crl: Crl) -> &Self {
        self.setting.load(crl);
        self
    }

    fn scopes(&self) -> ScopeSet {
        self.setting.snapshot().keys()[0].scopes.clone()
    }

    fn whole(&self) -> Result<Window, Coverage> {
        self.scopes().whole(now())
    }

    fn point(&self, name: &str) -> DistributionPointNumber {
        self.setting.store.distribution_point_number(name.as_bytes()).unwrap()
    }
}

fn window(from: i64, until: i64) -> Window {
    Window { this_update: now().plus(from), next_update: now().plus(until) }
}

#[test]
fn f30_without_any_crl_nothing_is_covered() {
    assert_eq!(one().whole(), Err(Coverage::Empty));
}

#[test]
fn t28_a_full_crl_covers_everything_until_the_second_of_its_next_update() {
    let one = one();
    one.load(one.crl());
    assert_eq!(one.whole(), Ok(window(-HOUR, 2 * DAY)));
    let scopes = one.scopes();
    let end = now().plus(2 * DAY);
    assert!(scopes.whole(end.plus(-1)).is_ok());
    assert_eq!(scopes.whole(end), Err(Coverage::Expired { since: end }));
}

#[test]
fn d1_times_are_the_oldest_this_update_and_the_nearest_next_update() {
    let one = one();
    one.load(one.crl().at("a").valid(now().plus(-5 * HOUR), now().plus(9 * HOUR)));
    one.load(one.crl().at("b").valid(now().plus(-7 * HOUR), now().plus(11 * HOUR)));
    assert_eq!(one.whole(), Ok(window(-7 * HOUR, 9 * HOUR)));
}

#[test]
fn f30_t29_a_missing_or_expired_partition_silences_those_that_may_belong_to_it() {
    let mut one = one();
    one.setting.issuers[0].scopes = ScopesPolicy::Count(3);
    one.load(one.crl().at("a")).load(one.crl().at("b"));
    assert_eq!(one.whole(), Err(Coverage::Missing { have: 2, want: 3 }));
    one.load(one.crl().at("c").valid(now().plus(-DAY), now()));
    assert_eq!(one.whole(), Err(Coverage::Expired { since: now() }));
    one.load(one.crl().at("c"));
    assert_eq!(one.whole(), Ok(window(-HOUR, 2 * DAY)));
}

#[test]
fn f30_listed_points_must_be_there_by_name() {
    let mut one = one();
    let listed = |names: &[&str]| {
        ScopesPolicy::Listed(
            names.iter().map(|name| (name.as_bytes().to_vec(), (*name).to_owned())).collect(),
        )
    };
    one.load(one.crl().at("a")).load(one.crl().at("c"));
    one.setting.issuers[0].scopes = listed(&["a", "b"]);
    assert_eq!(one.whole(), Err(Coverage::Missing { have: 1, want: 2 }));
    one.setting.issuers[0].scopes = listed(&["a", "c"]);
    assert!(one.whole().is_ok());
}

#[test]
fn t28_users_and_cas_together_make_a_whole() {
    let one = one();
    one.load(one.crl().only(CertificateKinds::User));
    assert_eq!(one.whole(), Err(Coverage::Partial));
    one.load(one.crl().only(CertificateKinds::Ca).valid(now().plus(-2 * HOUR), now().plus(DAY)));
    assert_eq!(one.whole(), Ok(window(-2 * HOUR, DAY)));
}

#[test]
fn t28_cas_alone_and_attribute_certificates_are_not_enough() {
    let one = one();
    one.load(one.crl().only(CertificateKinds::Ca)).load(one.crl().only(CertificateKinds::Attribute));
    assert_eq!(one.whole(), Err(Coverage::Partial));
}

#[test]
fn f31_only_some_reasons_add_up() {
    let one = one();
    one.load(one.crl().at("a").reasons(&[1, 2, 3, 4]));
    assert_eq!(one.whole(), Err(Coverage::Partial));
    one.load(one.crl().at("a").reasons(&[5, 6, 7]));
    assert_eq!(one.whole(), Err(Coverage::Partial), "aACompromise is missing");
    assert_eq!(one.scopes().at_point(one.point("a"), now()), None);
    one.load(one.crl().at("a").reasons(&[8]).valid(now().plus(-HOUR), now().plus(HOUR)));
    assert_eq!(one.whole(), Ok(window(-HOUR, HOUR)));
    assert_eq!(one.scopes().at_point(one.point("a"), now()), Some(window(-HOUR, HOUR)));
}

#[test]
fn f31_reasons_of_one_point_do_not_help_another() {
    let one = one();
    one.load(one.crl().at("a").reasons(&[1, 2, 3, 4])).load(one.crl().at("b").reasons(&[5, 6, 7, 8]));
    assert_eq!(one.whole(), Err(Coverage::Partial));
    // Nor do users' of one point and CAs' of another make a point whole for reasons it lacks.
    assert_eq!(one.scopes().at_point(one.point("a"), now()), None);
}

#[test]
fn decision_6_a_late_point_does_not_silence_the_others() {
    let one = one();
    one.load(one.crl().at("late").valid(now().plus(-DAY), now().plus(-1)));
    one.load(one.crl().at("fine"));
    let scopes = one.scopes();
    assert_eq!(scopes.whole(now()), Err(Coverage::Expired { since: now().plus(-1) }));
    assert_eq!(scopes.at_point(one.point("late"), now()), None);
    assert_eq!(scopes.at_point(one.point("fine"), now()), Some(window(-HOUR, 2 * DAY)));
    assert_eq!(scopes.at_point(one.point("never came"), now()), None);
}

#[test]
fn a_points_crl_for_users_is_enough_for_what_an_inventory_lists() {
    let one = one();
    one.load(one.crl().at("a").only(CertificateKinds::User))
        .load(one.crl().at("b").only(CertificateKinds::Ca));
    let scopes = one.scopes();
    assert_eq!(scopes.at_point(one.point("a"), now()), Some(window(-HOUR, 2 * DAY)));
    assert_eq!(scopes.at_point(one.point("b"), now()), None);
}

#[test]
fn t28_a_crl_without_a_point_speaks_of_certificates_that_name_one() {
    let one = one();
    one.load(one.crl());
    let everywhere = Some(window(-HOUR, 2 * DAY));
    assert_eq!(one.scopes().at_point(one.point("a"), now()), everywhere);
    assert_eq!(one.scopes().at_point(one.point("a"), now().plus(2 * DAY)), None);
    // Where the point has a CRL of its own, that one decides, also when it is late.
    one.load(one.crl().at("a").valid(now().plus(-DAY), now().plus(-1)));
    assert_eq!(one.scopes().at_point(one.point("a"), now()), None);
    assert_eq!(one.scopes().at_point(one.point("b"), now()), everywhere);
}

#[test]
fn t28_a_crl_of_cas_without_a_point_speaks_of_no_card() {
    let one = one();
    one.load(one.crl().only(CertificateKinds::Ca));
    assert_eq!(one.scopes().at_point(one.point("a"), now()), None);
}

/// One name, two keys, newest first.
fn generations() -> (Setting, Authority, Authority, IssuerNumber) {
    let mut setting = Setting::new();
    let new = Authority::new(KeyKind::P256, CA);
    let old = Authority::new(KeyKind::P256, CA);
    let number = setting.add("auth", vec![signs_itself(&new), signs_itself(&old)]);
    (setting, new, old, number)
}

#[test]
fn f44_a_key_without_crls_of_its_own_rests_on_those_of_the_other_generation() {
    let (setting, new, old, number) = generations();
    setting.load(Crl::of(number, &new.certificate));
    let snapshot = setting.snapshot();
    for key in snapshot.keys() {
        assert_eq!(key.scopes.whole(now()), Ok(window(-HOUR, 2 * DAY)));
    }
    // Once it has its own, those are what it rests on, and the other key's do not lengthen them.
    setting.load(Crl::of(number, &old.certificate).valid(now().plus(-DAY), now().plus(HOUR)));
    let snapshot = setting.snapshot();
    assert_eq!(snapshot.keys()[0].scopes.whole(now()), Ok(window(-HOUR, 2 * DAY)));
    assert_eq!(snapshot.keys()[1].scopes.whole(now()), Ok(window(-DAY, HOUR)));
}

#[test]
fn f44_a_revocation_counts_for_both_keys_whichever_signed_it() {
    let (setting, new, old, number) = generations();
    setting.load(Crl::of(number, &new.certificate));
    setting.load(Crl::of(number, &old.certificate));
    let snapshot = setting.snapshot();
    for record in snapshot.view().scopes() {
        for key in snapshot.keys() {
            let own = window(-HOUR, 2 * DAY);
            let layer = RoleLayer::Complete { delta: None };
            assert_eq!(key.scopes.role(record.number), Some(&Role { own, together: own, layer }));
            assert!(own.is_fresh(now().plus(2 * DAY - 1)) && !own.is_fresh(now().plus(2 * DAY)));
        }
    }
}

#[test]
fn t11_another_issuers_crls_cover_nothing() {
    let mut setting = Setting::new();
    let auth = Authority::new(KeyKind::P256, CA);
    let sign = Authority::with_key(auth.key.clone(), "CN=Signature CA,O=Test,C=XX");
    setting.add("auth", vec![signs_itself(&auth)]);
    let number = setting.add("sign", vec![signs_itself(&sign)]);
    // The same key under another name.
    setting.load(Crl::of(number, &sign.certificate));
    let snapshot = setting.snapshot();
    assert_eq!(snapshot.keys()[0].scopes.whole(now()), Err(Coverage::Empty));
    assert!(snapshot.keys()[1].scopes.whole(now()).is_ok());
    let record = &snapshot.view().scopes()[0];
    assert_eq!(snapshot.keys()[0].scopes.role(record.number), None);
}

fn cert_id(hash: HashAlgorithm, name: &[u8], key: &[u8]) -> Vec<u8> {
    let mut algorithm = Vec::new();
    write_tlv(&mut algorithm, tag::OBJECT_IDENTIFIER, hash.oid());
    let mut content = Vec::new();
    write_tlv(&mut content, tag::SEQUENCE, &algorithm);
    write_tlv(&mut content, tag::OCTET_STRING, name);
    write_tlv(&mut content, tag::OCTET_STRING, key);
    write_tlv(&mut content, tag::INTEGER, &[5]);
    let mut out = Vec::new();
    write_tlv(&mut out, tag::SEQUENCE, &content);
    out
}

fn found(snapshot: &Snapshot, cert_id: &[u8]) -> Option<usize> {
    let cert_id = CertIdRef::read(&mut Reader::new(cert_id)).unwrap();
    snapshot.key_of(&cert_id).map(|(index, _)| index)
}

#[test]
fn a1_a2_a3_a5_t10_t11_a_key_is_found_by_name_and_key_under_every_hash_and_not_by_half() {
    let mut setting = Setting::new();
    let shared = key(KeyKind::P256);
    let authorities = [
        Authority::new(KeyKind::P256, CA), // two keys of one name,
        Authority::with_key(shared.clone(), CA),
        Authority::with_key(shared, "CN=Signature CA,O=Test,C=XX"), // and one key of two
    ];
    setting.add("auth", authorities[..2].iter().map(signs_itself).collect());
    setting.add("sign", vec![signs_itself(&authorities[2])]);
    let snapshot = setting.snapshot();
    assert_eq!(snapshot.keys().iter().map(|key| key.issuer.0).collect::<Vec<_>>(), [0, 0, 1]);
    for hash in HashAlgorithm::ALL {
        for (index, authority) in authorities.iter().enumerate() {
            let certificate = &authority.certificate;
            let name = digest(hash, certificate.subject());
            let key = digest(hash, certificate.public_key().bits());
            let (name, key) = (name.as_ref(), key.as_ref());
            assert_eq!(found(&snapshot, &cert_id(hash, name, key)), Some(index), "{}", hash.name());
            let spki = digest(hash, certificate.public_key().spki());
            let strange = vec![7; hash.output_len()];
            for (name, key) in [
                (name, &strange[..]),
                (&strange, key),
                (name, spki.as_ref()),
                (key, name),
                (name, &key[1..]),
                (name, &[]),
                (&[], &[]),
            ] {
                assert_eq!(found(&snapshot, &cert_id(hash, name, key)), None);
            }
        }
    }
    // Hashes of one algorithm under the name of another.
    let name = digest(HashAlgorithm::Sha256, authorities[0].certificate.subject());
    let key = digest(HashAlgorithm::Sha256, authorities[0].certificate.public_key().bits());
    assert_eq!(found(&snapshot, &cert_id(HashAlgorithm::Sha1, name.as_ref(), key.as_ref())), None);
}

#[test]
fn readyz_names_each_reason() {
    let mut one = one();
    assert_eq!(one.setting.snapshot().reasons_not_ready(now()), ["issuer auth: no CRL is loaded"]);
    one.load(one.crl());
    assert_eq!(one.setting.snapshot().reasons_not_ready(now()), [""; 0]);
    one.setting.issuers[0].scopes = ScopesPolicy::Count(4);
    let snapshot = one.setting.snapshot();
    assert_eq!(snapshot.reasons_not_ready(now()), ["issuer auth: 1 of 4 CRL scopes are loaded"]);
    let not_after = one.authority.certificate.not_after();
    let reasons = snapshot.reasons_not_ready(not_after);
    assert_eq!(reasons.len(), 2);
    assert!(reasons[1].contains("the OCSP signer expired at"), "{reasons:?}");
    assert!(snapshot.reasons_not_ready(now().plus(-2 * DAY))[1].contains("is not valid before"));
}

#[test]
fn unlisted_defaults_to_good_and_with_an_inventory_to_unknown() {
    let mut one = one();
    let unlisted = |one: &One| one.setting.snapshot().keys()[0].unlisted;
    assert_eq!(unlisted(&one), Unlisted::Good);
    one.setting.half_issued(one.number, serial(1));
    assert_eq!(unlisted(&one), Unlisted::Unknown);
    one.setting.issued(one.number, &[(serial(1), None)]);
    assert_eq!(unlisted(&one), Unlisted::Unknown);
    one.setting.issuers[0].unlisted = Some(Unlisted::Good);
    assert_eq!(unlisted(&one), Unlisted::Good);
}

#[test]
fn old_snapshots_are_freed_by_the_publisher_and_never_by_a_reader() {
    let one = one();
    let published = Published::new(one.setting.snapshot());
    let reader = published.load();
    let first = Arc::downgrade(&reader);
    published.publish(one.setting.snapshot());
    assert!(first.upgrade().is_some(), "a request still reads it");
    let second = Arc::downgrade(&published.load());
    drop(reader);
    assert!(first.upgrade().is_some(), "the end of a request frees nothing");
    published.publish(one.setting.snapshot());
    assert!(first.upgrade().is_none(), "the next publication does");
    assert!(second.upgrade().is_none(), "what nobody reads goes at once");
}

#[test]
fn t32_a_snapshot_does_not_see_what_is_written_after_it() {
    let one = one();
    one.load(one.crl());
    let published = Published::new(one.setting.snapshot());
    let reader = published.load();
    one.load(one.crl().revoking(serial(9), revoked(None)));
    published.publish(one.setting.snapshot());
    assert!(reader.view().revocations(one.number, &serial(9)).unwrap().is_empty());
    assert_eq!(published.load().view().revocations(one.number, &serial(9)).unwrap().len(), 1);
}
