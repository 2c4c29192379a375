//! Indirect CRLs (RFC 5280 5.2.5, 5.3.3, 6.3.3 (b), (f)): who may speak for whom, and whose an entry is.

use super::*;
use crate::x509::crl::tests::builder::{entry, extension, idp, idp_flag, idp_uri, reason, sequence, tlv};

const INDIRECT: &str = "CN=CRL Issuer";

/// Two CAs that name one CRL issuer, and a third that does not.
struct Country {
    house: House,
    first: Authority,
    second: Authority,
    third: Authority,
    crl_issuer: Authority,
}

fn country() -> Country {
    let crl_issuer = Authority::new(KeyKind::P256, INDIRECT);
    let [first, second, third] =
        ["CN=First CA", "CN=Second CA", "CN=Third CA"].map(|name| Authority::new(KeyKind::P256, name));
    let keys = [&first, &second, &third].map(|ca| vec![key_of(ca, ca.certificate.clone())]);
    let house = House::naming(keys.into(), &[0, 1], &crl_issuer.certificate);
    Country { house, first, second, third, crl_issuer }
}

/// An entry; `issuer`, where it names one.
fn of(issuer: Option<&Authority>, serial: u64, why: CrlReason) -> Vec<u8> {
    let mut extensions = vec![reason(why)];
    extensions.extend(issuer.map(|issuer| {
        let name = tlv(crate::asn1::tag::context_constructed(4), issuer.certificate.subject());
        extension(crate::asn1::CERTIFICATE_ISSUER, true, &sequence(&[name]))
    }));
    entry(SerialNumber::from(serial), &utc("261101120000Z"), &extensions)
}

/// A CRL that says it is indirect, with this number and these entries.
fn indirect(signer: &Authority, number: u8, entries: Vec<Vec<u8>>) -> TestCrl {
    TestCrl {
        entries: (!entries.is_empty()).then_some(entries),
        extensions: Some(vec![crl_number(&[number]), idp(&[idp_flag(4)])]),
        ..crl(signer, number, &[])
    }
}

const KEY: CrlReason = CrlReason::KeyCompromise;
const HOLD: CrlReason = CrlReason::CertificateHold;

impl Country {
    /// The reasons for which serial numbers 1 to 6 of an issuer are revoked.
    fn reasons(&self, issuer: usize) -> Vec<(u64, CrlReason)> {
        let view = self.house.store.view().unwrap();
        let rows = (1..=6).flat_map(|serial| {
            let rows = view.revocations(self.house.issuer(issuer), &SerialNumber::from(serial)).unwrap();
            rows.iter().map(|row| (serial, row.revocation.reason.unwrap())).collect::<Vec<_>>()
        });
        rows.collect()
    }

    /// An indirect CRL of all sorts.
    fn mixed(&self, number: u8) -> Vec<u8> {
        let entries = vec![
            // 5.3.3: without a word it is the CRL issuer's own certificate, which is none of ours.
            of(None, 1, KEY),
            of(Some(&self.second), 2, KEY),
            // And then the last one's that was named.
            of(None, 3, HOLD),
            of(Some(&self.first), 1, HOLD),
            of(Some(&self.third), 4, KEY),
            of(None, 5, KEY),
            of(Some(&self.second), 6, HOLD),
            of(Some(&self.first), 5, KEY),
        ];
        sign(&indirect(&self.crl_issuer, number, entries), &self.crl_issuer)
    }
}

#[test]
fn f33_an_entry_is_of_the_certificate_issuer_named_last_and_of_the_crl_issuer_before() {
    let country = country();
    let report = country.house.ingest.ingest(&country.mixed(7)[..]).unwrap();
    assert_eq!(country.reasons(0), [(1, HOLD), (5, KEY)]);
    assert_eq!(country.reasons(1), [(2, KEY), (3, HOLD), (6, HOLD)]);
    // Of the CRL issuer itself, and of a CA that did not name it: counted, not used.
    assert_eq!((report.entries, report.foreign_entries), (8, 3));
    assert_eq!(country.reasons(2), []);
    let said: Vec<_> = report.outcomes().collect();
    let [("issuer 0", Outcome::Applied(one)), ("issuer 1", Outcome::Applied(two))] = said[..] else {
        panic!("{said:?}")
    };
    assert_eq!((one.added, two.added), (2, 3));
    let scopes = country.house.store.scopes().unwrap();
    assert_eq!(scopes.iter().map(|scope| scope.entries).collect::<Vec<_>>(), [2, 3]);
    assert_ne!(scopes[0].number, scopes[1].number);
    // Once more it is nothing new, for neither.
    let again = country.house.ingest.ingest(&country.mixed(7)[..]).unwrap();
    assert!(again.outcomes().all(|(_, outcome)| outcome == Outcome::Unchanged));
}

