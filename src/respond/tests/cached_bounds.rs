//! How much is kept, and of whom (trap 37).

use super::cached::House;
use super::*;
use crate::signing::test_pki::Issuance;
use crate::snapshot::test_setting::delegates;
use std::collections::HashSet;

/// A card as an attacker would make them up.
fn card(number: u32) -> SerialNumber {
    SerialNumber::from_unsigned(&[&[0x5a; 12][..], &number.to_be_bytes()].concat()).unwrap()
}

fn house(octets: u64) -> House {
    let mut one = one();
    one.load(one.crl());
    // With a certificate in every answer, as they usually are.
    one.setting.issuers[0].keys = vec![delegates(&one.authority, KeyKind::Ed25519, Issuance::default())];
    House { responder: Responder::with_cache(octets), ..House::of(one) }
}

#[test]
fn t37_a_flood_of_random_serial_numbers_stays_within_its_bounds_and_displaces_nothing_that_is_asked_again() {
    const MOST: u64 = 200 << 10;
    let house = house(MOST);
    let snapshot = house.snapshot();
    let ask = |number| {
        let answer = house.responder.respond(&snapshot, &house.one.about(&card(number)), now());
        assert_eq!(answer.outcome.good, 1);
        assert!(house.responder.cache_octets() <= MOST);
        answer.cache == CacheUse::Hit
    };
    // What is asked for all the time; twice, so that those whose place was taken come in.
    let favourites = 0..40;
    for _ in 0..3 {
        for number in favourites.clone() {
            ask(number);
        }
    }
    let before: HashSet<u32> = favourites.clone().filter(|&number| ask(number)).collect();
    assert!(before.len() >= 38, "{before:?}");
    for stranger in 0..6000 {
        ask(1000 + stranger);
        if stranger % 50 == 0 {
            let number = stranger / 50 % 40;
            assert!(!before.contains(&number) || ask(number), "{number} fell to stranger {stranger}");
        }
    }
    let after = favourites.filter(|&number| ask(number)).count();
    assert!(after >= before.len(), "{after}");
}

#[test]
fn who_is_asked_for_again_takes_the_place_of_who_is_not() {
    let house = house(200 << 10);
    let snapshot = house.snapshot();
    let ask = |number| {
        house.responder.respond(&snapshot, &house.one.about(&card(number)), now()).cache == CacheUse::Hit
    };
    // Full of what nobody asks for again.
    for number in 0..2000 {
        ask(number);
    }
    let newcomers = 5000..5040;
    for _ in 0..4 {
        for number in newcomers.clone() {
            ask(number);
        }
    }
    let kept = newcomers.filter(|&number| ask(number)).count();
    assert!(kept >= 34, "{kept}");
}

#[test]
fn answers_that_have_ended_give_way_at_once() {
    let house = house(200 << 10);
    let fill = |house: &House, numbers: std::ops::Range<u32>| {
        let snapshot = house.snapshot();
        let ask = |number| house.responder.respond(&snapshot, &house.one.about(&card(number)), now()).cache;
        for number in numbers.clone() {
            ask(number);
        }
        numbers.filter(|&number| ask(number) == CacheUse::Hit).count()
    };
    fill(&house, 0..2000);
    let full = house.responder.cache_octets();
    // Another configuration: nothing of before counts.
    let house = House { configured: house.one.setting.configured(), ..house };
    let kept = fill(&house, 3000..3040);
    assert!(kept >= 38, "{kept}");
    assert!(house.responder.cache_octets() < full);
}

#[test]
fn no_memory_is_no_cache_and_huge_answers_are_not_for_it() {
    for octets in [0, 1000] {
        let house = house(octets);
        let snapshot = house.snapshot();
        for _ in 0..2 {
            let answer = house.responder.respond(&snapshot, &house.one.about(&card(1)), now());
            assert_eq!(answer.cache, CacheUse::None);
        }
    }
    let house = house(1 << 20);
    let snapshot = house.snapshot();
    let ids: Vec<_> = (0..80)
        .map(|number| cert_id(&house.one.authority.certificate, HashAlgorithm::Sha1, &card(number)))
        .collect();
    for _ in 0..3 {
        let answer = house.responder.respond(&snapshot, &request(&ids, None), now());
        assert_eq!((answer.cache, answer.outcome.good), (CacheUse::Miss, 80));
    }
    assert_eq!(house.responder.cache_octets(), 0);
}

#[test]
fn threads_that_fill_one_small_cache_never_pass_its_limit() {
    const MOST: u64 = 100 << 10;
    let house = house(MOST);
    let snapshot = house.snapshot();
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let (house, snapshot) = (&house, &snapshot);
            scope.spawn(move || {
                for number in 0..1500 {
                    // The same cards in another order, so that they meet.
                    let number = number * (2 * thread + 1) % 211;
                    let answer = house.responder.respond(snapshot, &house.one.about(&card(number)), now());
                    assert_eq!(answer.outcome.good, 1);
                    assert!(house.responder.cache_octets() <= MOST);
                }
            });
        }
    });
    assert!(house.responder.cache_octets() > MOST / 2);
}
