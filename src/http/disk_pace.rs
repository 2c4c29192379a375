//! Whether a worker reads rows of the store itself, or has another thread read them.
//!
//! What RocksDB does not have in its block cache is usually in the machine's page cache, a microsecond or two away;
//! having another thread read it costs some 20. But where it comes from a slow disk, every other connection
//! of the worker would wait for it. Which of the two it is, nobody can say beforehand, so the worker goes by what it
//! just saw: time that its thread waited and did not work is counted up, a read that another thread
//! was not asked for is counted down, and once waiting has cost [`CREDIT`] more than asking would have, others
//! read for a while. Then the worker looks again. The slower the read that ended it, the longer
//! that while: at most a hundredth of the worker's time is spent on looking.
//!
//! Not to be let run is no waiting: who waits for a disk gives the processor away by itself. Where a worker shares its
//! core, taking the one for the other had nine of ten reads handed over that were in the page cache, at 20 us each.
//!
//! One for each worker, asked by [`super::service`]; nothing is shared between workers.

use nix::sys::resource::{UsageWho, getrusage};
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What it costs to hand a read over to another thread and to take up its answer.
const HAND_OVER: u64 = 20_000;
/// Nanoseconds of waiting beyond that, until others read.
const CREDIT: u64 = 500_000;
/// For how long at least, and how many times as long as the last read waited.
const PAUSE: u64 = 50_000_000;
const PAUSE_TIMES: u64 = 100;

/// How the reads of one worker went. Only its own thread touches it: the atomics are plain stores and loads.
#[derive(Debug, Default)]
pub(super) struct DiskPace {
    /// Nanoseconds that were waited beyond what handing over costs.
    owed: AtomicU64,
    /// Others read until then; nanoseconds, as the caller counts them.
    others_until: AtomicU64,
}

impl DiskPace {
    /// Whether the worker may read by itself at `time`, counted from any fixed moment.
    pub fn is_quick(&self, time: Duration) -> bool {
        nanoseconds(time) >= self.others_until.load(Ordering::Relaxed)
    }

    /// A read of the worker's own ended at `time`, and its thread waited so long in it.
    pub fn waited(&self, time: Duration, waited: Duration) {
        let waited = nanoseconds(waited);
        let owed = self.owed.load(Ordering::Relaxed).saturating_add(waited).saturating_sub(HAND_OVER);
        if owed <= CREDIT {
            self.owed.store(owed, Ordering::Relaxed);
            return;
        }
        self.owed.store(0, Ordering::Relaxed);
        let pause = PAUSE.max(waited.saturating_mul(PAUSE_TIMES));
        self.others_until.store(nanoseconds(time).saturating_add(pause), Ordering::Relaxed);
    }
}

/// What this thread has done, and how often it has waited.
#[derive(Debug)]
pub(super) struct Doings {
    worked: Duration,
    /// Times that it gave the processor away by itself.
    waits: i64,
}

impl Doings {
    pub fn now() -> Self {
        let worked = Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default();
        // It cannot fail for the thread itself; who does not know whether it waited has not.
        let waits = getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.voluntary_context_switches());
        Self { worked, waits }
    }

    /// How much of the last `span` this thread waited, where these were its doings when it began.
    pub fn waited_since(&self, span: Duration) -> Duration {
        let Self { worked, waits } = Self::now();
        if waits == self.waits {
            return Duration::ZERO;
        }
        span.saturating_sub(worked.saturating_sub(self.worked))
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MICROSECOND: Duration = Duration::from_micros(1);
    const SECOND: Duration = Duration::from_secs(1);

    /// Reads of `waited` each without end for `span`; how much of it the worker waited.
    fn reads(pace: &DiskPace, begin: Duration, span: Duration, waited: Duration) -> Duration {
        let (mut time, mut sum) = (begin, Duration::ZERO);
        while time < begin + span {
            if pace.is_quick(time) {
                time += waited + 10 * MICROSECOND;
                sum += waited;
                pace.waited(time, waited);
            } else {
                time += 20 * MICROSECOND;
            }
        }
        sum
    }

    #[test]
    fn a_page_cache_is_read_by_the_worker_itself() {
        let pace = DiskPace::default();
        reads(&pace, Duration::ZERO, SECOND, MICROSECOND);
        assert!(pace.is_quick(SECOND));
    }

    #[test]
    fn a_slow_disk_takes_two_hundredths_of_the_worker_at_the_most() {
        for micros in [100, 1000, 10_000, 200_000] {
            let span = 100 * SECOND;
            let waited = reads(&DiskPace::default(), Duration::ZERO, span, micros * MICROSECOND);
            assert!(waited <= span / 50 + micros * MICROSECOND, "{micros}: {waited:?}");
        }
    }

    #[test]
    fn a_slow_read_among_many_quick_ones_is_forgiven_as_long_as_asking_would_cost_more() {
        let pace = DiskPace::default();
        for round in 0..1000 {
            let time = round * 100 * MICROSECOND;
            assert!(pace.is_quick(time));
            pace.waited(time, if round % 10 == 0 { 100 * MICROSECOND } else { MICROSECOND });
        }
    }

    #[test]
    fn a_disk_that_became_quick_is_read_by_the_worker_again() {
        let pace = DiskPace::default();
        pace.waited(SECOND, 5000 * MICROSECOND);
        assert!(!pace.is_quick(SECOND));
        assert!(pace.is_quick(2 * SECOND));
    }

    #[test]
    fn a_thread_that_waits_is_told_from_one_that_is_not_let_run() {
        let (sender, receiver) = std::sync::mpsc::channel::<()>();
        let (span, before) = (Duration::from_millis(50), Doings::now());
        // Nobody sends: it waits.
        let _ = receiver.recv_timeout(span);
        assert!(before.waited_since(span) > span / 2);
        drop(sender);

        // More threads than there are processors, each of which takes all it gets.
        let crowd = std::thread::available_parallelism().map_or(2, std::num::NonZero::get) * 2;
        let is_busy = || {
            let before = Doings::now();
            let end = before.worked + span;
            while Doings::now().worked < end {}
            // However long that took.
            assert_eq!(before.waited_since(Duration::from_secs(3600)), Duration::ZERO);
        };
        std::thread::scope(|threads| {
            for _ in 0..crowd {
                threads.spawn(is_busy);
            }
        });
    }
}
