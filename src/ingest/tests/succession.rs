//! What may follow the CRL that is held (RFC 5280 5.2.3).

use super::*;

/// A CRL with this number, of this hour of the day before.
fn numbered(authority: &Authority, number: Option<&[u8]>, hour: u8, serial: u64) -> Vec<u8> {
    let extensions = number.map(|content| vec![crl_number(content)]);
    sign(&TestCrl { extensions, ..crl(authority, hour, &[(serial, CrlReason::Superseded)]) }, authority)
}

#[test]
fn f16_t26_a_lower_number_is_refused_however_new_it_says_it_is() {
    let ca = authority();
    let house = settled(&ca);
    let why = house.refuses(&numbered(&ca, Some(&[6]), 9, 5)[..]);
    let Refused::NumberRolledBack { held, offered } = &why else { panic!("{why}") };
    assert_eq!((held.as_str(), offered.as_str()), ("07", "06"));
}

#[test]
fn f18_numbers_are_compared_as_numbers_of_any_length() {
    let ca = authority();
    let house = House::of(&ca);
    let large = [vec![0], vec![0xff; 20]].concat();
    let ascending: [&[u8]; 7] = [&[0], &[1], &[0x7f], &[0, 0xff], &[1, 0], &[0x7f; 20], &large];
    for (index, number) in ascending.into_iter().enumerate() {
        house.applied(&numbered(&ca, Some(number), 5, index as u64));
        for lower in &ascending[..index] {
            let why = house.refuses(&numbered(&ca, Some(lower), 5, 30)[..]);
            assert!(matches!(why, Refused::NumberRolledBack { .. }), "{lower:02x?}: {why}");
        }
    }
}

#[test]
fn f17_t26_the_same_number_is_the_same_crl_or_refused() {
    let ca = authority();
    let house = settled(&ca);
    let held = crl(&ca, 7, &HELD);
    let before = house.answers();
    // Signed again: ECDSA gives another signature, the CRL is the same.
    let (one, other) = (sign(&held, &ca), sign(&held, &ca));
    assert_ne!(one, other);
    for der in [one, other] {
        assert_eq!(house.ingest.ingest(&der[..]).unwrap().outcome, Outcome::Unchanged);
    }
    assert_eq!(house.answers(), before);
    for changed in [
        crl(&ca, 7, &HELD[..2]),
        TestCrl { next_update: utc("261130000000Z"), ..held.clone() },
        TestCrl { this_update: utc("261121080000Z"), ..held },
    ] {
        let why = house.refuses(&sign(&changed, &ca)[..]);
        assert!(matches!(&why, Refused::SameNumberOtherContent { number } if number == "07"), "{why}");
    }
}

#[test]
fn f17_the_same_crl_is_still_verified_before_it_is_called_the_same() {
    let ca = authority();
    let house = settled(&ca);
    let why = house.refuses(&sign(&crl(&ca, 7, &HELD), &authority())[..]);
    assert!(matches!(why, Refused::Signature { .. }), "{why}");
}

#[test]
fn f20_an_earlier_this_update_is_refused_whatever_its_number() {
    let ca = authority();
    let house = settled(&ca);
    let why = house.refuses(&numbered(&ca, Some(&[8]), 6, 5)[..]);
    assert!(matches!(why, Refused::TimeRolledBack { .. }), "{why}");
    // A CA may issue twice in one second.
    house.applied(&numbered(&ca, Some(&[8]), 7, 5));
}

/// One sequence of numbers for both kinds (5.2.3): a complete CRL from before the delta CRL that it
/// overtakes would undo what came in between.
#[test]
fn f20_a_complete_crl_of_an_earlier_time_than_the_delta_crl_it_overtakes_is_refused() {
    let ca = authority();
    let house = House::of(&ca);
    house.applied(&numbered(&ca, Some(&[5]), 5, 1));
    let extensions = Some(vec![crl_number(&[9]), delta_indicator(&[5])]);
    let delta = TestCrl { extensions, ..crl(&ca, 9, &[(2, CrlReason::KeyCompromise)]) };
    house.applied(&sign(&delta, &ca));
    for number in [9, 10] {
        let why = house.refuses(&numbered(&ca, Some(&[number]), 8, 3)[..]);
        assert!(matches!(why, Refused::TimeRolledBack { .. }), "{why}");
    }
    // One that does not overtake it may be older: it came late.
    house.applied(&numbered(&ca, Some(&[8]), 8, 3));
    house.applied(&numbered(&ca, Some(&[9]), 9, 4));
}

#[test]
fn f16_a_number_may_come_but_not_go() {
    let ca = authority();
    let house = settled(&ca);
    let why = house.refuses(&numbered(&ca, None, 9, 5)[..]);
    assert!(matches!(&why, Refused::NumberMissing { held } if held == "07"), "{why}");

    let house = House::of(&ca);
    house.applied(&numbered(&ca, None, 5, 1));
    let why = house.refuses(&numbered(&ca, None, 4, 2)[..]);
    assert!(matches!(why, Refused::TimeRolledBack { .. }), "{why}");
    house.applied(&numbered(&ca, None, 6, 2));
    house.applied(&numbered(&ca, Some(&[1]), 7, 3));
    assert!(matches!(house.refuses(&numbered(&ca, None, 8, 3)[..]), Refused::NumberMissing { .. }));
}

#[test]
fn f6_a_version_1_crl_is_taken_where_no_number_is_held() {
    let ca = authority();
    let house = House::of(&ca);
    let v1 = TestCrl { version: None, extensions: None, ..crl(&ca, 5, &[]) };
    house.applied(&sign(&v1, &ca));
    assert!(house.answers().scopes[0].crl.crl_number.is_empty());
}
