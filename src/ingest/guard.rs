//! The guard: a change that nobody in his right mind would publish waits for a person's word.
//!
//! A signature says who made a CRL, not that it was made well. A CA whose database was restored from last
//! year's tape signs a list that has lost half of its entries, and every number in it goes up. So
//! [`Ingest`](super::Ingest) shows each change to the guard after the CRL was verified and compared with what is
//! held, and before anything is written.
//! A delta CRL is measured against the complete one that it stands on.
//!
//! Invariants: a first load is no change; a scope of few entries never alarms
//! ([`Guard::tolerated`]); a CRL that only adds never alarms, however much it adds, because a mass
//! revocation must not wait.
//!
//! Errors: [`Alarm`], with both sides of the comparison. [`Manner::Forced`] passes this guard and nothing
//! else: signature, number and times are judged all the same.

use crate::store::ScopeChange;

/// How far a CRL may go without being asked. Percentages are of the entries that are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// Entries that a CRL may have less than the one before.
    pub max_shrink: u8,
    /// Holds that it may release.
    pub max_released: u8,
    /// Permanent entries that it may leave out, or call holds: withdrawn, as far as the CA goes.
    pub max_withdrawn: u8,
    /// So many entries never alarm, whatever part of the scope they are.
    pub tolerated: u64,
}

impl Default for Guard {
    /// Cards run out over ten years, so some thousandths of the entries leave in a month; a scope that
    /// is pruned once a year loses a tenth.
    fn default() -> Self {
        Self { max_shrink: 30, max_released: 20, max_withdrawn: 30, tolerated: 100 }
    }
}

/// What the guard has against a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Alarm {
    #[error(
        "shrinks suddenly: it has {offered} entries, the one held {held}, and it may lose {allowed} at once \
         (ask the CA; if it is meant, `ocsprey crl ingest --force`, or raise guard.max_shrink)"
    )]
    Shrunk { held: u64, offered: u64, allowed: u64 },
    #[error(
        "releases {released} of {held} entries from hold at once, and {allowed} are allowed \
         (ask the CA; if it is meant, `ocsprey crl ingest --force`, or raise guard.max_released)"
    )]
    MassRelease { held: u64, released: u64, allowed: u64 },
    #[error(
        "withdraws {withdrawn} permanent revocations of {held} entries at once, and {allowed} are allowed \
         (ask the CA; if it is meant, `ocsprey crl ingest --force`, or raise guard.max_withdrawn)"
    )]
    MassWithdrawal { held: u64, withdrawn: u64, allowed: u64 },
}

/// What a CRL takes the place of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// It is the first of its scope.
    Nothing,
    /// A complete CRL with so many entries.
    Complete { entries: u64 },
    /// It is a delta CRL, on a complete one with so many entries. `is_in_force`: it takes the place
    /// of another delta CRL that counts, because no complete one has overtaken that.
    Delta { complete: u64, is_in_force: bool },
}

impl Guard {
    /// Whether `change` may be made without a word from a person.
    ///
    /// # Errors
    /// What speaks against it.
    pub(super) fn check(&self, before: &Before, change: &ScopeChange) -> Result<(), Alarm> {
        match *before {
            Before::Nothing => Ok(()),
            Before::Complete { entries } => self.check_entries(entries, change),
            Before::Delta { complete, is_in_force } => {
                // A delta CRL's own size says nothing: it shrinks whenever a complete one has taken its
                // entries over. What it undoes is measured against the complete one below it: holds that it
                // lifts now, and what the delta CRL in force said that it says no more.
                let undone = |left_out: u64| if is_in_force { left_out } else { 0 };
                let released = change.lifted.saturating_add(undone(change.released));
                let change = ScopeChange {
                    released,
                    retained: undone(change.retained),
                    entries: complete,
                    ..ScopeChange::default()
                };
                self.check_entries(complete, &change)
            }
        }
    }

    /// What speaks against `change` of a complete CRL with so many `entries`.
    #[must_use]
    pub fn look_at(&self, entries: u64, change: &ScopeChange) -> Option<Alarm> {
        self.check_entries(entries, change).err()
    }

    fn check_entries(&self, held: u64, change: &ScopeChange) -> Result<(), Alarm> {
        // Rounded down, but never below what is always tolerated. 128 bits: the product may be large.
        let allowed = |percent: u8| {
            let part = u128::from(held) * u128::from(percent.min(100)) / 100;
            u64::try_from(part).unwrap_or(u64::MAX).max(self.tolerated)
        };
        let ScopeChange { released, retained: withdrawn, entries: offered, .. } = *change;
        let most = allowed(self.max_shrink);
        if held.saturating_sub(offered) > most {
            return Err(Alarm::Shrunk { held, offered, allowed: most });
        }
        let most = allowed(self.max_released);
        if released > most {
            return Err(Alarm::MassRelease { held, released, allowed: most });
        }
        let most = allowed(self.max_withdrawn);
        if withdrawn > most {
            return Err(Alarm::MassWithdrawal { held, withdrawn, allowed: most });
        }
        Ok(())
    }
}

