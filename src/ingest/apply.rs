//! Applying a CRL that was judged: its entries become the rows of its scope.
//!
//! A CRL that speaks for several issuers is applied for all of them in one step, or for none: one refusal,
//! by what is held or by the guard, refuses it whole. Of an indirect CRL that is held for one issuer
//! already and new for another (it was just configured) only the latter's rows are written.

use super::Refused;
use super::gather::{Gathered, Gathering};
use super::guard::{Alarm, Before, Guard, Manner};
use super::judge::{CrlAuthority, Judge, Judged, Share};
use super::sort::Sorter;
use super::steps::{Step, Steps, With};
use super::succession::{Standing, check_signer, standing};
use super::taken_back::check_barred;
use crate::snapshot::IssuerIndex;
use crate::store::{Durability, Replacement, ScopeChange, ScopeKey, Sketching, Store, StoreError};
use crate::x509::UnixTime;
use crate::x509::crl::CrlHeader;
use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

/// What became of a CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is the state of its scope now.
    Applied(ScopeChange),
    /// It was that already.
    Unchanged,
    /// A delta CRL with nothing to add: the complete CRL that is held is as new.
    Overtaken,
    /// It would be so, and the guard has this against it. Nothing was written.
    Rehearsed(ScopeChange, Option<Alarm>),
}

/// A CRL that was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The issuer that it speaks for; of several, the first.
    pub issuer: IssuerIndex,
    pub issuer_name: String,
    /// The distribution point for people; empty for a CRL that names none.
    pub scope: String,
    /// Big-endian; empty where the CRL has none.
    pub crl_number: Vec<u8>,
    pub this_update: UnixTime,
    pub next_update: UnixTime,
    pub entries: u64,
    /// Entries of an indirect CRL about certificates of CAs that it may not speak for here.
    pub foreign_entries: u64,
    pub octets: u64,
    /// Whether it is a delta CRL.
    pub is_delta: bool,
    /// The scopes that it is a CRL of, one for each issuer; of a delta CRL those of its complete one.
    pub scopes: Vec<ScopeKey>,
    /// What became of it for `issuer`.
    pub outcome: Outcome,
    /// And for the other issuers that an indirect CRL speaks for.
    pub others: Vec<(String, Outcome)>,
}

impl Report {
    /// Each issuer that it speaks for, and what became of it there.
    pub fn outcomes(&self) -> impl Iterator<Item = (&str, Outcome)> {
        let others = self.others.iter().map(|(name, outcome)| (name.as_str(), *outcome));
        std::iter::once((self.issuer_name.as_str(), self.outcome)).chain(others)
    }

    /// Whether it changed what is held, of any issuer.
    #[must_use]
    pub fn is_applied(&self) -> bool {
        self.outcomes().any(|(_, outcome)| matches!(outcome, Outcome::Applied(_)))
    }

    fn conclude(mut self, outcomes: impl IntoIterator<Item = (String, Outcome)>) -> Self {
        let mut outcomes = outcomes.into_iter();
        if let Some((_, outcome)) = outcomes.next() {
            self.outcome = outcome;
        }
        self.others = outcomes.collect();
        self
    }
}

/// Takes CRLs into a store. One at a time: the store serialises its writers.
#[derive(Debug, Clone)]
pub struct Ingest {
    store: Arc<Store>,
    judge: Judge,
    guard: Guard,
    durability: Durability,
}

impl Ingest {
    #[must_use]
    pub fn new(store: Arc<Store>, judge: Judge) -> Self {
        Self { store, judge, guard: Guard::default(), durability: Durability::Synced }
    }

    /// With another guard than the usual one.
    #[must_use]
    pub fn guarded_by(self, guard: Guard) -> Self {
        Self { guard, ..self }
    }

    /// Does not wait for the disk with each CRL: of thousands of small ones nearly all the time would go
    /// there. Before anybody is told of a CRL, or answered from it, comes [`Ingest::settle`]. A process that is
    /// killed loses nothing; a machine that stops may lose the CRLs since the last [`Ingest::settle`], the last
    /// ones first, which then are new again at their sources.
    #[must_use]
    pub fn in_groups(self) -> Self {
        Self { durability: Durability::Ordered, ..self }
    }

