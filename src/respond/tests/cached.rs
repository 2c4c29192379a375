//! Answers out of memory: never somebody else's, never an old one.

use super::*;
use crate::signing::test_pki::Issuance;
use crate::snapshot::test_setting::{DAY, HOUR, delegates, revoked, serial};
use crate::snapshot::{Configured, Published};
use crate::x509::CrlReason;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// An issuer with a CRL for two days, and somebody who keeps answers.
pub(super) struct House {
    pub one: One,
    pub configured: Arc<Configured>,
    pub responder: Responder,
}

impl House {
    pub fn of(one: One) -> Self {
        let configured = one.setting.configured();
        Self { one, configured, responder: Responder::with_cache(1 << 20) }
    }

    pub fn new() -> Self {
        let one = one();
        one.load(one.crl());
        Self::of(one)
    }

    pub fn snapshot(&self) -> Snapshot {
        self.one.setting.snapshot_under(&self.configured)
    }

    fn respond(&self, request: &[u8], now: UnixTime) -> Answer {
        self.responder.respond(&self.snapshot(), request, now)
    }

    fn ask_at(&self, number: u8, now: UnixTime) -> Answer {
        self.respond(&self.one.about(&serial(number)), now)
    }

    pub fn ask(&self, number: u8) -> Answer {
        self.ask_at(number, now())
    }

    /// What is answered, and whether out of memory.
    fn said(&self, number: u8) -> (bool, CertStatus) {
        let answer = self.ask(number);
        let response = verified(&answer, self.one.authority.certificate.public_key());
        (answer.cache == CacheUse::Hit, only(&response).status)
    }
}

#[test]
fn the_second_answer_is_the_first() {
    let house = House::new();
    let first = house.ask(1);
    let second = house.ask_at(1, now().plus(60));
    assert_eq!((first.cache, second.cache), (CacheUse::Miss, CacheUse::Hit));
    assert_eq!(first.body, second.body);
    assert_eq!((first.outcome, first.caching), (second.outcome, second.caching));
    assert_eq!((first.body_hash(), second.body_hash()), (sha256(&first.body), sha256(&first.body)));
    verified(&second, house.one.authority.certificate.public_key());
}

#[test]
fn t9_whoever_asks_otherwise_is_answered_otherwise() {
    let mut one = one();
    one.load(one.crl());
    // The same key under another name.
    let twin = Authority::with_key(one.authority.key.clone(), SIGN);
    let number = one.setting.add("sign", vec![signs_itself(&twin)]);
    one.setting.load(Crl::of(number, &twin.certificate).revoking(serial(1), revoked(None)));
    let ca = one.authority.certificate.clone();
    let ids = [
        cert_id(&ca, HashAlgorithm::Sha1, &serial(1)),
        cert_id(&ca, HashAlgorithm::Sha256, &serial(1)),
        cert_id(&ca, HashAlgorithm::Sha1, &serial(2)),
        cert_id(&twin.certificate, HashAlgorithm::Sha1, &serial(1)),
    ];
    let both = [ids[0].clone(), ids[2].clone()];
    let reversed = [ids[2].clone(), ids[0].clone()];
    let house = House::of(one);
    for expected in [CacheUse::Miss, CacheUse::Hit] {
        for list in [&ids[..1], &ids[1..2], &ids[2..3], &ids[3..], &both, &reversed] {
            let answer = house.respond(&request(list, None), now());
            assert_eq!(answer.cache, expected);
            let response = verified(&answer, ca.public_key());
            let echoed: Vec<_> = response.singles().map(|single| single.cert_id.raw.to_vec()).collect();
            assert_eq!(echoed, list);
            let is_revoked = matches!(response.singles().next().unwrap().status, CertStatus::Revoked(_));
            assert_eq!(is_revoked, list == &ids[3..]);
        }
    }
}

#[test]
fn c12_an_answer_with_a_nonce_is_nobody_elses() {
    let house = House::new();
    let id = [cert_id(&house.one.authority.certificate, HashAlgorithm::Sha1, &serial(1))];
    let value = nonce_value(&[0x9d; 16]);
    for _ in 0..2 {
        let answer = house.respond(&request(&id, Some((&value, false))), now());
        assert_eq!(answer.cache, CacheUse::None);
        let response = verified(&answer, house.one.authority.certificate.public_key());
        assert_eq!(response.nonce, Some(&value[..]));
    }
    assert_eq!(house.ask(1).cache, CacheUse::Miss, "it was not kept for those who send none");
    let answer = house.respond(&request(&id, Some((&value, false))), now());
    assert_eq!(answer.cache, CacheUse::None, "and a kept one has no nonce to repeat");
}

