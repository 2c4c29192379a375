//! How much may be asked: so many certificates a second and a day, and more in the hours for bulk.
//!
//! Called for every request of a registered verifier. What is counted are certificates, not requests: a hundred in
//! one request cost as much as a hundred requests.
//!
//! The second is a bucket that leaks (GCRA): one atomic holds the moment at which all that was asked is paid for.
//! A second's worth may come at once. A request of more than that is let in when all before it is paid
//! for, and is then paid for itself; so the rate holds in the long run, and nobody is locked out.
//!
//! The day is that of UTC. Of the bulk hours it is the day on which they began, so midnight changes nothing.
//! Counts are of this process: a restart begins a new day, which is worth at most one day's quota.

use super::{Allowance, Bulk, Moment};
use crate::x509::UnixTime;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};

const SECOND: u64 = 1_000_000_000;
const DAY: i64 = 86_400;

/// Of a packed day: what was asked stands in the lower bits.
const COUNT_BITS: u32 = 40;
const MOST: u64 = (1 << COUNT_BITS) - 1;

/// What was asked on the day that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    pub ordinary: u64,
    pub bulk: u64,
}

/// What was refused: the second's, or the day's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exceeded {
    Second,
    Day,
}

/// What one verifier has asked.
#[derive(Debug, Default)]
pub(super) struct Meter {
    ordinary: Counts,
    bulk: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    /// Nanoseconds of uptime at which what was asked so far is paid for.
    paid_at: AtomicU64,
    /// Day in the upper bits, certificates asked on it in the lower ones.
    day: AtomicU64,
}

impl Meter {
    /// Takes `count` certificates out of what is left, or nothing.
    pub fn take(
        &self,
        allowance: &Allowance,
        bulk: Option<&Bulk>,
        moment: Moment,
        count: u32,
    ) -> Result<(), Exceeded> {
        match bulk.filter(|bulk| bulk.contains(moment.now)) {
            Some(bulk) => self.bulk.take(&bulk.allowance, moment, bulk.from, count),
            None => self.ordinary.take(allowance, moment, 0, count),
        }
    }

    pub fn used(&self, bulk: Option<&Bulk>, now: UnixTime) -> Used {
        let from = bulk.map_or(0, |bulk| bulk.from);
        Used { ordinary: self.ordinary.used(day(now, 0)), bulk: self.bulk.used(day(now, from)) }
    }
}

/// Which day it is for hours that begin at `from`, as far as the upper bits hold it.
fn day(now: UnixTime, from: u32) -> u64 {
    let days = (now.seconds() - i64::from(from)).div_euclid(DAY);
    u64::try_from(days).unwrap_or(0) & (u64::MAX >> COUNT_BITS)
}

impl Counts {
    fn take(&self, allowance: &Allowance, moment: Moment, from: u32, count: u32) -> Result<(), Exceeded> {
        if let Some(rate) = allowance.per_second
            && !self.pay(rate, moment.nanoseconds(), count)
        {
            return Err(Exceeded::Second);
        }
        let (day, most) = (day(moment.now, from), allowance.per_day.unwrap_or(MOST).min(MOST));
        let count_in = |packed: u64| {
            let asked = if packed >> COUNT_BITS == day { packed & MOST } else { 0 };
            let asked = asked + u64::from(count);
            // Without a limit it counts as far as it can.
            (asked <= most || allowance.per_day.is_none()).then_some(day << COUNT_BITS | asked.min(MOST))
        };
        let counted = self.day.fetch_update(Ordering::Relaxed, Ordering::Relaxed, count_in);
        counted.map(drop).map_err(|_| Exceeded::Day)
    }

