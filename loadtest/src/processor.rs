//! CPU time of a process, user and system; and what machine this is.
//!
//! Called by `run`. `/proc/PID/stat` counts every thread that ever was, in steps of 10 ms;
//! `/proc/PID/task/TID/schedstat` counts the threads that are, in nanoseconds. Runs of a second need the
//! latter, so it is used unless threads have ended meanwhile. On systems without `/proc` there is neither,
//! and reports say nothing of it.

use std::collections::BTreeMap;
use std::fs;

/// USER_HZ: what the kernel counts in towards programs, 100 on every Linux in use.
const TICKS_A_SECOND: f64 = 100.0;
/// How far the two counts may be apart by their steps alone, in seconds.
const STEPS: f64 = 0.03;

/// The CPU time that a process has taken so far.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Spent {
    /// All threads, in seconds.
    coarse: f64,
    /// Threads that are there, in nanoseconds.
    threads: BTreeMap<String, u64>,
}

impl Spent {
    /// By process `pid`, which may be `self`.
    #[must_use]
    pub fn by(pid: &str) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let coarse = ticks(&stat)? as f64 / TICKS_A_SECOND;
        let mut threads = BTreeMap::new();
        for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
            // Gone since it was listed, or a kernel that keeps no such count.
            let Ok(told) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
            let Some(nanoseconds) = told.split(' ').next().and_then(|first| first.parse().ok()) else {
                continue;
            };
            threads.insert(thread.file_name().to_string_lossy().into_owned(), nanoseconds);
        }
        Some(Self { coarse, threads })
    }

    /// Seconds since `earlier`, of the same process.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> f64 {
        let fine: u64 = self
            .threads
            .iter()
            .map(|(thread, now)| now.saturating_sub(earlier.threads.get(thread).copied().unwrap_or_default()))
            .sum();
        let (fine, coarse) = (fine as f64 / 1e9, self.coarse - earlier.coarse);
        if coarse > fine + STEPS { coarse } else { fine }
    }
}

/// proc(5): fields 14 and 15. The second, the program's name, may hold blanks and parentheses.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    user.checked_add(system)
}

/// The processor's name and how many of it this program may use.
#[must_use]
pub fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(':'));
    let name = name.map_or("unknown processor", |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{name}, {cores} {} for this program", if cores == 1 { "core" } else { "cores" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_5_the_name_of_a_program_does_not_shift_the_fields() {
        let stat = "42 (a) b (c) S 1 42 42 0 -1 4194304 100 0 0 0 731 269 0 0 20 0 5 0 100 1 1";
        assert_eq!(ticks(stat), Some(1000));
        assert_eq!(ticks("42 (a"), None);
    }

    #[test]
    fn threads_are_counted_finely_until_one_has_ended() {
        let spent = |coarse, threads: &[(&str, u64)]| Spent {
            coarse,
            threads: threads.iter().map(|(name, spent)| ((*name).to_owned(), *spent)).collect(),
        };
        let before = spent(1.0, &[("1", 600_000_000), ("2", 400_000_000)]);
        let after = spent(1.01, &[("1", 601_500_000), ("2", 400_000_000), ("3", 2_500_000)]);
        assert!((after.since(&before) - 0.004).abs() < 1e-9);
        // Thread 2 took half a second more and ended.
        let after = spent(1.51, &[("1", 601_500_000)]);
        assert!((after.since(&before) - 0.51).abs() < 1e-9);
    }

    #[test]
    fn this_process_is_seen_to_work() {
        let before = Spent::by("self").unwrap();
        let mut after = before.clone();
        let mut sum = 0_u64;
        while after.since(&before) < 0.002 {
            sum = (0..10_000).fold(sum, |sum, number| std::hint::black_box(sum.wrapping_add(number)));
            after = Spent::by("self").unwrap();
        }
        assert!(after.since(&before) < 10.0);
        assert!(Spent::by("no-such-process").is_none());
    }
}
