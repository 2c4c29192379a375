//! Answers that name the CRL that they come from (RFC 6960 4.4.2).

use super::cached::House;
use super::*;
use crate::ocsp::{CertIdForms, CrlId};
use crate::snapshot::test_setting::{DAY, HOUR, revoked, serial};
use crate::snapshot::{CertIds, CrlReferences, Unlisted};
use crate::x509::CrlReason;
use std::sync::Arc;

const HOLD: Option<CrlReason> = Some(CrlReason::CertificateHold);

fn naming(references: CrlReferences) -> One {
    let mut one = one();
    one.setting.options.crl_references = references;
    one
}

/// What is named: CRL number and thisUpdate.
type Named = Option<(u8, UnixTime)>;

fn named(id: Option<CrlId<'_>>) -> Named {
    let id = id?;
    assert_eq!(id.url, None);
    let [number] = id.number.unwrap() else { panic!("{id:?}") };
    Some((*number, id.time.unwrap()))
}

impl One {
    fn named_of(&self, number: u8) -> Named {
        let answer = self.ask(&serial(number));
        named(only(&verified(&answer, self.authority.certificate.public_key())).crl)
    }

    /// The CRL in force since so many hours.
    fn crl_since(&self, number: u8, hours: i64) -> Crl {
        self.crl().number(number).valid(now().plus(-hours * HOUR), now().plus(2 * DAY))
    }
}

#[allow(clippy::unnecessary_wraps, reason = "it stands beside what names none")]
fn since(number: u8, hours: i64) -> Named {
    Some((number, now().plus(-hours * HOUR)))
}

#[test]
fn s4_4_2_nothing_is_named_unless_it_is_asked_for() {
    let one = one();
    one.load(one.crl().revoking(serial(1), revoked(None)));
    assert_eq!([1, 2].map(|number| one.named_of(number)), [None, None]);
}

#[test]
fn s4_4_2_a_revocation_names_the_crl_that_lists_it_by_number_and_time() {
    for (references, good) in
        [(CrlReferences::NameOfRevoked, None), (CrlReferences::NameOfAll, since(0xc8, 3))]
    {
        let one = naming(references);
        one.load(
            one.crl_since(0xc8, 3).revoking(serial(1), revoked(None)).revoking(serial(2), revoked(HOLD)),
        );
        assert_eq!([1, 2].map(|number| one.named_of(number)), [since(0xc8, 3); 2]);
        assert_eq!(one.named_of(3), good);
        // The next one lists them, too: nothing of them was written, and yet it is the one to name.
        one.load(
            one.crl_since(0xc9, 1).revoking(serial(1), revoked(None)).revoking(serial(2), revoked(HOLD)),
        );
        assert_eq!([1, 2].map(|number| one.named_of(number)), [since(0xc9, 1); 2]);
    }
}

#[test]
fn s4_4_2_what_no_crl_in_force_lists_names_none() {
    let one = naming(CrlReferences::NameOfAll);
    one.load(one.crl_since(1, 3).revoking(serial(1), revoked(None)).revoking(serial(2), revoked(None)));
    one.load(one.crl_since(2, 1).revoking(serial(2), revoked(None)));
    assert!(matches!(one.status_of(&serial(1)), CertStatus::Revoked(_)), "permanent means permanent");
    assert_eq!([1, 2].map(|number| one.named_of(number)), [None, since(2, 1)]);
}

#[test]
fn b22_s4_4_8_what_was_never_issued_names_no_crl_nor_does_what_is_unknown() {
    for unlisted in [Unlisted::Revoked, Unlisted::Unknown] {
        let mut one = naming(CrlReferences::NameOfAll);
        one.setting.issuers[0].unlisted = Some(unlisted);
        one.setting.issued(one.number, &[(serial(1), None)]);
        one.load(one.crl_since(5, 1));
        assert_eq!([1, 9].map(|number| one.named_of(number)), [since(5, 1), None]);
    }
}

#[test]
fn s4_4_2_of_a_delta_and_its_complete_crl_the_one_with_the_entry_is_named() {
    let one = naming(CrlReferences::NameOfAll);
    let complete = || {
        let crl = one.crl_since(10, 4).revoking(serial(1), revoked(None));
        crl.revoking(serial(2), revoked(HOLD)).revoking(serial(4), revoked(HOLD))
    };
    one.load(complete());
    one.load(
        one.crl_since(12, 1).delta().revoking(serial(2), revoked(None)).revoking(serial(3), revoked(None)),
    );
    assert_eq!(one.named_of(1), since(10, 4), "permanent, in the complete CRL");
    assert_eq!(one.named_of(2), since(12, 1), "made permanent by the delta CRL");
    assert_eq!(one.named_of(3), since(12, 1), "in the delta CRL alone");
    assert_eq!(one.named_of(4), since(10, 4), "on hold in the complete CRL");
    assert_eq!(one.named_of(5), None, "good rests on both");
    // A complete CRL overtakes the delta CRL and forgets what that said.
    one.load(one.crl_since(13, 0).revoking(serial(1), revoked(None)));
    assert!(matches!(one.status_of(&serial(3)), CertStatus::Revoked(_)));
    assert_eq!([1, 3, 5].map(|number| one.named_of(number)), [since(13, 0), None, since(13, 0)]);
}

