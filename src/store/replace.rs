//! The write side of the scopes: a CRL's entries become the rows of its scope, all at once.
//!
//! The difference is the write. The entries come sorted and are merged against the scope's rows
//! in `scope_rows`; only what differs is written. Called by ingest, one writer at a time.
//!
//! What makes a change visible is always one batch that holds the scope's record, synced at once or, of a group
//! of CRLs, together ([`Durability`]):
//!
//! - A change of up to `max_batch_rows` rows (a daily refresh, a partition's first CRL) is that batch:
//!   status rows, index rows and record. It takes about 100 octets of memory a row.
//! - A larger first load is staged ([`super::staging`]) under the new scope's number, which no reader
//!   shows as long as no record has it. Then the batch adds the record.
//! - A larger change to a held scope (a mass revocation) is staged likewise, under a number of its own.
//!   Then the batch writes the record, and with it `O`: this number's rows are laid over the scope's. From
//!   there readers see the new CRL; the rows are folded into the scope's own afterwards, which changes
//!   nothing for them ([`super::unfinished`]).
//! - A removal is the other way round: one batch takes the record away, then the rows are swept.
//!
//! Memory grows with neither the CRL nor the change. Rows without a record have a mark in `meta` (`P`),
//! synced before the first of them is there and deleted with the last, or with the record; whoever writes next
//! sweeps them first.

use super::block::{Blocks, Row};
use super::db::{Batch, Db, Durability};
use super::epochs::Touched;
use super::error::{ReplaceError, StoreError};
use super::format::{Body, NumberKind, encode_record, encode_unrecorded, number_key, scope_key};
use super::registry;
use super::scope::{
    DistributionPointNumber, IssuerNumber, Layer, Retention, ScopeChange, ScopeKey, ScopeNumber, ScopeRecord,
    ScopeRecordDraft,
};
use super::sketch::{self, Sketch};
use super::staging::Staging;
use super::unfinished::{self, put_rows};
use crate::x509::{Revocation, SerialNumber, UnixTime};

/// A CRL that is to become the state of its scope.
pub struct Replacement<I> {
    pub next: ScopeRecordDraft,
    pub retention: Retention,
    /// Strictly ascending by serial number.
    pub entries: I,
    /// Of all entries of the CRL, those that stand twice among them.
    pub sketch: Option<Sketch>,
}

/// Replaces the scopes of these CRLs, each of another issuer. Under the writer's lock; `approve` has the last
/// word before the commit.
pub fn replace<E, I>(
    db: &Db,
    replacements: Vec<Replacement<I>>,
    durability: Durability,
    approve: impl FnOnce(&[ScopeChange]) -> Result<(), E>,
) -> Result<Vec<ScopeChange>, ReplaceError<E>>
where
    I: Iterator<Item = Result<(SerialNumber, Revocation), E>>,
{
    unfinished::finish(db)?;
    finishing(db, || {
        let mut all = Vec::with_capacity(replacements.len());
        for Replacement { next, retention, entries, sketch } in replacements {
            // A crash up to the commit leaves the old state: nothing is written, or files that are not part
            // of the store, or rows without a record.
            let mut ready = Ready::new(db, next, sketch)?;
            let moment = Moment { now: ready.next.this_update, retention };
            let mut rows = ScopeRows::new(db, ready.difference.held)?;
            ready.merged = merge(|| rows.take(), entries, moment, &mut ready.difference)?;
            all.push(ready);
        }
        commit(db, all, durability, approve)
    })
}

/// Does what ends with a commit, or with none; and then what a writer leaves to be finished.
pub(super) fn finishing<T, E>(
    db: &Db,
    write: impl FnOnce() -> Result<(T, bool), ReplaceError<E>>,
) -> Result<T, ReplaceError<E>> {
    match write() {
        Ok((result, is_any_overlaid)) => {
            if is_any_overlaid {
                // The new CRL is in force. What cannot be folded now, the next writer folds.
                let _ = unfinished::finish(db);
            }
            Ok(result)
        }
        Err(why) => {
            // The old CRL is in force. What cannot be swept now, the next writer sweeps.
            let _ = unfinished::finish(db);
            Err(why)
        }
    }
}

