//! thisUpdate, nextUpdate, producedAt (ledger D, trap 18).

use super::*;
use crate::snapshot::test_setting::{HOUR, serial};

fn at(hours: i64) -> UnixTime {
    UnixTime::from_seconds(1_800_000_000 + hours * HOUR)
}

#[test]
fn t18_next_update_is_exactly_one_validity_for_a_fresh_crl() {
    assert_eq!(next_update(at(0), 24 * HOUR, at(0)), at(24));
    assert_eq!(next_update(at(0), 24 * HOUR, at(12)), at(24));
}

#[test]
fn d4_an_old_crl_gives_answers_with_half_a_validity_left_and_no_more_than_one() {
    for hour in 12..200 {
        let end = next_update(at(0), 24 * HOUR, at(hour));
        let left = end.since(at(hour));
        assert!((12 * HOUR..=24 * HOUR).contains(&left), "after {hour} h: {left} s left");
    }
}

#[test]
fn a_validity_of_one_second_does_not_divide_by_zero() {
    assert_eq!(next_update(at(0), 1, at(0)), at(0).plus(1));
    assert!(next_update(at(0), 1, at(5)).since(at(5)) >= 1);
}

/// thisUpdate and nextUpdate of a good answer at `time`.
fn times(one: &One, time: UnixTime) -> (UnixTime, UnixTime) {
    let answer = one.ask_at(&serial(1), time);
    let response = verified(&answer, one.authority.certificate.public_key());
    assert_eq!(response.produced_at, time);
    let single = only(&response);
    let expected = Caching {
        this_update: single.this_update,
        next_update: single.next_update.unwrap(),
        produced_at: time,
    };
    assert_eq!(answer.caching, Some(expected));
    (single.this_update, single.next_update.unwrap())
}

#[test]
fn t18_this_update_is_the_crls_and_produced_at_is_now() {
    let one = one();
    one.load(one.crl().valid(now().plus(-5 * HOUR), now().plus(9 * 24 * HOUR)));
    assert_eq!(times(&one, now()), (now().plus(-5 * HOUR), now().plus(19 * HOUR)));
    assert_eq!(times(&one, now().plus(7 * HOUR)), (now().plus(-5 * HOUR), now().plus(19 * HOUR)));
    // Less than half a day would be left: half a day more.
    assert_eq!(times(&one, now().plus(7 * HOUR + 1)), (now().plus(-5 * HOUR), now().plus(31 * HOUR)));
}

#[test]
fn d1_next_update_never_passes_the_crls() {
    let one = one();
    one.load(one.crl().valid(now().plus(-HOUR), now().plus(2 * HOUR)));
    assert_eq!(times(&one, now()), (now().plus(-HOUR), now().plus(2 * HOUR)));
    let last = now().plus(2 * HOUR - 1);
    assert_eq!(times(&one, last), (now().plus(-HOUR), now().plus(2 * HOUR)));
}

#[test]
fn d2_t40_a_crl_from_a_clock_that_is_ahead_gives_no_answer_from_the_future() {
    let one = one();
    one.load(one.crl().valid(now().plus(200), now().plus(9 * 24 * HOUR)));
    assert_eq!(times(&one, now()), (now(), now().plus(24 * HOUR)));
}

#[test]
fn d10_answers_after_2050_and_up_to_the_end_of_time() {
    let one = one();
    // The CA's certificate ends before: its life bounds the answer's.
    one.load(one.crl().valid(now().plus(-HOUR), UnixTime::MAX));
    let late = one.authority.certificate.not_after().plus(-1);
    assert_eq!(times(&one, late).1, one.authority.certificate.not_after());
    let end = next_update(UnixTime::MAX.plus(-5), 24 * HOUR, UnixTime::MAX.plus(-1));
    assert_eq!(end, UnixTime::MAX);
}