    fn pay(&self, rate: NonZeroU32, now: u64, count: u32) -> bool {
        let price = SECOND / u64::from(rate.get());
        let pay_for = |paid_at: u64| {
            let due = paid_at.max(now);
            let then = due.saturating_add(price.saturating_mul(u64::from(count)));
            (due == now || then - now <= SECOND).then_some(then)
        };
        self.paid_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay_for).is_ok()
    }

    fn used(&self, day: u64) -> u64 {
        let packed = self.day.load(Ordering::Relaxed);
        if packed >> COUNT_BITS == day { packed & MOST } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// 2026-11-22T00:00:00Z.
    const MIDNIGHT: i64 = 1_795_305_600;

    fn at(second: i64, nanoseconds: u64) -> Moment {
        let now = UnixTime::from_seconds(MIDNIGHT + second);
        Moment { now, uptime: Duration::from_nanos(nanoseconds) }
    }

    fn allowance(per_second: u32, per_day: u64) -> Allowance {
        Allowance { per_second: NonZeroU32::new(per_second), per_day: (per_day > 0).then_some(per_day) }
    }

    #[test]
    fn a_seconds_worth_may_come_at_once_and_then_one_by_one() {
        let (meter, ten) = (Meter::default(), allowance(10, 0));
        let take = |now| meter.take(&ten, None, at(0, now), 1);
        assert!((0..10).all(|_| take(5) == Ok(())));
        assert_eq!(take(5), Err(Exceeded::Second));
        assert_eq!(take(SECOND / 10 + 4), Err(Exceeded::Second));
        assert_eq!((take(SECOND / 10 + 5), take(SECOND / 10 + 5)), (Ok(()), Err(Exceeded::Second)));
    }

    #[test]
    fn more_than_a_seconds_worth_in_one_request_is_let_in_once_and_paid_for() {
        let (meter, ten) = (Meter::default(), allowance(10, 0));
        let take = |now, count| meter.take(&ten, None, at(0, now), count).is_ok();
        assert!(take(0, 100));
        assert!(!take(9 * SECOND - 1, 1));
        assert!(take(9 * SECOND + SECOND / 10, 1));
        assert!(!take(9 * SECOND + SECOND / 10, 100));
    }

    #[test]
    fn the_day_ends_at_midnight_and_the_bulk_hours_do_not() {
        let (meter, day) = (Meter::default(), allowance(0, 3));
        let bulk = Bulk { from: 22 * 3600, until: 5 * 3600, allowance: allowance(0, 5) };
        let take = |second| meter.take(&day, Some(&bulk), at(second, 0), 1);
        assert!((0..3).all(|_| take(12 * 3600) == Ok(())));
        assert_eq!(take(22 * 3600 - 1), Err(Exceeded::Day));
        assert!((0..3).all(|_| take(22 * 3600) == Ok(())), "bulk");
        assert!((0..2).all(|_| take(86_400 + 60) == Ok(())), "the same night");
        assert_eq!(take(86_400 + 5 * 3600 - 1), Err(Exceeded::Day));
        assert_eq!(meter.used(Some(&bulk), at(86_400 + 60, 0).now), Used { ordinary: 0, bulk: 5 });
        assert_eq!(take(86_400 + 5 * 3600), Ok(()), "a new day");
        assert_eq!(meter.used(Some(&bulk), at(86_400 + 6 * 3600, 0).now), Used { ordinary: 1, bulk: 5 });
        assert_eq!(take(86_400 + 22 * 3600), Ok(()), "a new night");
    }

    #[test]
    fn what_is_refused_for_the_day_is_not_counted() {
        let (meter, day) = (Meter::default(), allowance(0, 10));
        assert_eq!(meter.take(&day, None, at(0, 0), 11), Err(Exceeded::Day));
        assert_eq!(meter.take(&day, None, at(0, 0), 10), Ok(()));
        assert_eq!(meter.used(None, at(0, 0).now).ordinary, 10);
    }

    proptest! {
        /// Whatever comes when: in any stretch of time no more is let in than the rate and one second's worth, and
        /// who keeps to the rate is never refused.
        #[test]
        fn in_the_long_run_the_rate_holds(
            rate in 1u32..1000,
            gaps in proptest::collection::vec((0u64..SECOND / 2, 1u32..5), 1..200),
        ) {
            let (meter, allowed) = (Meter::default(), allowance(rate, 0));
            let (mut now, mut let_in) = (0, 0u64);
            for (gap, count) in gaps {
                now += gap;
                if meter.take(&allowed, None, at(0, now), count).is_ok() {
                    let_in += u64::from(count);
                }
                let most = u64::from(rate) * (now + SECOND) / SECOND + 5;
                prop_assert!(let_in <= most, "{let_in} of {most} by {now}");
            }
            now += SECOND * 10;
            for _ in 0..50 {
                now += SECOND / u64::from(rate) + 1;
                prop_assert!(meter.take(&allowed, None, at(0, now), 1).is_ok());
            }
        }
    }
}
