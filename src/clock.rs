//! The time, as a value: whoever needs it is given a [`Clock`], and tests give their own.
//!
//! The hot path never holds one: `respond` takes the time as an argument.

#![expect(clippy::disallowed_methods, reason = "this is the one place that looks at the machine's clock")]

use crate::x509::UnixTime;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

/// Where the time comes from.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's.
    #[default]
    System,
    /// One that stands where its owner puts it, in seconds since 1970.
    Fixed(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `time`.
    #[must_use]
    pub fn fixed(time: UnixTime) -> Self {
        Self::Fixed(Arc::new(AtomicI64::new(time.seconds())))
    }

    #[must_use]
    pub fn now(&self) -> UnixTime {
        match self {
            Self::System => UnixTime::from_system(SystemTime::now()),
            Self::Fixed(seconds) => UnixTime::from_seconds(seconds.load(Ordering::Relaxed)),
        }
    }

    /// Puts a fixed clock to `time`; the machine's clock is left alone.
    pub fn set(&self, time: UnixTime) {
        if let Self::Fixed(seconds) = self {
            seconds.store(time.seconds(), Ordering::Relaxed);
        }
    }
}
