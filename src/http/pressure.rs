//! How hard a worker is pressed, and what those who force a signature may take of it then (trap 37).
//!
//! An answer with a nonce is signed for one client, whatever is in memory or in the store. While a worker has time
//! to rest, everybody is served. Once it has not rested for a whole [`WINDOW`], requests wait in its sockets,
//! and answers with a nonce get [`SHARE`] of each window: beyond that they are told `tryLater` before any
//! work is done on them. So a flood of nonces leaves half of the worker to those who can be answered from memory,
//! who need a small part of a signature's time.
//!
//! One for each worker, which `app` tells whenever the worker's runtime has nothing to do; [`super::service`]
//! asks and reports. Nothing is shared between workers, and nothing here reads a clock.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Long enough that a worker with any time to spare rests in it, short beside what a client waits.
const WINDOW: Duration = Duration::from_millis(50);
/// Of a window, for answers with a nonce.
const SHARE: Duration = Duration::from_millis(25);

/// The pressure on one worker. Only its own thread touches it: the atomics are plain stores and loads.
#[derive(Debug, Default)]
pub struct Pressure {
    /// It had nothing to do since the window began.
    rested: AtomicBool,
    is_pressed: AtomicBool,
    /// Nanoseconds, as the caller counts them.
    window_began: AtomicU64,
    /// Nanoseconds of this window that went into answers with a nonce.
    spent: AtomicU64,
}

impl Pressure {
    /// The worker has answered everything and waits.
    pub fn rest(&self) {
        self.rested.store(true, Ordering::Relaxed);
    }

    /// Whether a request with a nonce that is taken up at `time`, counted from any fixed moment, is to be
    /// told to come later.
    pub(super) fn sheds(&self, time: Duration) -> bool {
        self.turn(nanoseconds(time));
        self.is_pressed.load(Ordering::Relaxed) && self.spent.load(Ordering::Relaxed) >= nanoseconds(SHARE)
    }

    /// An answer with a nonce took so long.
    pub(super) fn spend(&self, took: Duration) {
        let spent = self.spent.load(Ordering::Relaxed);
        self.spent.store(spent.saturating_add(nanoseconds(took)), Ordering::Relaxed);
    }

    /// Begins a new window when this one is over.
    fn turn(&self, time: u64) {
        if time.saturating_sub(self.window_began.load(Ordering::Relaxed)) < nanoseconds(WINDOW) {
            return;
        }
        self.window_began.store(time, Ordering::Relaxed);
        self.is_pressed.store(!self.rested.swap(false, Ordering::Relaxed), Ordering::Relaxed);
        self.spent.store(0, Ordering::Relaxed);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: Duration = Duration::from_micros(200);

    /// Nonces without end from `begin` for `seconds`; how much time went into signing for them.
    fn flood(pressure: &Pressure, begin: Duration, seconds: u64, rests: bool) -> Duration {
        let (mut time, mut signing) = (begin, Duration::ZERO);
        while time < begin + Duration::from_secs(seconds) {
            if pressure.sheds(time) {
                time += Duration::from_micros(8);
            } else {
                pressure.spend(SIGNATURE);
                signing += SIGNATURE;
                time += SIGNATURE;
            }
            if rests {
                pressure.rest();
            }
        }
        signing
    }

    #[test]
    fn t37_a_flood_of_nonces_gets_half_of_a_worker_that_never_rests() {
        let pressure = Pressure::default();
        flood(&pressure, Duration::ZERO, 1, false);
        let signing = flood(&pressure, Duration::from_secs(1), 10, false);
        assert!((4500..=5100).contains(&signing.as_millis()), "{signing:?}");
    }

    #[test]
    fn t37_a_worker_that_has_time_serves_every_nonce() {
        let pressure = Pressure::default();
        let signing = flood(&pressure, Duration::ZERO, 2, true);
        assert!(signing >= Duration::from_secs(2), "{signing:?}");
    }

    #[test]
    fn t37_when_the_flood_is_over_the_next_nonce_is_served() {
        let pressure = Pressure::default();
        flood(&pressure, Duration::ZERO, 1, false);
        while !pressure.sheds(Duration::from_secs(1)) {
            pressure.spend(SIGNATURE);
        }
        pressure.rest();
        assert!(!pressure.sheds(Duration::from_secs(1) + WINDOW));
        assert!(!pressure.sheds(Duration::from_secs(60)));
    }
}
