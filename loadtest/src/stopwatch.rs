//! The one place that reads the monotonic clock: measuring time is what this program is for.

use std::time::{Duration, Instant};

#[expect(clippy::disallowed_methods, reason = "a load generator measures time; the ban is for the responder")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Nanoseconds, as a histogram takes them.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