#[test]
fn s4_4_2_partitions_are_named_apart_and_good_names_one_only_where_it_rests_on_one() {
    let one = naming(CrlReferences::NameOfAll);
    let issued = [(serial(1), Some("north")), (serial(2), Some("south")), (serial(3), Some("split"))];
    one.setting.issued(one.number, &issued);
    one.setting.issued(one.number, &[(serial(4), None)]);
    one.load(one.crl_since(1, 3).at("north").revoking(serial(11), revoked(None)));
    one.load(one.crl_since(2, 2).at("south").revoking(serial(12), revoked(None)));
    one.load(one.crl_since(3, 1).at("split").reasons(&[1, 2]).revoking(serial(13), revoked(None)));
    one.load(
        one.crl_since(4, 1).at("split").reasons(&[3, 4, 5, 6, 7, 8]).revoking(serial(14), revoked(HOLD)),
    );
    assert_eq!(
        [11, 12, 13, 14].map(|number| one.named_of(number)),
        [since(1, 3), since(2, 2), since(3, 1), since(4, 1)]
    );
    assert_eq!([1, 2].map(|number| one.named_of(number)), [since(1, 3), since(2, 2)]);
    assert_eq!([3, 4].map(|number| one.named_of(number)), [None, None], "several CRLs say so together");
}

#[test]
fn s4_4_2_good_of_a_point_without_a_crl_names_the_one_that_speaks_of_all_points() {
    let one = naming(CrlReferences::NameOfAll);
    one.setting.issued(one.number, &[(serial(1), Some("elsewhere"))]);
    one.load(one.crl_since(7, 2));
    assert_eq!(one.named_of(1), since(7, 2));
}

#[test]
fn s4_4_2_both_cert_ids_of_a_pair_are_told_the_same_crl_and_each_of_several_its_own() {
    let mut one = naming(CrlReferences::NameOfRevoked);
    let sha = |hash| crate::ocsp::CertIdForm { hash, has_null: true };
    let pair = CertIdForms::pair(sha(HashAlgorithm::Sha1), sha(HashAlgorithm::Sha256));
    one.load(one.crl_since(1, 3).at("north").revoking(serial(1), revoked(None)));
    one.load(one.crl_since(2, 2).at("south").revoking(serial(2), revoked(None)));
    let all = |one: &One, request: &[u8]| -> Vec<Named> {
        let answer = Responder::new().respond(&one.setting.snapshot(), request, now());
        let response = signed(&answer, one.authority.certificate.public_key());
        response.singles().map(|single| named(single.crl)).collect()
    };
    let id = |one: &One, number| cert_id(&one.authority.certificate, HashAlgorithm::Sha1, &serial(number));
    let several = request(&[id(&one, 2), id(&one, 3), id(&one, 1)], None);
    assert_eq!(all(&one, &several), [since(2, 2), None, since(1, 3)]);
    let key = &mut one.setting.issuers[0].keys[0];
    key.pair = Some(Arc::new(CertIds::new(&key.certificate, pair)));
    let form = sha(HashAlgorithm::Sha1);
    let asked = presigned::asked(&one.authority.certificate, form, &serial(1));
    assert_eq!(all(&one, &request(&[asked], None)), [since(1, 3); 2]);
}

#[test]
fn s4_4_2_an_answer_in_memory_lasts_as_long_as_the_crl_that_it_names() {
    let one = naming(CrlReferences::NameOfAll);
    let north = |number| one.crl_since(number, 3).at("north").revoking(serial(1), revoked(None));
    let south = |number| one.crl_since(number, 2).at("south").revoking(serial(2), revoked(None));
    let issued = [(serial(3), Some("north")), (serial(4), Some("south"))];
    one.setting.issued(one.number, &issued);
    one.load(north(1)).load(south(1));
    let (again, more) = (north(2), south(2));
    let house = House::of(one);
    let look = |number: u8| {
        let answer = house.ask(number);
        let response = verified(&answer, house.one.authority.certificate.public_key());
        (answer.cache == CacheUse::Hit, named(only(&response).crl))
    };
    let expect = |hits: [bool; 4], north: u8, south: u8| {
        let named = [since(north, 3), since(south, 2), since(north, 3), since(south, 2)];
        assert_eq!([1, 2, 3, 4].map(look), [0, 1, 2, 3].map(|at| (hits[at], named[at])));
    };
    expect([false; 4], 1, 1);
    expect([true; 4], 1, 1);
    // The same entries under another number: no status changed, the CRL that is named did.
    house.one.load(again);
    expect([false, true, false, true], 2, 1);
    house.one.load(more);
    expect([true, false, true, false], 2, 2);
    // A delta CRL that does not list them: the revocations stand where they stood, good rests on two now.
    house.one.load(house.one.crl_since(9, 1).at("south").delta());
    assert_eq!([2, 4].map(|number| look(number).1), [since(2, 2), None]);
}
