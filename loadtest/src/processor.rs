//! CPU time of a process, from `/proc/PID/stat`, in steps of 10 ms; and what machine this is.
//!
//! Called by `run`. On systems without `/proc` there is none, and reports say nothing of it.

use std::fs;

/// USER_HZ: what the kernel counts in towards programs, 100 on every Linux in use.
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds of CPU (user and system) that process `pid` and its threads have taken.
#[must_use]
pub fn seconds(pid: &str) -> Option<f64> {
    ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?).map(|ticks| ticks as f64 / TICKS_A_SECOND)
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
}