#[test]
fn c10_where_nonces_are_ignored_all_share_one_answer() {
    let mut one = one();
    one.setting.options.nonce = NoncePolicy::Ignore;
    one.load(one.crl());
    let house = House::of(one);
    let id = [cert_id(&house.one.authority.certificate, HashAlgorithm::Sha1, &serial(1))];
    let ask =
        |octet, critical| house.respond(&request(&id, Some((&nonce_value(&[octet; 16]), critical))), now());
    assert_eq!(ask(1, false).cache, CacheUse::Miss);
    assert_eq!(ask(2, false).cache, CacheUse::Hit);
    assert_eq!(house.ask(1).cache, CacheUse::Hit);
    assert_error(&ask(3, true), OcspResponseStatus::MalformedRequest, Some(0));
}

#[test]
fn errors_and_unknown_are_not_kept() {
    let one = one();
    let house = House::of(one);
    for _ in 0..2 {
        let answer = house.ask(1);
        assert_error(&answer, OcspResponseStatus::TryLater, Some(0));
        assert_eq!(answer.cache, CacheUse::Miss);
    }
    let mut one = self::one();
    one.load(one.crl());
    one.setting.issuers[0].unlisted = Some(crate::snapshot::Unlisted::Unknown);
    let house = House::of(one);
    assert_eq!(house.said(1), (false, CertStatus::Unknown));
    assert_eq!(house.said(1), (false, CertStatus::Unknown));
    assert_eq!(house.responder.cache_octets(), 0);
}

#[test]
fn t33_a_change_ends_the_answers_of_the_changed_and_only_those() {
    let house = House::new();
    let good = |number| assert_eq!(house.said(number).1, CertStatus::Good);
    (1..=100).for_each(good);
    let told = revoked(Some(CrlReason::KeyCompromise));
    house.one.load(house.one.crl().revoking(serial(7), told));
    assert_eq!(house.said(7), (false, CertStatus::Revoked(told)));
    assert_eq!(house.said(7), (true, CertStatus::Revoked(told)));
    // A place stands for many serial numbers, but 65,536 of them for very few of these.
    let kept = (1..=100).filter(|&number| house.said(number).0).count();
    assert!(kept >= 98, "{kept}");
}

#[test]
fn t33_an_answer_that_is_stored_after_the_switch_is_as_old_as_its_snapshot() {
    let house = House::new();
    let before = house.snapshot();
    let request = house.one.about(&serial(7));
    house.one.load(house.one.crl().revoking(serial(7), revoked(None)));
    let after = house.snapshot();
    // A request that loaded its snapshot before the switch, and ends after it.
    let late = house.responder.respond(&before, &request, now());
    assert_eq!((late.cache, late.outcome.good), (CacheUse::Miss, 1));
    let answer = house.responder.respond(&after, &request, now());
    assert_eq!((answer.cache, answer.outcome.revoked), (CacheUse::Miss, 1));
    // Nor does it push the new one out for good.
    let _ = house.responder.respond(&before, &request, now());
    assert_eq!(house.responder.respond(&after, &request, now()).outcome.revoked, 1);
}

#[test]
fn t33_an_answer_that_is_signed_after_the_switch_is_as_old_as_its_decision() {
    let house = House::new();
    let before = house.snapshot();
    let request = house.one.about(&serial(7));
    let begin = |snapshot| house.responder.begin_from_memory(snapshot, &request, now(), Allowance::ALL);
    // What the store has of a neighbour, and so of it, is in memory then.
    house.ask(8);
    let Some(Begun::Unsigned(unsigned)) = begin(&before) else { panic!("there is nothing to sign") };
    house.one.load(house.one.crl().revoking(serial(7), revoked(None)));
    let late = unsigned.sign();
    verified(&late, house.one.authority.certificate.public_key());
    assert_eq!((late.cache, late.outcome.good), (CacheUse::Miss, 1));
    // It was kept, and counts for nobody.
    let answer = house.ask(7);
    assert_eq!((answer.cache, answer.outcome.revoked), (CacheUse::Miss, 1));
    let after = house.snapshot();
    let Some(Begun::Answered(kept)) = begin(&after) else { panic!("it was not kept") };
    assert_eq!((kept.cache, kept.body), (CacheUse::Hit, answer.body));
}