/// A CRL that was compared with what is held.
pub(super) struct Ready<'a> {
    pub next: ScopeRecordDraft,
    distribution_point_number: Option<DistributionPointNumber>,
    pub difference: Difference<'a>,
    pub merged: Merged,
    sketch: Option<Sketch>,
}

impl<'a> Ready<'a> {
    /// Not compared yet.
    pub fn new(db: &'a Db, next: ScopeRecordDraft, sketch: Option<Sketch>) -> Result<Self, StoreError> {
        let distribution_point_number = if next.key.distribution_point.is_empty() {
            None
        } else {
            // A crash after this leaves a number for a name that no scope has yet: harmless.
            let name = &next.key.distribution_point;
            let number = registry::number_for_name(db, NumberKind::DistributionPoint, name)?;
            Some(DistributionPointNumber(number))
        };
        let held = registry::scope(db, &next.key)?.map(|record| record.number);
        let difference = Difference::of(db, held, next.key.issuer);
        Ok(Self { next, distribution_point_number, difference, merged: Merged::default(), sketch })
    }

    /// The sketch, if the next CRL may be compared with it: it is of a complete CRL, each of whose serials
    /// stands there once and has the row that its entry says.
    fn usable_sketch(&self) -> Option<&Sketch> {
        let Merged { change, is_contradicted, .. } = &self.merged;
        let is_complete = self.next.key.layer == Layer::Complete;
        self.sketch
            .as_ref()
            .filter(|sketch| is_complete && !is_contradicted && sketch.entries() == change.entries)
    }
}

/// Writes what is ready in one step, if `approve` lets it pass. The changes, and whether any rows are laid over
/// others.
pub(super) fn commit<E>(
    db: &Db,
    all: Vec<Ready<'_>>,
    durability: Durability,
    approve: impl FnOnce(&[ScopeChange]) -> Result<(), E>,
) -> Result<(Vec<ScopeChange>, bool), ReplaceError<E>> {
    let changes: Vec<ScopeChange> = all.iter().map(|ready| ready.merged.change).collect();
    approve(&changes).map_err(ReplaceError::Source)?;
    let mut batch = db.batch()?;
    let mut touched = Touched::nothing();
    let mut is_any_overlaid = false;
    for ready in all {
        touched.include(&ready.difference.touched);
        let held = ready.difference.held;
        // A first CRL may be what others waited for; and which of two layers, or of two keys' CRLs,
        // counts for a serial number may turn without a row of it being changed.
        if held.is_none()
            || registry::scope(db, &ready.next.key.of_layer(Layer::Delta))?.is_some()
            || registry::has_other_keys(db, &ready.next.key)?
        {
            touched.issuer(ready.next.key.issuer);
        }
        let sketch = ready.usable_sketch().cloned();
        let Ready { next, distribution_point_number, difference, merged, .. } = ready;
        // The scopes are of different issuers, so no status row is written twice into this batch.
        let (scope, is_overlaid) = difference.write(&mut batch)?;
        is_any_overlaid |= is_overlaid;
        match sketch {
            Some(sketch) => sketch.put(db, &mut batch, scope, next.crl_sha256, merged.oldest_retained)?,
            None if held.is_some() => sketch::delete(db, &mut batch, scope)?,
            None => {}
        }
        let record = ScopeRecord {
            number: scope,
            distribution_point_number,
            crl: next,
            entries: merged.change.entries,
            retained: merged.change.retained_in_all,
        };
        batch.put_meta(&number_key(b'S', scope.0), &encode_record(&record));
        batch.put_meta(&scope_key(&record.crl.key), &scope.0.to_be_bytes());
    }
    // The one step. Before it the old CRL, after it the new one; there is nothing between, for
    // readers and crashes alike. Where it is only ordered, a machine that stops before the next sync loses
    // it with all that came after: the mark of staged rows was synced, so these are swept.
    db.epochs().commit(&touched, || batch.commit(durability))?;
    Ok((changes, is_any_overlaid))
}

