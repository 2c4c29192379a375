//! A large scope takes a CRL that is nearly the one before: only what differs is looked at.
//!
//! Called by ingest through [`super::Store::refresh_scope_if`] with the [sketch](super::sketch) of a CRL whose
//! signature was verified. The difference of two sketches names the entries that came and that went; their rows are
//! looked up, and merged, counted, approved and written as [`super::replace`] does it with all.
//!
//! Invariants: the same rows, the same counts and the same sketch as if all entries had been merged. Where that
//! is not certain nothing is changed, and the caller is told to bring the entries: no sketch is held, or
//! another CRL's; the entries that differ are too many, or a serial stands twice; what went has not the rows that
//! it must have; retained rows have been kept for as long as they are to be, and only a walk over all
//! finds them.

use super::block::Row;
use super::db::{Db, Durability, Family};
use super::error::{ReplaceError, StoreError};
use super::format::{Body, RowKey, for_each_status};
use super::registry;
use super::replace::{Moment, Ready, commit, finishing, merge};
use super::scope::{Retention, ScopeChange, ScopeRecord, ScopeRecordDraft};
use super::sketch::Sketch;
use super::unfinished;
use crate::x509::{PackedEntry, Revocation, SerialNumber};
use std::collections::HashMap;

/// Serials whose status rows are read together.
const GROUP: usize = 256;

/// Makes the CRL of `next`, whose entries `sketch` sums, the state of its scope. `None`: nothing is changed,
/// the entries themselves are needed. Under the writer's lock; `approve` has the last word before the commit.
pub fn refresh<E>(
    db: &Db,
    next: ScopeRecordDraft,
    retention: Retention,
    sketch: Sketch,
    durability: Durability,
    approve: impl FnOnce(&ScopeChange) -> Result<(), E>,
) -> Result<Option<ScopeChange>, ReplaceError<E>> {
    unfinished::finish(db)?;
    let moment = Moment { now: next.this_update, retention };
    let Some(record) = registry::scope(db, &next.key)? else { return Ok(None) };
    let Some((held, head)) = Sketch::held(db, &record)? else { return Ok(None) };
    if head.is_over(moment) {
        return Ok(None);
    }
    let Some((come, gone)) = sketch.difference(held) else { return Ok(None) };
    if record.entries + come.len() as u64 != sketch.entries() + gone.len() as u64 {
        return Ok(None);
    }
    let Some(few) = Few::look_up(db, &record, come, gone)? else { return Ok(None) };
    let entries = sketch.entries();
    finishing(db, || {
        let mut ready = Ready::new(db, next, Some(sketch))?;
        let Few { rows, come } = few;
        let retained = rows.iter().filter(|(_, body)| body.is_retained()).count() as u64;
        // Each row is retained, or its entry is in the CRL that is held, and each of that one's entries has one.
        let others = (record.entries + record.retained).saturating_sub(rows.len() as u64);
        let mut rows = rows.into_iter();
        ready.merged = merge(|| Ok(rows.next()), come.into_iter().map(Ok), moment, &mut ready.difference)?;
        let oldest = [ready.merged.oldest_retained, head.oldest_retained].into_iter().flatten().min();
        ready.merged.oldest_retained = oldest;
        let change = &mut ready.merged.change;
        change.entries = entries;
        change.unchanged += others;
        change.retained_in_all += record.retained.saturating_sub(retained);
        let approve = |changes: &[ScopeChange]| changes.first().map_or(Ok(()), approve);
        let (changes, is_any_overlaid) = commit(db, vec![ready], durability, approve)?;
        Ok((changes.into_iter().next(), is_any_overlaid))
    })
}

/// The serials of which two CRLs say something else.
struct Few {
    /// What the scope says of them, where it says anything, in order.
    rows: Vec<Row>,
    /// What the new CRL says, in order.
    come: Vec<(SerialNumber, Revocation)>,
}

impl Few {
    /// `None`: these cannot be the entries that came and went.
    fn look_up(
        db: &Db,
        record: &ScopeRecord,
        come: Vec<PackedEntry>,
        gone: Vec<PackedEntry>,
    ) -> Result<Option<Self>, StoreError> {
        let parts = |entries: Vec<PackedEntry>| entries.iter().map(PackedEntry::parts).collect();
        let (Some(come), Some(gone)): (Option<Vec<_>>, Option<Vec<_>>) = (parts(come), parts(gone)) else {
            return Ok(None);
        };
        let mut serials: Vec<SerialNumber> = come.iter().chain(&gone).map(|(serial, _)| *serial).collect();
        serials.sort_unstable();
        serials.dedup();
        let is_each_once =
            |entries: &[(SerialNumber, Revocation)]| entries.is_sorted_by(|one, next| one.0 < next.0);
        if !is_each_once(&come) || !is_each_once(&gone) {
            return Ok(None);
        }
        let rows = rows_of(db, record, &serials)?;
        // What went has just the row that its entry made. What came has none, or one of an entry that went, or
        // one that is retained: else its serial stands there twice now.
        let gone: HashMap<SerialNumber, Body> =
            gone.iter().map(|(serial, revocation)| (*serial, Body::new(revocation))).collect();
        let listed = rows.iter().filter(|(_, body)| !body.is_retained());
        let mut found = 0;
        for (serial, body) in listed {
            if gone.get(serial) != Some(body) {
                return Ok(None);
            }
            found += 1;
        }
        Ok((found == gone.len()).then_some(Self { rows, come }))
    }
}

/// What the scope says of these serials, which ascend.
fn rows_of(db: &Db, record: &ScopeRecord, serials: &[SerialNumber]) -> Result<Vec<Row>, StoreError> {
    let mut rows = Vec::with_capacity(serials.len());
    for group in serials.chunks(GROUP) {
        let keys: Vec<RowKey> = group.iter().map(|serial| RowKey::new(record.issuer().0, serial)).collect();
        for (serial, value) in group.iter().zip(db.get_many(Family::Status, &keys)?) {
            let Some(value) = value else { continue };
            for_each_status(&value, |scope, body| {
                if scope == record.number {
                    rows.push((*serial, body));
                }
            })
            .map_err(|bad| db.bad(bad))?;
        }
    }
    Ok(rows)
}
