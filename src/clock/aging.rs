//! The time by which things are old enough to be deleted.
//!
//! Called by whoever deletes what was kept for long enough: [`usage`](crate::usage) and [`audit`](crate::audit).
//!
//! What is deleted is gone for good, and by a clock that runs ahead, be it for a second until NTP puts it right,
//! everything is old. So ages are not told by the clock alone:
//!
//! - It is followed back at once, and ahead as far as time has really passed, by the monotonic clock, and an hour more.
//! - A step ahead of more than an hour is believed once the clock has stood so for a day. Until then ages go on from
//!   where they were.
//! - When a process begins its clock is believed if records bear it out: one of the last two days, and one of the week
//!   before. Where they do not (it is the first start, nobody asked anything, or the clock is wrong), nothing is old before the
//!   clock has stood for a day.
//!
//! So after a step that was right, as when the machine had slept for days, things are deleted a day late, which does
//! no harm.

use super::Clock;
use crate::x509::UnixTime;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// A step ahead of so much is one.
const STEP: i64 = HOUR;
/// How long the clock stands after a step, until it is believed.
const STANDS: i64 = DAY;
/// Records of the last so many seconds, and of so many seconds before those, bear out a clock.
const LAST: i64 = 2 * DAY;
const BEFORE: i64 = 7 * DAY;

/// See the module's head.
#[derive(Debug)]
pub struct Aging {
    clock: Clock,
    /// What grows old, in words for the log.
    what: &'static str,
    /// By how much the clock is ahead of the time that has passed, as far as it is believed.
    believed: Option<i64>,
    doubted: Option<Doubt>,
}

/// A clock that is not believed yet.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    ahead: i64,
    /// The time that had passed when it was first seen.
    since: i64,
}

impl Aging {
    /// Of a process that begins, with the times of what it finds recorded.
    #[must_use]
    pub fn new(clock: Clock, what: &'static str, recorded: impl IntoIterator<Item = UnixTime>) -> Self {
        let (now, passed) = (clock.now(), clock.passed());
        let (mut is_of_late, mut is_from_before) = (false, false);
        for time in recorded {
            let age = now.since(time);
            is_of_late |= (-STEP..LAST).contains(&age);
            is_from_before |= (LAST..LAST + BEFORE).contains(&age);
        }
        let ahead = now.seconds() - passed;
        let mut aging = Self { clock, what, believed: None, doubted: None };
        if is_of_late && is_from_before {
            aging.believed = Some(ahead);
        } else {
            aging.doubted = Some(Doubt { ahead, since: passed });
            tracing::info!(
                what,
                "no records bear the clock out: nothing is too old before it has stood for a day"
            );
        }
        aging
    }

    /// The time by which things are old; `None`: by none yet. To be asked every few seconds.
    pub fn now(&mut self) -> Option<UnixTime> {
        let (now, passed) = (self.clock.now(), self.clock.passed());
        let ahead = now.seconds() - passed;
        let has_stood = match self.doubted {
            _ if self.believed.is_some_and(|believed| ahead <= believed + STEP) => true,
            Some(doubt) if (ahead - doubt.ahead).abs() <= STEP => passed - doubt.since >= STANDS,
            _ => {
                self.doubted = Some(Doubt { ahead, since: passed });
                let (what, clock) = (self.what, now.to_string());
                tracing::warn!(
                    what,
                    clock,
                    "the clock stepped: by it nothing is too old before it has stood for a day"
                );
                false
            }
        };
        if has_stood {
            self.believed = Some(ahead);
            if self.doubted.take().is_some() {
                tracing::info!(what = self.what, "the clock is believed again: what is too old by it goes");
            }
        }
        self.believed.map(|believed| UnixTime::from_seconds(believed + passed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> UnixTime {
        UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
    }

    fn days_ago(days: i64) -> UnixTime {
        noon().plus(-days * DAY)
    }

    fn begun(recorded: &[UnixTime]) -> (Clock, Aging) {
        let clock = Clock::fixed(noon());
        (clock.clone(), Aging::new(clock, "tests", recorded.iter().copied()))
    }

    /// A process that has been believing its clock.
    fn believing() -> (Clock, Aging) {
        begun(&[days_ago(0), days_ago(3)])
    }

    #[test]
    fn time_that_passes_makes_things_old_and_a_step_ahead_does_not() {
        let (clock, mut aging) = believing();
        assert_eq!(aging.now(), Some(noon()));
        clock.advance(40 * DAY);
        assert_eq!(aging.now(), Some(noon().plus(40 * DAY)), "also if nobody looked meanwhile");
        // For a second, until NTP puts it right.
        clock.set(noon().plus(4000 * DAY));
        assert_eq!(aging.now(), Some(noon().plus(40 * DAY)));
        clock.advance(1);
        assert_eq!(aging.now(), Some(noon().plus(40 * DAY + 1)), "ages go on");
        clock.set(noon().plus(40 * DAY + 1));
        assert_eq!(aging.now(), Some(noon().plus(40 * DAY + 1)));
        // Within an hour, and back, it is followed.
        clock.set(noon().plus(40 * DAY + HOUR));
        assert_eq!(aging.now(), Some(noon().plus(40 * DAY + HOUR)));
        clock.set(noon());
        assert_eq!(aging.now(), Some(noon()));
    }

    #[test]
    fn a_step_that_stands_for_a_day_is_believed_and_each_other_begins_that_day_anew() {
        let (clock, mut aging) = believing();
        clock.set(noon().plus(100 * DAY));
        assert_eq!(aging.now(), Some(noon()));
        clock.advance(DAY - 1);
        assert_eq!(aging.now(), Some(noon().plus(DAY - 1)));
        clock.set(noon().plus(4000 * DAY));
        assert_eq!(aging.now(), Some(noon().plus(DAY - 1)));
        clock.advance(1);
        assert_eq!(aging.now(), Some(noon().plus(DAY)));
        clock.advance(DAY - 1);
        assert_eq!(aging.now(), Some(noon().plus(4001 * DAY)));
    }

    #[test]
    fn a_process_believes_the_clock_that_it_finds_if_records_bear_it_out() {
        for recorded in
            [&[days_ago(0), days_ago(3)][..], &[days_ago(1), days_ago(8)], &[days_ago(2), noon().plus(1)]]
        {
            assert_eq!(begun(recorded).1.now(), Some(noon()), "{recorded:?}");
        }
        let ahead = noon().plus(-1000 * DAY);
        for recorded in [
            // Nothing is there, or nothing of late, or nothing from before.
            &[][..],
            &[days_ago(3), days_ago(4)],
            &[days_ago(0), days_ago(1), days_ago(9)],
            // What a clock like this wrote before the process began anew, and what a right one wrote.
            &[ahead, ahead.plus(DAY), noon().plus(-HOUR)],
            &[days_ago(3), noon().plus(2 * HOUR)],
        ] {
            let (clock, mut aging) = begun(recorded);
            assert_eq!(aging.now(), None, "{recorded:?}");
            clock.advance(DAY - 1);
            assert_eq!(aging.now(), None, "{recorded:?}");
            clock.advance(1);
            assert_eq!(aging.now(), Some(noon().plus(DAY)), "{recorded:?}");
        }
    }
}
