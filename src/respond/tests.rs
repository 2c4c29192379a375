use super::*;

const HOUR: i64 = 3600;

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