/// How a CRL is to be taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// If the guard lets it pass.
    #[default]
    Guarded,
    /// Whatever the guard says. Whatever else is wrong with it still counts.
    Forced,
    /// Not at all: only say what would change.
    Rehearsed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(entries: u64, change: ScopeChange) -> Result<(), Alarm> {
        Guard::default().check_entries(entries, &change)
    }

    #[test]
    fn t34_a_sudden_shrink_alarms_above_its_part_and_not_at_it() {
        let shrunk_to = |offered| check(10_000, ScopeChange { entries: offered, ..ScopeChange::default() });
        assert_eq!(shrunk_to(7_000), Ok(()));
        assert_eq!(shrunk_to(6_999), Err(Alarm::Shrunk { held: 10_000, offered: 6_999, allowed: 3_000 }));
        assert_eq!(shrunk_to(0), Err(Alarm::Shrunk { held: 10_000, offered: 0, allowed: 3_000 }));
    }

    #[test]
    fn t34_releases_and_withdrawals_alarm_also_where_as_many_entries_came() {
        let change = ScopeChange { entries: 10_000, added: 2_001, ..ScopeChange::default() };
        let released = |released| check(10_000, ScopeChange { released, ..change });
        assert_eq!(released(2_000), Ok(()));
        let alarm = Alarm::MassRelease { held: 10_000, released: 2_001, allowed: 2_000 };
        assert_eq!(released(2_001), Err(alarm));
        let withdrawn = |retained| check(10_000, ScopeChange { retained, ..change });
        assert_eq!(withdrawn(3_000), Ok(()));
        let alarm = Alarm::MassWithdrawal { held: 10_000, withdrawn: 3_001, allowed: 3_000 };
        assert_eq!(withdrawn(3_001), Err(alarm));
    }

    #[test]
    fn t34_a_small_scope_a_first_load_and_a_mass_revocation_never_alarm() {
        let emptied = ScopeChange { released: 40, retained: 60, ..ScopeChange::default() };
        assert_eq!(check(100, emptied), Ok(()));
        assert_eq!(Guard::default().check(&Before::Nothing, &ScopeChange::default()), Ok(()));
        let mass = ScopeChange { added: 1_000_000, entries: 1_010_000, ..ScopeChange::default() };
        assert_eq!(check(10_000, mass), Ok(()));
    }

    #[test]
    fn t34_a_delta_crl_is_measured_against_the_complete_one_below_it() {
        let check = |is_in_force, change| {
            Guard::default().check(&Before::Delta { complete: 10_000, is_in_force }, &change)
        };
        let lifts = |lifted| ScopeChange { lifted, added: lifted, entries: lifted, ..ScopeChange::default() };
        assert_eq!(check(false, lifts(2_000)), Ok(()));
        let alarm = Alarm::MassRelease { held: 10_000, released: 2_001, allowed: 2_000 };
        assert_eq!(check(false, lifts(2_001)), Err(alarm));
        // What is gone with a delta CRL that was overtaken stands in the complete one, or was meant.
        let emptied = ScopeChange { released: 2_001, retained: 3_001, ..ScopeChange::default() };
        assert_eq!(check(false, emptied), Ok(()));
        assert_eq!(check(true, emptied), Err(alarm));
        let withdrawn = ScopeChange { released: 0, ..emptied };
        let alarm = Alarm::MassWithdrawal { held: 10_000, withdrawn: 3_001, allowed: 3_000 };
        assert_eq!(check(true, withdrawn), Err(alarm));
    }

    #[test]
    fn a_guard_of_100_percent_is_none_and_one_of_0_tolerates_its_few() {
        let emptied = ScopeChange { released: 5_000, retained: 5_000, ..ScopeChange::default() };
        let open = Guard { max_shrink: 100, max_released: 100, max_withdrawn: 100, tolerated: 0 };
        assert_eq!(open.check_entries(10_000, &emptied), Ok(()));
        let strict = Guard { max_shrink: 0, max_released: 0, max_withdrawn: 0, tolerated: 0 };
        let one = ScopeChange { released: 1, entries: 10_000, ..ScopeChange::default() };
        assert!(strict.check_entries(10_000, &one).is_err());
        assert_eq!(Guard { tolerated: 1, ..strict }.check_entries(10_000, &one), Ok(()));
        // Numbers that no CRL has do not overflow.
        assert!(open.check_entries(u64::MAX, &emptied).is_ok());
    }
}