#[test]
fn f35_a_crl_issuer_speaks_only_for_those_who_named_it_and_only_by_indirect_crls() {
    let country = country();
    let stranger = Authority::new(KeyKind::P256, "CN=Nobody");
    let why = country.house.refuses(&sign(&indirect(&stranger, 7, vec![]), &stranger)[..]);
    assert!(matches!(why, Refused::ForeignIssuer { .. }), "{why}");
    let why = country.house.refuses(&sign(&crl(&country.crl_issuer, 7, &[]), &country.crl_issuer)[..]);
    assert!(matches!(&why, Refused::NotIndirect { issuer } if issuer == INDIRECT), "{why}");
    // The right name, another key.
    let impostor = Authority::new(KeyKind::P256, INDIRECT);
    let entries = vec![of(Some(&country.first), 1, KEY)];
    let why = country.house.refuses(&sign(&indirect(&impostor, 7, entries), &impostor)[..]);
    assert!(matches!(why, Refused::Signature { .. }), "{why}");
    // A CA of ours that nobody named speaks for itself alone, indirect or not.
    let third = &country.third;
    let entries = vec![of(None, 1, KEY), of(Some(&country.first), 2, KEY)];
    let report = country.house.ingest.ingest(&sign(&indirect(third, 7, entries), third)[..]).unwrap();
    assert_eq!((report.issuer_name.as_str(), report.foreign_entries), ("issuer 2", 1));
    assert_eq!((country.reasons(0), country.reasons(2)), (vec![], vec![(1, KEY)]));
}

#[test]
fn f34_a_certificate_issuer_in_a_crl_that_is_not_indirect_refuses_it() {
    let country = country();
    let entries = vec![of(Some(&country.first), 1, KEY)];
    let direct = TestCrl { entries: Some(entries), ..crl(&country.first, 7, &[]) };
    let why = country.house.refuses(&sign(&direct, &country.first)[..]);
    assert!(why.to_string().contains("does not say that it is indirect"), "{why}");
}

#[test]
fn s6_3_3_a_ca_may_list_its_own_certificates_on_an_indirect_crl_too() {
    let ca = authority();
    let house = House::of(&ca);
    let entries = vec![of(None, 1, KEY), of(Some(&ca), 2, HOLD)];
    house.applied(&sign(&indirect(&ca, 7, entries), &ca));
    assert_eq!(house.revocations(1), [(Some(KEY), false)]);
    assert_eq!(house.revocations(2), [(Some(HOLD), false)]);
}

#[test]
fn f41_an_indirect_crl_is_taken_for_all_its_issuers_or_for_none() {
    let country = country();
    country.house.ingest.ingest(&country.mixed(7)[..]).unwrap();
    // The second CA's scope alone is ahead: number 9 of it came with a configuration that had only that one.
    let keys = country.house.configured.issuers.iter().map(|issuer| issuer.keys.clone()).collect();
    let alone = country.house.configured_with(keys, &[1], &country.crl_issuer.certificate);
    let nine = sign(&indirect(&country.crl_issuer, 9, vec![]), &country.crl_issuer);
    let report = alone.ingest(&nine[..]).unwrap();
    assert_eq!((report.issuer_name.as_str(), report.others.len()), ("issuer 1", 0));
    // So number 8 is a rollback for one of the two, and refused for both.
    let why = country.house.refuses(&country.mixed(8)[..]);
    assert!(matches!(why, Refused::NumberRolledBack { .. }), "{why}");
    // Number 9 itself is held by the one and new to the other.
    let report = country.house.ingest.ingest(&nine[..]).unwrap();
    assert!(matches!(report.outcome, Outcome::Applied(_)), "{report:?}");
    assert_eq!(report.others, [("issuer 1".to_owned(), Outcome::Unchanged)]);
}

#[test]
fn t34_the_guard_stops_an_indirect_crl_for_all_its_issuers() {
    let country = country();
    let many = |count: u64| {
        let second = (0..count).map(|serial| of((serial == 0).then_some(&country.second), serial, KEY));
        std::iter::once(of(Some(&country.first), 1, KEY)).chain(second).collect::<Vec<_>>()
    };
    let signed =
        |number, count| sign(&indirect(&country.crl_issuer, number, many(count)), &country.crl_issuer);
    country.house.ingest.ingest(&signed(7, 400)[..]).unwrap();
    let why = country.house.refuses(&signed(8, 10)[..]);
    assert!(matches!(why, Refused::Guard(Alarm::Shrunk { held: 400, offered: 10, .. })), "{why}");
    let rehearsed = country.house.ingest.ingest_as(&signed(8, 10)[..], Manner::Rehearsed).unwrap();
    assert!(matches!(rehearsed.outcome, Outcome::Rehearsed(_, None)));
    assert!(matches!(rehearsed.others[0].1, Outcome::Rehearsed(_, Some(Alarm::Shrunk { .. }))));
    assert!(country.house.ingest.ingest_as(&signed(8, 10)[..], Manner::Forced).unwrap().is_applied());
}