    /// Waits until all CRLs that were taken in are on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn settle(&self) -> Result<(), StoreError> {
        self.store.sync()
    }

    /// Reads, verifies and applies one CRL, if the guard lets it pass.
    ///
    /// # Errors
    /// Why it is refused; nothing changed then.
    pub fn ingest(&self, source: impl Read) -> Result<Report, Refused> {
        self.ingest_as(source, Manner::Guarded)
    }

    /// Reads and verifies one CRL, and does with it what `manner` says.
    ///
    /// # Errors
    /// Why it is refused; nothing changed then.
    pub fn ingest_as(&self, source: impl Read, manner: Manner) -> Result<Report, Refused> {
        self.ingest_timed(source, manner, &mut Steps::untimed())
    }

    fn ingest_timed(
        &self,
        mut source: impl Read,
        manner: Manner,
        steps: &mut Steps,
    ) -> Result<Report, Refused> {
        if manner == Manner::Rehearsed {
            return self.judge.rehearse(source, Some(&self.store), &self.guard);
        }
        let report = self.read(&mut source, manner, Pass::Only, steps)?;
        // Sorted entries are always enough.
        report.ok_or_else(|| Refused::Read(io::ErrorKind::Other.into()))
    }

    /// As [`Ingest::ingest_as`], of a source that can be read again: then a large CRL that is nearly the one
    /// that is held costs a quarter of a first load.
    ///
    /// # Errors
    /// As there.
    pub fn refresh(&self, source: impl Read + Seek, manner: Manner) -> Result<Report, Refused> {
        self.refresh_timed(source, manner, &mut Steps::untimed())
    }

    /// As [`Ingest::refresh`], and `steps` is told what is begun.
    ///
    /// # Errors
    /// As there.
    pub fn refresh_timed(
        &self,
        mut source: impl Read + Seek,
        manner: Manner,
        steps: &mut Steps,
    ) -> Result<Report, Refused> {
        // A pipe is read once.
        if let Ok(begin) = source.stream_position()
            && manner != Manner::Rehearsed
        {
            if let Some(report) = self.read(&mut source, manner, Pass::First, steps)? {
                return Ok(report);
            }
            source.seek(SeekFrom::Start(begin))?;
        }
        self.ingest_timed(source, manner, steps)
    }

    /// `None`: the entries are needed in order, and were not kept.
    fn read(
        &self,
        source: &mut impl Read,
        manner: Manner,
        pass: Pass,
        steps: &mut Steps,
    ) -> Result<Option<Report>, Refused> {
        let gather = |header: &CrlHeader, sole: Option<&CrlAuthority>, sorter: Sorter| {
            let Some(sole) = sole else { return Ok(Gathering::Sorting(sorter)) };
            let (octets, this_update) = (header.entries_octets, header.this_update);
            let sketching = self.store.sketching(sole.number, octets, this_update, sole.retention)?;
            Ok(match (sketching, pass) {
                (Sketching::Instead(sketch), Pass::Only) => Gathering::Both(sorter, sketch),
                (sketching, _) => Gathering::new(sketching, sorter),
            })
        };
        let judged = self.judge.judge_with(source, gather, steps)?;
        check_signer(&self.store, &judged)?;
        let Judged { report, delta_base, shares, .. } = judged;
        let (mut outcomes, mut replacements, mut befores) = (Vec::new(), Vec::new(), Vec::new());
        for Share { issuer_name, draft, retention, entries } in shares {
            let standing = standing(&self.store, &draft, delta_base.as_deref())?;
            if matches!(standing, Standing::Next(_)) && manner == Manner::Guarded {
                check_barred(&self.store, &draft.crl_sha256)?;
            }
            let outcome = match standing {
                Standing::Next(before) => match entries {
                    Gathered::Sorted(entries, sketch) => {
                        let entries = entries.map(|entry| entry.map_err(Refused::from));
                        replacements.push(Replacement { next: draft, retention, entries, sketch });
                        befores.push(before);
                        None
                    }
                    // It is the only share, so nothing was done yet. A delta CRL takes the place of another list.
                    Gathered::Summed(_) if delta_base.is_some() => return Ok(None),
                    Gathered::Summed(sketch) => {
                        steps.begin(Step::Compare(With::Sums));
                        let approve = |change: &ScopeChange| {
                            self.approve(manner, &before, change)?;
                            steps.begin(Step::Commit);
                            Ok(())
                        };
                        let durability = self.durability;
                        let change =
                            self.store.refresh_scope_if(draft, retention, sketch, durability, approve)?;
                        let Some(change) = change else { return Ok(None) };
                        Some(Outcome::Applied(change))
                    }
                },
                Standing::Same => Some(Outcome::Unchanged),
                Standing::Overtaken => Some(Outcome::Overtaken),
            };
            outcomes.push((issuer_name, outcome));
        }
        let mut changes = Vec::new();
        if !replacements.is_empty() {
            steps.begin(Step::Compare(With::Entries));
            changes = self.store.replace_scopes_if(replacements, self.durability, |changes| {
                let mut both = befores.iter().zip(changes);
                both.try_for_each(|(before, change)| self.approve(manner, before, change))?;
                steps.begin(Step::Commit);
                Ok(())
            })?;
        }
        let mut changes = changes.into_iter();
        // Every outcome that is open has its change.
        let mut concluded = |outcome: Option<Outcome>| {
            outcome.unwrap_or_else(|| Outcome::Applied(changes.next().unwrap_or_default()))
        };
        let outcomes: Vec<_> =
            outcomes.into_iter().map(|(name, outcome)| (name, concluded(outcome))).collect();
        Ok(Some(report.conclude(outcomes)))
    }

    fn approve(&self, manner: Manner, before: &Before, change: &ScopeChange) -> Result<(), Refused> {
        if manner == Manner::Guarded {
            self.guard.check(before, change)?;
        }
        Ok(())
    }
}

