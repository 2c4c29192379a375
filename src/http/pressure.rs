//! How hard a worker is pressed, and what may be done for a request then (trap 37).
//!
//! While a worker has time to rest, everything is done for everybody. Two degrees of pressure take some of it away,
//! before any work is done on it; whoever is turned away is told `tryLater`:
//!
//! * **Pressed**: it has not rested for a whole [`WINDOW`]. An answer with a nonce is signed for one client, whatever is
//!   in memory or in the store: those together get half of each window, so that a flood of them leaves the other
//!   half to those who can be answered from memory, who need a small part of a signature's time.
//! * **Overloaded**: a request waits longer than the operator allows until it is taken up. Then what is dearest gives
//!   way first: signatures with a nonce get a tenth of each window, other signatures a quarter, answers that were
//!   signed beforehand, which cost a look into the store, another quarter. What is in memory costs no more than the
//!   refusal would, and is always given. The first rest ends it: everything that waited has been answered.
//!
//! How long requests wait nobody tells a server: octets lie in a socket until they are read. So a task of the worker
//! goes to sleep and looks how much too late it is woken ([`keep_watch`]): it stands in the same queue
//! as a connection whose octets have come. Clients on few connections that ask as fast as they are
//! answered press a worker and never overload it: they wait for each other only.
//!
//! One for each worker, which `app` tells whenever the worker's runtime has nothing to do; [`super::service`]
//! asks and reports. Nothing is shared between workers, and only [`keep_watch`] reads a clock.

use crate::respond::{Allowance, Effort};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// Long enough that a worker with any time to spare rests in it, short beside what a client waits.
const WINDOW: Duration = Duration::from_millis(50);
/// Of a window, for answers with a nonce, of a worker that is pressed.
const PRESSED_NONCES: Duration = Duration::from_millis(25);
/// Of a window, of a worker that is overloaded.
const NONCES: Duration = Duration::from_millis(5);
const SIGNATURES: Duration = Duration::from_micros(12_500);
const HELD: Duration = Duration::from_micros(12_500);

/// Requests that may be decided and not yet signed: at 270 us for an RSA signature less than a share of a window.
const STANDING_BACK: u32 = 32;

/// How often an idle worker looks for delay, and one that has found some.
const CALM: Duration = Duration::from_millis(50);
const ALERT: Duration = Duration::from_millis(5);

/// The pressure on one worker. Only its own thread touches it: the atomics are plain stores and loads.
#[derive(Debug, Default)]
pub struct Pressure {
    /// Nanoseconds that a request may wait; 0: as long as it has to.
    patience: u64,
    /// It had nothing to do since the window began.
    rested: AtomicBool,
    is_pressed: AtomicBool,
    is_overloaded: AtomicBool,
    /// Nanoseconds, as the caller counts them.
    window_began: AtomicU64,
    /// Nanoseconds of this window that went into each class.
    nonces: AtomicU64,
    signatures: AtomicU64,
    held: AtomicU64,
    standing_back: AtomicU32,
}

impl Pressure {
    /// Of a worker whose requests are to be taken up within `patience`; `None`: there is no such limit.
    #[must_use]
    pub fn new(patience: Option<Duration>) -> Self {
        Self { patience: patience.map_or(0, nanoseconds), ..Self::default() }
    }

    /// The worker has answered everything and waits.
    pub fn rest(&self) {
        self.rested.store(true, Ordering::Relaxed);
        self.is_overloaded.store(false, Ordering::Relaxed);
    }

    /// A request would have waited so long just now.
    fn delayed(&self, delay: Duration) {
        let delay = nanoseconds(delay);
        if self.patience == 0 {
            return;
        }
        // Once it is, until the delay is half of that: else it would go to and fro with each request.
        let bound =
            if self.is_overloaded.load(Ordering::Relaxed) { self.patience / 2 } else { self.patience };
        self.is_overloaded.store(delay > bound, Ordering::Relaxed);
    }

    /// What may be done for a request that is taken up at `time`, counted from any fixed moment.
    pub(super) fn allowance(&self, time: Duration) -> Allowance {
        self.turn(nanoseconds(time));
        let is_spent = |spent: &AtomicU64, share| spent.load(Ordering::Relaxed) >= nanoseconds(share);
        if self.is_overloaded.load(Ordering::Relaxed) {
            let with_nonce = if is_spent(&self.nonces, NONCES) { Effort::Kept } else { Effort::Signature };
            let without = match (is_spent(&self.signatures, SIGNATURES), is_spent(&self.held, HELD)) {
                (false, _) => Effort::Signature,
                (true, false) => Effort::Held,
                (true, true) => Effort::Kept,
            };
            return Allowance { with_nonce, without };
        }
        let is_over = self.is_pressed.load(Ordering::Relaxed) && is_spent(&self.nonces, PRESSED_NONCES);
        let with_nonce = if is_over { Effort::Kept } else { Effort::Signature };
        Allowance { with_nonce, without: Effort::Signature }
    }