/// What [`replace`] would change. Writes nothing.
pub fn compare<E>(
    db: &Db,
    next: &ScopeRecordDraft,
    entries: impl Iterator<Item = Result<(SerialNumber, Revocation), E>>,
    retention: Retention,
) -> Result<ScopeChange, ReplaceError<E>> {
    let mut rows = ScopeRows::new(db, registry::scope(db, &next.key)?.map(|record| record.number))?;
    let moment = Moment { now: next.this_update, retention };
    Ok(merge(|| rows.take(), entries, moment, &mut Nowhere)?.change)
}

/// Takes the scope away with all its rows, retained ones too. Whether there was one. Under the writer's lock.
pub fn remove(db: &Db, key: &ScopeKey) -> Result<bool, StoreError> {
    unfinished::finish(db)?;
    let Some(record) = registry::scope(db, key)? else { return Ok(false) };
    let mut batch = db.batch()?;
    batch.delete_meta(&scope_key(key));
    batch.delete_meta(&number_key(b'S', record.number.0));
    sketch::delete(db, &mut batch, record.number)?;
    batch.put_meta(&number_key(b'P', record.number.0), &encode_unrecorded(key.issuer, None));
    let mut touched = Touched::nothing();
    touched.issuer(key.issuer);
    // From here no new reader sees the scope or a row of it.
    db.epochs().commit(&touched, || batch.commit(Durability::Synced))?;
    // A crash in the sweep leaves rows that nobody sees, and the mark: the next writer goes on.
    unfinished::finish(db)?;
    Ok(true)
}

/// What is to change, as far as it is known: in memory while it is little, in files when it is much.
pub(super) struct Difference<'a> {
    db: &'a Db,
    /// The scope's number, where it has a record.
    held: Option<ScopeNumber>,
    issuer: IssuerNumber,
    few: Vec<(SerialNumber, Option<Body>)>,
    many: Option<Staging<'a>>,
    /// Whose kept answers end with the commit.
    touched: Touched,
}

impl Differences for Difference<'_> {
    fn add(&mut self, serial: SerialNumber, body: Option<Body>) -> Result<(), StoreError> {
        self.touched.serial(self.issuer, &serial);
        if let Some(staging) = &mut self.many {
            return staging.add(serial, body.unwrap_or(Body::GONE));
        }
        self.few.push((serial, body));
        if self.few.len() > self.db.max_batch_rows() {
            let mut staging = self.begin_staging()?;
            for (serial, body) in std::mem::take(&mut self.few) {
                staging.add(serial, body.unwrap_or(Body::GONE))?;
            }
            self.many = Some(staging);
        }
        Ok(())
    }
}

impl<'a> Difference<'a> {
    /// Nothing differs yet.
    pub(super) fn of(db: &'a Db, held: Option<ScopeNumber>, issuer: IssuerNumber) -> Self {
        Self { db, held, issuer, few: Vec::new(), many: None, touched: Touched::nothing() }
    }

