//! When a URL is asked again.
//!
//! As often as configured; more often as the CRL it gave last comes to its end, because a late CRL means
//! tryLater for a country; and less often the longer it fails, because a server in trouble is not
//! helped by being asked. A part of the time is left to chance: a thousand responders that started together
//! do not ask together.

use std::time::Duration;

/// After the first failure.
const FIRST_RETRY: Duration = Duration::from_secs(5);
/// The longest back-off, where the usual interval is shorter.
const LONGEST_RETRY: Duration = Duration::from_secs(300);
/// Near the end of a CRL it is not asked for more often than this.
const SOON: Duration = Duration::from_secs(30);

/// How long to wait with the next question.
///
/// `every` is the configured interval; `left` the seconds to the nextUpdate of the CRL that came last,
/// `None` where none came yet; `failures` how often it failed in a row; `chance` is from 0 to 1.
pub(super) fn wait(every: Duration, left: Option<i64>, failures: u32, chance: f64) -> Duration {
    let soon = SOON.min(every);
    // A quarter of what is left: four more chances, each sooner than the one before.
    let near = left.map_or(every, |left| {
        let quarter = u64::try_from(left / 4).unwrap_or(0);
        Duration::from_secs(quarter).clamp(soon, every)
    });
    match failures {
        0 => near.mul_f64(1.0 - 0.1 * chance.clamp(0.0, 1.0)),
        failures => {
            let doubled = FIRST_RETRY.saturating_mul(1 << (failures - 1).min(16));
            let longest = if near < every { near.max(SOON) } else { every.max(LONGEST_RETRY) };
            doubled.min(longest).mul_f64(1.0 - 0.5 * chance.clamp(0.0, 1.0))
        }
    }
}

/// A number from 0 to 1 that nobody can foresee, and that needs no generator: the standard library keys
/// each of its hash maps with one.
pub(super) fn chance() -> f64 {
    use std::hash::{BuildHasher, Hasher};
    let number = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (number >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(3600);

    fn seconds(left: Option<i64>, failures: u32) -> u64 {
        wait(EVERY, left, failures, 0.0).as_secs()
    }

    #[test]
    fn far_from_next_update_it_is_the_interval_and_near_it_a_quarter_of_what_is_left() {
        assert_eq!(seconds(None, 0), 3600);
        assert_eq!(seconds(Some(86_400), 0), 3600);
        assert_eq!(seconds(Some(7_200), 0), 1800);
        assert_eq!(seconds(Some(400), 0), 100);
        assert_eq!(seconds(Some(10), 0), 30);
        assert_eq!(seconds(Some(-86_400), 0), 30, "also after it has passed");
        assert_eq!(wait(Duration::from_secs(10), Some(0), 0, 0.0).as_secs(), 10, "never less often");
    }

    #[test]
    fn failures_double_the_wait_up_to_a_bound() {
        let waits: Vec<u64> = (1..8).map(|failures| seconds(None, failures)).collect();
        assert_eq!(waits, [5, 10, 20, 40, 80, 160, 320]);
        assert_eq!(seconds(None, u32::MAX), 3600);
        assert_eq!(wait(Duration::from_secs(10), None, 99, 0.0), LONGEST_RETRY);
        assert_eq!(seconds(Some(400), 99), 100, "at the end of a CRL patience ends too");
    }

    #[test]
    fn chance_only_shortens_and_never_by_more_than_half() {
        for part in [0.0, 0.3, 1.0, chance()] {
            let usual = wait(EVERY, None, 0, part);
            assert!(usual <= EVERY && usual >= EVERY.mul_f64(0.89), "{usual:?}");
            let failed = wait(EVERY, None, 3, part);
            assert!((10..=20).contains(&failed.as_secs()), "{failed:?}");
        }
        let several: std::collections::BTreeSet<u64> = (0..8).map(|_| chance().to_bits()).collect();
        assert!(several.len() > 1);
    }
}
