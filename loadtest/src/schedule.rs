//! When each request of an open loop is due.
//!
//! Called by `drive`. A schedule is a row of phases; in each the rate stands or changes in a straight
//! line. Arrivals are evenly spaced, so that two runs of a plan ask for the same thing at the same time.
//! Invariants: [`Schedule::due`] never decreases with the number of the arrival, is the same at every
//! call, and depends on nothing that the responder does: that is what makes the loop open.

use crate::plan::Phase;
use std::time::Duration;

/// Arrivals numbered from 0, each with its time from the start.
#[derive(Debug, Clone)]
pub struct Schedule {
    phases: Vec<Placed>,
    total: u64,
    length: f64,
}

#[derive(Debug, Clone, Copy)]
struct Placed {
    /// Arrivals and seconds before this phase.
    arrivals_before: f64,
    starts: f64,
    arrivals: f64,
    rate: f64,
    /// How the rate changes, per second.
    slope: f64,
}

impl Schedule {
    /// Of phases that [`crate::plan::Plan::check`] let through: positive seconds, rates not negative.
    #[must_use]
    pub fn new(phases: &[Phase], most: u64) -> Self {
        let (mut arrivals_before, mut starts) = (0.0, 0.0);
        let mut placed = Vec::with_capacity(phases.len());
        for phase in phases {
            let end = phase.rate_at_end.unwrap_or(phase.rate);
            let arrivals = phase.rate.midpoint(end) * phase.seconds;
            let slope = (end - phase.rate) / phase.seconds;
            placed.push(Placed { arrivals_before, starts, arrivals, rate: phase.rate, slope });
            arrivals_before += arrivals;
            starts += phase.seconds;
        }
        // Arrival k is due when k of them have come before: one at 0, none at the very end.
        let total = (arrivals_before - 1e-6).ceil().max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "not negative, and a float that is too large becomes u64::MAX"
        )]
        let total = (total as u64).min(most);
        Self { phases: placed, total, length: starts }
    }

    /// How many arrivals there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// How long it takes.
    #[must_use]
    pub fn length(&self) -> Duration {
        Duration::from_secs_f64(self.length)
    }

    /// When arrival `number` is due, from the start; `None` after the last.
    #[must_use]
    pub fn due(&self, number: u64) -> Option<Duration> {
        if number >= self.total {
            return None;
        }
        let wanted = number as f64;
        let phase = self.phases.iter().find(|phase| wanted < phase.arrivals_before + phase.arrivals)?;
        let more = (wanted - phase.arrivals_before).max(0.0);
        // rate t + slope t^2 / 2 = more, solved in the form that also holds for slope 0 and does not
        // subtract two large numbers.
        let root = (phase.rate * phase.rate + 2.0 * phase.slope * more).max(0.0).sqrt();
        let divisor = phase.rate + root;
        let within = if divisor > 0.0 { 2.0 * more / divisor } else { 0.0 };
        Some(Duration::from_secs_f64((phase.starts + within).min(self.length)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phase(seconds: f64, rate: f64, rate_at_end: Option<f64>) -> Phase {
        Phase { seconds, rate, rate_at_end }
    }

    fn near(found: Option<Duration>, seconds: f64) {
        let found = found.unwrap().as_secs_f64();
        assert!((found - seconds).abs() < 1e-6, "{found} is not {seconds}");
    }

    #[test]
    fn a_standing_rate_spaces_arrivals_evenly_from_zero() {
        let schedule = Schedule::new(&[phase(2.0, 1000.0, None)], u64::MAX);
        assert_eq!(schedule.total(), 2000);
        near(schedule.due(0), 0.0);
        near(schedule.due(1), 0.001);
        near(schedule.due(1999), 1.999);
        assert_eq!(schedule.due(2000), None);
    }

    #[test]
    fn a_ramp_has_the_arrivals_under_its_line() {
        // From 0 to 100 a second in 10 seconds: 500, a quarter of them in the first half.
        let schedule = Schedule::new(&[phase(10.0, 0.0, Some(100.0))], u64::MAX);
        assert_eq!(schedule.total(), 500);
        near(schedule.due(125), 5.0);
        let schedule = Schedule::new(&[phase(10.0, 100.0, Some(0.0))], u64::MAX);
        assert_eq!(schedule.total(), 500);
        near(schedule.due(375), 5.0);
    }

    #[test]
    fn phases_follow_each_other_without_a_gap_and_times_never_decrease() {
        let phases = [phase(1.0, 10.0, None), phase(2.0, 10.0, Some(1000.0)), phase(0.5, 333.3, None)];
        let schedule = Schedule::new(&phases, u64::MAX);
        let times: Vec<Duration> = (0..schedule.total()).map(|k| schedule.due(k).unwrap()).collect();
        assert!(times.is_sorted());
        near(schedule.due(10), 1.0);
        assert!(*times.last().unwrap() < schedule.length());
        let gaps = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]));
        assert!(gaps.max().unwrap() <= Duration::from_millis(101), "the slowest rate is 10 a second");
    }

    #[test]
    fn a_bound_on_the_count_cuts_the_schedule_and_a_silent_phase_has_no_arrival() {
        assert_eq!(Schedule::new(&[phase(10.0, 100.0, None)], 7).total(), 7);
        let schedule = Schedule::new(&[phase(3.0, 0.0, None), phase(1.0, 5.0, None)], u64::MAX);
        assert_eq!(schedule.total(), 5);
        near(schedule.due(0), 3.0);
    }
}