    /// A new scope number, marked as having no record.
    fn begin_staging(&self) -> Result<Staging<'a>, StoreError> {
        let mut batch = self.db.batch()?;
        let scope = ScopeNumber(registry::next_number(self.db, &mut batch, NumberKind::Scope)?);
        batch.put_meta(&number_key(b'P', scope.0), &encode_unrecorded(self.issuer, self.held));
        // Synced, since files that are taken in are durable at once and do not go through the log: a
        // machine that stops must not lose the mark, nor that the number is taken, and keep the rows. It
        // also makes durable every earlier commit that the staged status rows are computed from.
        batch.commit(Durability::Synced)?;
        Staging::new(self.db, scope, self.issuer)
    }

    /// Writes it into `batch`, or into the store where nobody sees it before `batch` is committed. The
    /// scope's number, and whether its rows have others laid over them then.
    pub(super) fn write(self, batch: &mut Batch<'_>) -> Result<(ScopeNumber, bool), StoreError> {
        let Some(staging) = self.many else {
            let scope = match self.held {
                Some(scope) => scope,
                None => ScopeNumber(registry::next_number(self.db, batch, NumberKind::Scope)?),
            };
            put_rows(self.db, batch, self.issuer, &self.few, scope)?;
            return Ok((scope, false));
        };
        let staged = staging.scope();
        staging.take_in()?;
        batch.delete_meta(&number_key(b'P', staged.0));
        let Some(base) = self.held else { return Ok((staged, false)) };
        batch.put_meta(&number_key(b'O', staged.0), &base.0.to_be_bytes());
        Ok((base, true))
    }
}

/// When the new CRL is of, and how long what it does not list is kept.
#[derive(Clone, Copy)]
pub struct Moment {
    pub now: UnixTime,
    pub retention: Retention,
}

impl Moment {
    /// Whether a row that is retained since then may go.
    pub fn is_over(self, since: UnixTime) -> bool {
        match self.retention {
            Retention::WithoutEnd => false,
            Retention::Seconds(seconds) => self.now.since(since) > seconds,
        }
    }
}

/// What a merge found.
#[derive(Default)]
pub(super) struct Merged {
    pub change: ScopeChange,
    /// Since when the oldest row is retained that still is.
    pub oldest_retained: Option<UnixTime>,
    /// Whether a row says otherwise than its entry: permanent, and the entry a hold.
    is_contradicted: bool,
}

/// Walks the entries and the rows of the scope side by side, and gives what differs to `difference`.
pub(super) fn merge<E>(
    mut rows: impl FnMut() -> Result<Option<Row>, StoreError>,
    entries: impl Iterator<Item = Result<(SerialNumber, Revocation), E>>,
    moment: Moment,
    difference: &mut impl Differences,
) -> Result<Merged, ReplaceError<E>> {
    let mut merging = Merging { moment, difference, merged: Merged::default() };
    let mut row = rows()?;
    let mut before = None;
    for entry in entries {
        let (serial, revocation) = entry.map_err(ReplaceError::Source)?;
        let position = merging.change().entries + 1;
        merging.change().entries = position;
        if before.is_some_and(|before| before >= serial) {
            return Err(ReplaceError::OutOfOrder { position });
        }
        before = Some(serial);
        while let Some((gone, body)) = row
            && gone < serial
        {
            merging.leave(gone, body)?;
            row = rows()?;
        }
        let body = Body::new(&revocation);
        match row {
            Some((same, held)) if same == serial => {
                merging.stay(serial, held, body)?;
                row = rows()?;
            }
            _ => merging.come(serial, body)?,
        }
    }
    while let Some((gone, body)) = row {
        merging.leave(gone, body)?;
        row = rows()?;
    }
    Ok(merging.merged)
}

/// A merge under way.
struct Merging<'a, D> {
    moment: Moment,
    difference: &'a mut D,
    merged: Merged,
}