#[test]
fn t20_t33_hold_and_release_through_complete_and_delta_crls_are_seen_at_once() {
    let house = House::new();
    let hold = revoked(Some(CrlReason::CertificateHold));
    let lift = revoked(Some(CrlReason::RemoveFromCrl));
    let crl = |number: u8| house.one.crl().numbered(number);
    assert_eq!(house.said(1).1, CertStatus::Good);
    house.one.load(crl(2).revoking(serial(1), hold));
    assert_eq!(house.said(1), (false, CertStatus::Revoked(hold)));
    house.one.load(crl(3).delta().revoking(serial(1), lift));
    assert_eq!(house.said(1), (false, CertStatus::Good));
    // The complete CRL has it on hold again: no row of it changed, but the delta CRL is overtaken.
    house.one.load(crl(4).revoking(serial(1), hold));
    assert_eq!(house.said(1), (false, CertStatus::Revoked(hold)));
    assert_eq!(house.said(1), (true, CertStatus::Revoked(hold)));
}

#[test]
fn t29_a_new_scope_and_an_inventory_ask_everybody_again() {
    let mut one = one();
    one.load(one.crl().at("one"));
    one.setting.issuers[0].unlisted = Some(crate::snapshot::Unlisted::Revoked);
    let house = House::of(one);
    assert_eq!(house.said(1), (false, CertStatus::NEVER_ISSUED));
    assert_eq!(house.said(1), (true, CertStatus::NEVER_ISSUED));
    house.one.load(house.one.crl().at("two").reasons(&[1, 2]));
    assert_error(&house.ask(1), OcspResponseStatus::TryLater, Some(0));
    house.one.load(house.one.crl().at("two").reasons(&[3, 4, 5, 6, 7, 8]));
    assert_eq!(house.said(2), (false, CertStatus::NEVER_ISSUED));
    house.one.setting.issued(house.one.number, &[(serial(2), None)]);
    assert_eq!(house.said(2), (false, CertStatus::Good));
    // From the second load on only what is new is asked again.
    assert_eq!(house.said(3).1, CertStatus::NEVER_ISSUED);
    house.one.setting.issued(house.one.number, &[(serial(3), None)]);
    assert_eq!((house.said(2), house.said(3)), ((true, CertStatus::Good), (false, CertStatus::Good)));
}

#[test]
fn t36_a_new_signer_signs_at_once() {
    let mut house = House::new();
    let delegate = |house: &House| delegates(&house.one.authority, KeyKind::P256, Issuance::default());
    house.one.setting.issuers[0].keys = vec![delegate(&house)];
    house.configured = house.one.setting.configured();
    let old = house.ask(1);
    assert_eq!(house.ask(1).cache, CacheUse::Hit);
    house.one.setting.issuers[0].keys = vec![delegate(&house)];
    house.configured = house.one.setting.configured();
    let new = house.ask(1);
    assert_eq!(new.cache, CacheUse::Miss);
    let responder = |answer: &Answer| match ParsedResponse::parse(&answer.body).unwrap() {
        ParsedResponse::Basic(response) => response.responder_key_hash.map(<[u8]>::to_vec),
        ParsedResponse::Error(_) => None,
    };
    assert!(responder(&new).is_some() && responder(&new) != responder(&old));
    assert_eq!(responder(&house.ask(1)), responder(&new));
}

#[test]
fn t7_who_returns_at_max_age_gets_a_newer_answer_and_not_all_are_signed_in_one_second() {
    let one = one();
    one.load(one.crl().valid(now().plus(-HOUR), now().plus(9 * DAY)));
    let house = House::of(one);
    let first = house.ask(1).caching.unwrap();
    let life = first.next_update.since(first.produced_at);
    assert_eq!(life, 23 * HOUR);
    (2..=40).for_each(|number| assert_eq!(house.ask(number).caching, Some(first)));
    let kept_at = |seconds| {
        let time = first.produced_at.plus(seconds);
        (1..=40).filter(|&number| house.ask_at(number, time).cache == CacheUse::Hit).count()
    };
    assert_eq!(kept_at(life - life / 8 - life / 16 - 1), 40);
    let halfway = kept_at(life - life / 8 - life / 32);
    assert!((5..35).contains(&halfway), "{halfway}");
    // Before the earliest max-age ends, which is a sixteenth and a second before nextUpdate.
    let renewed = house.ask_at(1, first.next_update.plus(-life / 8)).caching.unwrap();
    assert!(renewed.next_update > first.next_update);
}

