//! The time, as a value: whoever needs it is given a [`Clock`], and tests give their own.
//!
//! The hot path never holds one: `respond` takes the time as an argument. What is deleted when it is old is told its age
//! by [`Aging`], which a clock that steps ahead does not mislead.

#![expect(clippy::disallowed_methods, reason = "this is the one place that looks at the machine's clocks")]

mod aging;

pub use aging::Aging;

use crate::x509::UnixTime;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime};

/// From where [`Clock::passed`] counts.
static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that stands where its owner puts it.
    Fixed(Arc<Fixed>),
}

/// See [`Clock::fixed`].
#[derive(Debug, Default)]
pub struct Fixed {
    /// Seconds since 1970.
    now: AtomicI64,
    passed: AtomicI64,
}

impl Clock {
    /// A clock that stands at `time`.
    #[must_use]
    pub fn fixed(time: UnixTime) -> Self {
        Self::Fixed(Arc::new(Fixed { now: AtomicI64::new(time.seconds()), passed: AtomicI64::new(0) }))
    }

    #[must_use]
    pub fn now(&self) -> UnixTime {
        match self {
            Self::System => UnixTime::from_system(SystemTime::now()),
            Self::Fixed(fixed) => UnixTime::from_seconds(fixed.now.load(Ordering::Relaxed)),
        }
    }

    /// Seconds that have passed since some moment of the process, whatever was done to the clock meanwhile. While the
    /// machine sleeps none pass.
    #[must_use]
    pub fn passed(&self) -> i64 {
        match self {
            Self::System => i64::try_from(BEGAN.elapsed().as_secs()).unwrap_or(i64::MAX),
            Self::Fixed(fixed) => fixed.passed.load(Ordering::Relaxed),
        }
    }

    /// Puts a fixed clock to `time`, in no time; the machine's clock is left alone.
    pub fn set(&self, time: UnixTime) {
        if let Self::Fixed(fixed) = self {
            fixed.now.store(time.seconds(), Ordering::Relaxed);
        }
    }

    /// Lets so many seconds pass by a fixed clock.
    pub fn advance(&self, seconds: i64) {
        if let Self::Fixed(fixed) = self {
            fixed.passed.fetch_add(seconds, Ordering::Relaxed);
            fixed.now.fetch_add(seconds, Ordering::Relaxed);
        }
    }
}