    /// Whether the worker did not rest for a whole window.
    pub(super) fn is_pressed(&self) -> bool {
        self.is_pressed.load(Ordering::Relaxed)
    }

    /// A place among those who let others go first, for as long as it is kept; `None` where all are taken, and in
    /// an overload, where each signature is allowed by what those before it have spent.
    pub(super) fn stand_back(&self) -> Option<StandingBack<'_>> {
        let others = self.standing_back.load(Ordering::Relaxed);
        if others >= STANDING_BACK || self.is_overloaded.load(Ordering::Relaxed) {
            return None;
        }
        self.standing_back.store(others + 1, Ordering::Relaxed);
        Some(StandingBack(self))
    }

    /// An answer of this kind took so long.
    pub(super) fn spend(&self, effort: Effort, has_nonce: bool, took: Duration) {
        let spent = match (effort, has_nonce) {
            (Effort::Kept, _) => return,
            (Effort::Held, _) => &self.held,
            (Effort::Signature, false) => &self.signatures,
            (Effort::Signature, true) => &self.nonces,
        };
        spent.store(spent.load(Ordering::Relaxed).saturating_add(nanoseconds(took)), Ordering::Relaxed);
    }

    /// Begins a new window when this one is over.
    fn turn(&self, time: u64) {
        if time.saturating_sub(self.window_began.load(Ordering::Relaxed)) < nanoseconds(WINDOW) {
            return;
        }
        self.window_began.store(time, Ordering::Relaxed);
        self.is_pressed.store(!self.rested.swap(false, Ordering::Relaxed), Ordering::Relaxed);
        for spent in [&self.nonces, &self.signatures, &self.held] {
            spent.store(0, Ordering::Relaxed);
        }
    }
}

/// One of those who let others go first.
#[derive(Debug)]
pub(super) struct StandingBack<'a>(&'a Pressure);

impl Drop for StandingBack<'_> {
    fn drop(&mut self) {
        let all = self.0.standing_back.load(Ordering::Relaxed);
        self.0.standing_back.store(all.saturating_sub(1), Ordering::Relaxed);
    }
}