#[test]
fn t38_an_answer_that_ends_with_its_crl_counts_to_its_end_unless_a_newer_crl_came() {
    let house = House::new();
    let end = now().plus(2 * DAY);
    let late = end.plus(-2 * HOUR);
    let first = house.ask_at(1, late);
    assert_eq!(first.caching.unwrap().next_update, end);
    // There is no newer one to be had.
    assert_eq!(house.ask_at(1, end.plus(-1)).cache, CacheUse::Hit);
    assert_error(&house.ask_at(1, end), OcspResponseStatus::TryLater, Some(0));
    house.one.load(house.one.crl().numbered(2).valid(late, end.plus(DAY)));
    let newer = house.ask_at(1, end.plus(-1));
    assert_eq!(newer.cache, CacheUse::Miss);
    assert!(newer.caching.unwrap().next_update > end);
    // Early in its life it stays, whatever CRLs come.
    assert_eq!(house.ask_at(2, late).cache, CacheUse::Miss);
    house.one.load(house.one.crl().numbered(3).valid(late, end.plus(DAY)));
    assert_eq!(house.ask_at(2, late.plus(60)).cache, CacheUse::Hit);
}

#[test]
fn t40_a_clock_that_is_put_back_brings_no_answer_from_the_future() {
    let house = House::new();
    let ahead = house.ask_at(1, now().plus(HOUR));
    assert_eq!(ahead.caching.unwrap().produced_at, now().plus(HOUR));
    let answer = house.ask(1);
    assert_eq!((answer.cache, answer.caching.unwrap().produced_at), (CacheUse::Miss, now()));
    assert_eq!(house.ask_at(1, now().plus(HOUR)).cache, CacheUse::Hit);
}

/// A writer revokes one card after the other and publishes; readers ask, each with a snapshot that may be old
/// when they store what they decided from it. The model: what was published before a reader loaded its snapshot
/// is what it is told at the least.
#[test]
fn t33_under_threads_no_answer_is_older_than_what_was_published_before_the_request() {
    const CARDS: u8 = 100;
    let house = House::new();
    let published = Published::new(house.snapshot());
    let revoked_up_to = AtomicU32::new(0);
    // What the readers met so far: the writer goes on only when they have met something of each step.
    let (hits, checked) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..3_u32)
            .map(|reader| {
                let (house, published, revoked_up_to) = (&house, &published, &revoked_up_to);
                let (hits, checked) = (&hits, &checked);
                scope.spawn(move || {
                    let mut step = reader;
                    loop {
                        let at_least = revoked_up_to.load(Ordering::Acquire);
                        let snapshot = published.load();
                        // Around the card that is being revoked.
                        step = step.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        let card = (at_least + step / 7 % 4).clamp(1, u32::from(CARDS)) as u8;
                        if step % 5 == 0 {
                            std::thread::yield_now();
                        }
                        let answer =
                            house.responder.respond(&snapshot, &house.one.about(&serial(card)), now());
                        hits.fetch_add(u32::from(answer.cache == CacheUse::Hit), Ordering::Relaxed);
                        if u32::from(card) <= at_least {
                            assert_eq!(
                                answer.outcome.revoked, 1,
                                "card {card} of {at_least}: {:?}",
                                answer.cache
                            );
                            checked.fetch_add(1, Ordering::Relaxed);
                        }
                        if at_least == u32::from(CARDS) {
                            return;
                        }
                    }
                })
            })
            .collect();
        let mut crl = house.one.crl();
        for card in 1..=CARDS {
            crl = crl.revoking(serial(card), revoked(None));
            house.one.load(crl.clone());
            published.publish(house.snapshot());
            revoked_up_to.store(u32::from(card), Ordering::Release);
            let is_met = |count: &AtomicU32| count.load(Ordering::Relaxed) >= u32::from(card);
            while !(is_met(&hits) && is_met(&checked)
                || readers.iter().any(std::thread::ScopedJoinHandle::is_finished))
            {
                std::thread::yield_now();
            }
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