/// Whether a source can be read once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    First,
    Only,
}

impl Judge {
    /// What taking a CRL into `store` would change. Nothing is written, and `store` may be open for
    /// reading only; without one every entry is new.
    ///
    /// # Errors
    /// Why it would be refused, the guard's reasons aside: those are in the report.
    pub fn rehearse(
        &self,
        source: impl Read,
        store: Option<&Store>,
        guard: &Guard,
    ) -> Result<Report, Refused> {
        let judged = self.judge(source)?;
        if let Some(store) = store {
            check_signer(store, &judged)?;
        }
        let Judged { report, delta_base, shares, .. } = judged;
        let mut outcomes = Vec::with_capacity(shares.len());
        for share in shares {
            let entries = share.entries.map(|entry| entry.map_err(Refused::from));
            let outcome = match store {
                Some(store) => match standing(store, &share.draft, delta_base.as_deref())? {
                    Standing::Same => Outcome::Unchanged,
                    Standing::Overtaken => Outcome::Overtaken,
                    Standing::Next(before) => {
                        check_barred(store, &share.draft.crl_sha256)?;
                        let change = store.compare_scope(&share.draft, entries, share.retention)?;
                        Outcome::Rehearsed(change, guard.check(&before, &change).err())
                    }
                },
                // Where nothing is held, a delta CRL has nothing to stand on.
                None => match &delta_base {
                    Some(base) => return Err(Refused::before_base(base)),
                    None => Outcome::Rehearsed(all_new(entries)?, None),
                },
            };
            outcomes.push((share.issuer_name, outcome));
        }
        Ok(report.conclude(outcomes))
    }
}

fn all_new<T>(entries: impl Iterator<Item = Result<T, Refused>>) -> Result<ScopeChange, Refused> {
    let mut change = ScopeChange::default();
    for entry in entries {
        entry?;
        change.added += 1;
    }
    change.entries = change.added;
    Ok(change)
}