/// Watches how long requests of the worker wait that polls this, for as long as it does.
pub async fn keep_watch(pressure: &Pressure) {
    let mut every = CALM;
    loop {
        let due = Instant::now() + every;
        sleep_until(due).await;
        let delay = Instant::now().saturating_duration_since(due);
        pressure.delayed(delay);
        // A timer is late by up to a millisecond by itself.
        every = if delay > ALERT { ALERT } else { CALM };
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: Duration = Duration::from_micros(200);
    const REFUSAL: Duration = Duration::from_micros(8);
    const PATIENCE: Duration = Duration::from_millis(100);

    /// Requests without end from `begin` for `seconds`; how much time went into signatures for them.
    fn flood(pressure: &Pressure, begin: Duration, seconds: u64, has_nonce: bool, rests: bool) -> Duration {
        let (mut time, mut signing) = (begin, Duration::ZERO);
        while time < begin + Duration::from_secs(seconds) {
            let allowance = pressure.allowance(time);
            let most = if has_nonce { allowance.with_nonce } else { allowance.without };
            if most == Effort::Signature {
                pressure.spend(Effort::Signature, has_nonce, SIGNATURE);
                signing += SIGNATURE;
                time += SIGNATURE;
            } else {
                time += REFUSAL;
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
        flood(&pressure, Duration::ZERO, 1, true, false);
        let signing = flood(&pressure, Duration::from_secs(1), 10, true, false);
        assert!((4500..=5100).contains(&signing.as_millis()), "{signing:?}");
    }

    #[test]
    fn t37_a_worker_that_has_time_serves_every_nonce() {
        let pressure = Pressure::default();
        let signing = flood(&pressure, Duration::ZERO, 2, true, true);
        assert!(signing >= Duration::from_secs(2), "{signing:?}");
    }

    #[test]
    fn t37_when_the_flood_is_over_the_next_nonce_is_served() {
        let pressure = Pressure::default();
        flood(&pressure, Duration::ZERO, 1, true, false);
        let now = Duration::from_secs(1);
        while pressure.allowance(now).with_nonce == Effort::Signature {
            pressure.spend(Effort::Signature, true, SIGNATURE);
        }
        pressure.rest();
        for time in [now + WINDOW, Duration::from_secs(60)] {
            assert_eq!(pressure.allowance(time).with_nonce, Effort::Signature);
        }
    }

    #[test]
    fn a_worker_that_never_rests_and_lets_nobody_wait_signs_for_everybody_without_a_nonce() {
        let pressure = Pressure::new(Some(PATIENCE));
        pressure.delayed(PATIENCE);
        let signing = flood(&pressure, Duration::ZERO, 2, false, false);
        assert!(signing >= Duration::from_secs(2), "{signing:?}");
    }

    #[test]
    fn overload_leaves_each_class_its_share() {
        for (has_nonce, most) in [(false, 2500..=2700), (true, 1000..=1100)] {
            let pressure = Pressure::new(Some(PATIENCE));
            pressure.delayed(PATIENCE + SIGNATURE);
            let signing = flood(&pressure, Duration::from_secs(1), 10, has_nonce, false);
            assert!(most.contains(&signing.as_millis()), "{has_nonce}: {signing:?}");
        }
    }

    #[test]
    fn overload_takes_signatures_first_then_what_is_held_and_never_what_is_kept() {
        let pressure = Pressure::new(Some(PATIENCE));
        pressure.delayed(2 * PATIENCE);
        let now = Duration::from_secs(1);
        let without = || pressure.allowance(now).without;
        assert_eq!(without(), Effort::Signature);
        pressure.spend(Effort::Signature, false, SIGNATURES);
        assert_eq!(without(), Effort::Held);
        pressure.spend(Effort::Kept, false, WINDOW);
        assert_eq!(without(), Effort::Held);
        pressure.spend(Effort::Held, false, HELD);
        assert_eq!(without(), Effort::Kept);
    }

    #[test]
    fn overload_ends_with_the_first_rest_or_when_the_delay_is_half_of_what_is_allowed() {
        let pressure = Pressure::new(Some(PATIENCE));
        let now = Duration::from_secs(1);
        // The window begins.
        pressure.allowance(now);
        let is_over = || {
            pressure.spend(Effort::Signature, false, SIGNATURES);
            pressure.allowance(now).without == Effort::Signature
        };
        pressure.delayed(2 * PATIENCE);
        assert!(!is_over());
        pressure.rest();
        assert!(is_over());
        pressure.delayed(2 * PATIENCE);
        pressure.delayed(PATIENCE / 2 + SIGNATURE);
        assert!(!is_over());
        pressure.delayed(PATIENCE / 2);
        assert!(is_over());
    }

    #[test]
    fn t37_what_stands_back_is_less_than_a_share_and_nothing_in_an_overload() {
        let pressure = Pressure::new(Some(PATIENCE));
        let mut places: Vec<_> = std::iter::from_fn(|| pressure.stand_back()).collect();
        assert!(places.len() >= 16 && SIGNATURE * (u32::try_from(places.len()).unwrap()) <= SIGNATURES);
        places.pop();
        assert!(pressure.stand_back().is_some(), "a place is given back");
        pressure.delayed(2 * PATIENCE);
        assert!(pressure.stand_back().is_none());
        pressure.rest();
        assert!(pressure.stand_back().is_some());
    }

    #[test]
    fn without_a_limit_nobody_is_turned_away_for_the_delay() {
        let pressure = Pressure::new(None);
        pressure.delayed(Duration::from_secs(60));
        pressure.spend(Effort::Signature, false, SIGNATURES);
        assert_eq!(pressure.allowance(Duration::from_secs(1)).without, Effort::Signature);
    }

    #[test]
    fn a_worker_that_does_one_thing_for_long_finds_that_requests_waited() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let pressure = Pressure::new(Some(Duration::from_millis(20)));
        runtime.block_on(async {
            let mut watch = std::pin::pin!(keep_watch(&pressure));
            // A busy machine may wake it once more, in time, before anybody looks.
            for _ in 0..100 {
                let _ = tokio::time::timeout(Duration::from_millis(1), watch.as_mut()).await;
                if pressure.is_overloaded.load(Ordering::Relaxed) {
                    return;
                }
                // As a signature of an HSM would hold the thread.
                std::thread::sleep(Duration::from_millis(120));
            }
            panic!("nothing was noticed");
        });
    }
}