#[test]
fn f22_f33_a_delta_crl_of_an_indirect_crl_applies_to_each_issuers_scope() {
    let country = country();
    let delta = |number: u8, base: u8, entries| {
        let extensions = Some(vec![crl_number(&[number]), delta_indicator(&[base]), idp(&[idp_flag(4)])]);
        let crl = TestCrl { extensions, ..indirect(&country.crl_issuer, number, entries) };
        sign(&crl, &country.crl_issuer)
    };
    let lifting =
        || vec![of(Some(&country.first), 1, CrlReason::RemoveFromCrl), of(Some(&country.second), 4, KEY)];
    let why = country.house.refuses(&delta(8, 7, lifting())[..]);
    assert!(matches!(why, Refused::DeltaBeforeBase { .. }), "{why}");
    country.house.ingest.ingest(&country.mixed(7)[..]).unwrap();
    let report = country.house.ingest.ingest(&delta(8, 7, lifting())[..]).unwrap();
    assert!(report.outcomes().all(|(_, outcome)| matches!(outcome, Outcome::Applied(_))));
    assert_eq!(report.scopes.len(), 2);
    assert_eq!(country.reasons(1), [(2, KEY), (3, HOLD), (4, KEY), (6, HOLD)]);
}

#[test]
fn f29_indirect_crls_of_several_distribution_points_are_scopes_of_their_own() {
    let country = country();
    let at = |uri: &str, serial| {
        let extensions = Some(vec![crl_number(&[7]), idp(&[idp_uri(uri), idp_flag(4)])]);
        let crl = indirect(&country.crl_issuer, 7, vec![of(Some(&country.first), serial, KEY)]);
        sign(&TestCrl { extensions, ..crl }, &country.crl_issuer)
    };
    country.house.ingest.ingest(&at("http://a", 1)[..]).unwrap();
    country.house.ingest.ingest(&at("http://b", 2)[..]).unwrap();
    assert_eq!(country.reasons(0), [(1, KEY), (2, KEY)]);
    assert_eq!(country.house.store.scopes().unwrap().len(), 4);
}

#[test]
fn f43_a_crl_whose_signing_certificate_is_revoked_on_a_crl_that_is_held_is_not_used() {
    // The third CA certified the CRL issuer, with serial number 6.
    let root = Authority::new(KeyKind::P256, "CN=Third CA");
    let key = Authority::new(KeyKind::P256, INDIRECT).key;
    let draft = Issuance {
        subject: INDIRECT,
        serial_number: 6,
        key_usage: None,
        extended_key_usage: None,
        nocheck: false,
        ..Issuance::default()
    };
    let certificate = root.issue(key.public_key(), draft);
    let crl_issuer = Authority { key, certificate };
    let first = Authority::new(KeyKind::P256, "CN=First CA");
    let keys = [&first, &root].map(|ca| vec![key_of(ca, ca.certificate.clone())]);
    let house = House::naming(keys.into(), &[0], &crl_issuer.certificate);
    let signed = |number| sign(&indirect(&crl_issuer, number, vec![of(Some(&first), 1, KEY)]), &crl_issuer);
    house.ingest.ingest(&signed(7)[..]).unwrap();
    house.applied(&sign(&crl(&root, 7, &[(6, HOLD)]), &root));
    assert!(matches!(house.refuses(&signed(8)[..]), Refused::SignerRevoked));
    let rehearsed = house.ingest.ingest_as(&signed(8)[..], Manner::Rehearsed);
    assert!(matches!(rehearsed, Err(Refused::SignerRevoked)));
    // A hold that is lifted by a delta CRL is none.
    let extensions = Some(vec![crl_number(&[8]), delta_indicator(&[7])]);
    let lifted = TestCrl { extensions, ..crl(&root, 8, &[(6, CrlReason::RemoveFromCrl)]) };
    house.applied(&sign(&lifted, &root));
    house.ingest.ingest(&signed(8)[..]).unwrap();
    house.applied(&sign(&crl(&root, 9, &[(6, KEY)]), &root));
    assert!(matches!(house.refuses(&signed(9)[..]), Refused::SignerRevoked));
}

#[test]
fn f33_openssl_reads_the_same_indirect_crl_and_verifies_its_signature() {
    let country = country();
    let path = country.house.path("indirect.crl");
    std::fs::write(&path, country.mixed(7)).unwrap();
    let signer = country.house.path("signer.pem");
    std::fs::write(&signer, country.crl_issuer.certificate.pem()).unwrap();
    let (path, signer) = (path.to_str().unwrap(), signer.to_str().unwrap());
    let said = openssl(&["crl", "-inform", "DER", "-in", path, "-CAfile", signer, "-text"]);
    let said = String::from_utf8(said).unwrap();
    assert!(said.contains("Indirect CRL"), "{said}");
    let named = said.lines().filter_map(|line| line.trim().strip_prefix("DirName:"));
    let named: Vec<_> = named.map(|name| name.trim_start_matches('/').replace(" = ", "=")).collect();
    let expected =
        ["Second CA", "First CA", "Third CA", "Second CA", "First CA"].map(|ca| format!("CN={ca}"));
    // One more line each, at most: newer releases show the name of the issuer in force beside every entry.
    let mut without_repeats = named.clone();
    without_repeats.dedup();
    assert_eq!(without_repeats, expected, "{said}");
}