impl<D: Differences> Merging<'_, D> {
    fn change(&mut self) -> &mut ScopeChange {
        &mut self.merged.change
    }

    /// An entry whose serial has no row.
    fn come(&mut self, serial: SerialNumber, body: Body) -> Result<(), StoreError> {
        self.change().added += 1;
        self.change().lifted += u64::from(body.revocation().is_removal());
        self.difference.add(serial, Some(body))
    }

    /// A row whose entry is not in the new CRL. Permanent means permanent: only a hold is lifted, and what a
    /// delta CRL said of one.
    fn leave(&mut self, serial: SerialNumber, held: Body) -> Result<(), StoreError> {
        if let Some(since) = held.retained_since() {
            if self.moment.is_over(since) {
                self.change().expired += 1;
                return self.difference.add(serial, None);
            }
            self.change().unchanged += 1;
            self.retain(since);
            return Ok(());
        }
        if !held.is_permanent() {
            self.change().released += 1;
            return self.difference.add(serial, None);
        }
        self.change().retained += 1;
        self.retain(self.moment.now);
        self.difference.add(serial, Some(held.retained(self.moment.now)))
    }

    fn retain(&mut self, since: UnixTime) {
        self.change().retained_in_all += 1;
        let oldest = &mut self.merged.oldest_retained;
        *oldest = Some(oldest.map_or(since, |oldest| oldest.min(since)));
    }

    /// A row whose entry is in the new CRL as `body`.
    fn stay(&mut self, serial: SerialNumber, held: Body, body: Body) -> Result<(), StoreError> {
        if held == body {
            self.change().unchanged += 1;
            return Ok(());
        }
        // A permanent revocation that is now called a hold would turn good when that entry goes away,
        // so the permanent one is kept, as if its entry had gone away already, and for as long.
        let is_over = held.retained_since().is_some_and(|since| self.moment.is_over(since));
        if held.is_permanent() && !body.is_permanent() && !is_over {
            self.merged.is_contradicted = true;
            return self.leave(serial, held);
        }
        self.change().changed += 1;
        self.change().lifted += u64::from(body.revocation().is_removal());
        self.difference.add(serial, Some(body))
    }
}

/// The rows of a scope, in ascending order of serial number.
pub(super) struct ScopeRows<'a> {
    base: RowCursor<'a>,
    /// Rows laid over them. A writer folds those first, but whoever only compares meets them.
    over: RowCursor<'a>,
}

impl<'a> ScopeRows<'a> {
    pub(super) fn new(db: &'a Db, scope: Option<ScopeNumber>) -> Result<Self, StoreError> {
        let overlays = registry::overlays(db, None)?;
        let overlay = overlays.iter().find(|overlay| Some(overlay.base) == scope);
        let over = RowCursor::new(db, overlay.map(|overlay| overlay.scope))?;
        Ok(Self { base: RowCursor::new(db, scope)?, over })
    }

    pub(super) fn take(&mut self) -> Result<Option<(SerialNumber, Body)>, StoreError> {
        while let Some((over, body)) = self.over.row {
            match self.base.row {
                Some((serial, _)) if serial < over => break,
                Some((serial, _)) if serial == over => self.base.advance()?,
                _ => {}
            }
            self.over.advance()?;
            if let Some(body) = body.over() {
                return Ok(Some((over, body)));
            }
        }
        let row = self.base.row;
        self.base.advance()?;
        Ok(row)
    }
}

/// Stands on a row of one scope number, or behind the last.
struct RowCursor<'a> {
    blocks: Option<Blocks<'a>>,
    block: Vec<Row>,
    at: usize,
    row: Option<Row>,
}

impl<'a> RowCursor<'a> {
    fn new(db: &'a Db, scope: Option<ScopeNumber>) -> Result<Self, StoreError> {
        let blocks = scope.map(|scope| Blocks::new(db, scope)).transpose()?;
        let mut rows = Self { blocks, block: Vec::new(), at: 0, row: None };
        rows.advance()?;
        Ok(rows)
    }

    fn advance(&mut self) -> Result<(), StoreError> {
        if self.at == self.block.len()
            && let Some(blocks) = &mut self.blocks
        {
            blocks.next(&mut self.block)?;
            self.at = 0;
        }
        self.row = self.block.get(self.at).copied();
        self.at += usize::from(self.row.is_some());
        Ok(())
    }
}

/// Takes the differences that a merge finds.
pub(super) trait Differences {
    /// The scope says `body` of `serial` from now on; nothing, if `None`. Serials ascend.
    fn add(&mut self, serial: SerialNumber, body: Option<Body>) -> Result<(), StoreError>;
}

/// For differences that are only counted.
struct Nowhere;

impl Differences for Nowhere {
    fn add(&mut self, _: SerialNumber, _: Option<Body>) -> Result<(), StoreError> {
        Ok(())
    }
}
