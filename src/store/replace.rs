//! The write side of the scopes: a CRL's entries become the rows of its scope, all at once.
//!
//! The difference is the write. The entries come sorted and are merged against the scope's rows
//! in `scope_rows`; only what differs is written. Called by ingest, one writer at a time.
//!
//! What makes a change visible is always one synced batch that holds the scope's record:
//!
//! - A scope that has a record: the status rows, the index rows and the new record are that one
//!   batch. Its memory grows with the difference (about 100 octets a changed entry), not with the CRL.
//! - A first load can be of millions, so its rows go in batches of a few megabytes under a new scope
//!   number, which no reader shows as long as no record has that number, then one batch adds the
//!   record. (Sorted SST files would load them faster still; the record that shows them stays.)
//! - A removal is the other way round: one batch takes the record away, then the rows are swept.
//!
//! Rows without a record have a mark in `meta` (`P`), written before the first of them and deleted
//! after the last; whoever writes next sweeps them first.

use super::db::{Batch, Cursor, Db, Durability, Family};
use super::error::{ReplaceError, StoreError};
use super::format::{Body, NumberKind, RowKey, encode_record, number_key, scope_key, serial_of, with_status};
use super::registry;
use super::scope::{
    DistributionPointNumber, IssuerNumber, ScopeChange, ScopeKey, ScopeNumber, ScopeRecord, ScopeRecordDraft,
};
use crate::x509::{Revocation, SerialNumber};

/// Octets of a batch of rows that nobody sees yet.
const CHUNK: usize = 4 << 20;

/// Changed serials whose status rows are read together.
const GROUP: usize = 256;

/// Replaces the scope of `next`. Under the writer's lock; `approve` has the last word before the commit.
pub fn replace<E>(
    db: &Db,
    next: ScopeRecordDraft,
    entries: impl Iterator<Item = Result<(SerialNumber, Revocation), E>>,
    approve: impl FnOnce(&ScopeChange) -> Result<(), E>,
) -> Result<ScopeChange, ReplaceError<E>> {
    sweep(db)?;
    let distribution_point_number = if next.key.distribution_point.is_empty() {
        None
    } else {
        // A crash after this leaves a number for a name that no scope has yet: harmless.
        let name = &next.key.distribution_point;
        Some(DistributionPointNumber(registry::number_for_name(db, NumberKind::DistributionPoint, name)?))
    };
    let issuer = next.key.issuer;
    let held = registry::scope(db, &next.key)?;
    let is_first = held.is_none();
    let scope = match held {
        Some(record) => record.number,
        None => begin_first_load(db, issuer)?,
    };
    // A crash from here on leaves the old state: the batch of a held scope is not written yet, and
    // the rows of a first load have no record.
    let result = (|| {
        let mut writer = RowWriter::new(db, scope, issuer, is_first)?;
        let change = merge(db, scope, entries, &mut writer)?;
        approve(&change).map_err(ReplaceError::Source)?;
        let mut batch = writer.finish()?;
        let record = ScopeRecord {
            number: scope,
            distribution_point_number,
            crl: next,
            entries: change.entries,
            retained: change.retained_in_all,
        };
        batch.put_meta(&number_key(b'S', scope.0), &encode_record(&record));
        if is_first {
            batch.put_meta(&scope_key(&record.crl.key), &scope.0.to_be_bytes());
            batch.delete_meta(&number_key(b'P', scope.0));
        }
        // The one step. Before it the old CRL, after it the new one; there is nothing between, for
        // readers and crashes alike. It also makes the earlier batches of a first load durable.
        batch.commit(Durability::Synced)?;
        Ok(change)
    })();
    if is_first && result.is_err() {
        // The rows are invisible; what cannot be swept now, the next writer sweeps.
        let _ = sweep(db);
    }
    result
}

/// What [`replace`] would change. Writes nothing.
pub fn compare<E>(
    db: &Db,
    key: &ScopeKey,
    entries: impl Iterator<Item = Result<(SerialNumber, Revocation), E>>,
) -> Result<ScopeChange, ReplaceError<E>> {
    // No scope has the number 0, and so no rows: beside them every entry is new.
    let scope = registry::scope(db, key)?.map_or(ScopeNumber(0), |record| record.number);
    merge(db, scope, entries, &mut Nowhere)
}

/// Takes the scope away with all its rows, retained ones too. Whether there was one. Under the writer's lock.
pub fn remove(db: &Db, key: &ScopeKey) -> Result<bool, StoreError> {
    sweep(db)?;
    let Some(record) = registry::scope(db, key)? else { return Ok(false) };
    let mut batch = db.batch()?;
    batch.delete_meta(&scope_key(key));
    batch.delete_meta(&number_key(b'S', record.number.0));
    batch.put_meta(&number_key(b'P', record.number.0), &key.issuer.0.to_be_bytes());
    // From here no new reader sees the scope or a row of it.
    batch.commit(Durability::Synced)?;
    // A crash in the sweep leaves rows that nobody sees, and the mark: the next writer goes on.
    sweep(db)?;
    Ok(true)
}

/// Deletes the rows of scopes that have no record. Under the writer's lock.
pub fn sweep(db: &Db) -> Result<(), StoreError> {
    for (scope, issuer) in registry::unrecorded(db)? {
        // The mark says there is no record. A commit that was reported as failed may still be in the
        // log and come back after a crash; it must not show a scope whose rows are being deleted.
        let mut batch = db.batch()?;
        batch.delete_meta(&number_key(b'S', scope.0));
        batch.commit(Durability::Ordered)?;
        let mut writer = RowWriter::new(db, scope, issuer, true)?;
        let mut rows = ScopeRows::new(db, scope)?;
        while let Some((serial, _)) = rows.take()? {
            // Status row and index row go in one batch, so a crash between batches leaves an index
            // that still leads to every row that is left.
            writer.write(serial, None)?;
        }
        let mut batch = writer.finish()?;
        batch.delete_meta(&number_key(b'P', scope.0));
        // A crash that loses this keeps the mark, and the next sweep finds nothing.
        batch.commit(Durability::Ordered)?;
    }
    Ok(())
}

/// A new scope number, marked as having no record.
fn begin_first_load(db: &Db, issuer: IssuerNumber) -> Result<ScopeNumber, StoreError> {
    let mut batch = db.batch()?;
    let number = registry::next_number(db, &mut batch, NumberKind::Scope)?;
    batch.put_meta(&number_key(b'P', number), &issuer.0.to_be_bytes());
    // Before the first row, and batches survive in order: no row can be left behind without its mark.
    batch.commit(Durability::Ordered)?;
    Ok(ScopeNumber(number))
}

/// Walks the entries and the rows of the scope side by side, and gives every difference to `writer`.
fn merge<E>(
    db: &Db,
    scope: ScopeNumber,
    entries: impl Iterator<Item = Result<(SerialNumber, Revocation), E>>,
    writer: &mut impl Differences,
) -> Result<ScopeChange, ReplaceError<E>> {
    let mut change = ScopeChange::default();
    let mut rows = ScopeRows::new(db, scope)?;
    let mut row = rows.take()?;
    let mut before = None;
    for entry in entries {
        let (serial, revocation) = entry.map_err(ReplaceError::Source)?;
        change.entries += 1;
        if before.is_some_and(|before| before >= serial) {
            return Err(ReplaceError::OutOfOrder { position: change.entries });
        }
        before = Some(serial);
        while let Some((gone, body)) = row
            && gone < serial
        {
            leave(gone, body, writer, &mut change)?;
            row = rows.take()?;
        }
        let body = Body::new(&revocation, false);
        match row {
            Some((same, held)) if same == serial => {
                stay(serial, held, body, writer, &mut change)?;
                row = rows.take()?;
            }
            _ => {
                change.added += 1;
                writer.write(serial, Some(body))?;
            }
        }
    }
    while let Some((gone, body)) = row {
        leave(gone, body, writer, &mut change)?;
        row = rows.take()?;
    }
    Ok(change)
}

/// A row whose entry is not in the new CRL. Permanent means permanent: only a hold is lifted, and what a
/// delta CRL said of one.
fn leave(
    serial: SerialNumber,
    held: Body,
    writer: &mut impl Differences,
    change: &mut ScopeChange,
) -> Result<(), StoreError> {
    if held.is_retained() {
        change.unchanged += 1;
        change.retained_in_all += 1;
        return Ok(());
    }
    if !held.is_permanent() {
        change.released += 1;
        return writer.write(serial, None);
    }
    change.retained += 1;
    change.retained_in_all += 1;
    writer.write(serial, Some(held.retained()))
}

/// A row whose entry is in the new CRL as `body`.
fn stay(
    serial: SerialNumber,
    held: Body,
    body: Body,
    writer: &mut impl Differences,
    change: &mut ScopeChange,
) -> Result<(), StoreError> {
    if held == body {
        change.unchanged += 1;
        return Ok(());
    }
    // A permanent revocation that is now called a hold would turn good when that entry goes away,
    // so the permanent one is kept, as if its entry had gone away already.
    if held.is_permanent() && !body.is_permanent() {
        return leave(serial, held, writer, change);
    }
    change.changed += 1;
    writer.write(serial, Some(body))
}

/// The rows of a scope, in ascending order of serial number.
struct ScopeRows<'a> {
    db: &'a Db,
    cursor: Cursor<'a>,
}

impl<'a> ScopeRows<'a> {
    fn new(db: &'a Db, scope: ScopeNumber) -> Result<Self, StoreError> {
        Ok(Self { db, cursor: db.rows_from(Family::ScopeRows, &scope.0.to_be_bytes(), None)? })
    }

    fn take(&mut self) -> Result<Option<(SerialNumber, Body)>, StoreError> {
        let Some((key, value)) = self.cursor.current() else { return Ok(None) };
        let row = serial_of(key).and_then(|serial| Ok((serial, Body::decode(value)?)));
        let row = row.map_err(|bad| self.db.bad(bad))?;
        self.cursor.advance()?;
        Ok(Some(row))
    }
}

/// Takes the differences that a merge finds.
trait Differences {
    /// The scope says `body` of `serial` from now on; nothing, if `None`.
    fn write(&mut self, serial: SerialNumber, body: Option<Body>) -> Result<(), StoreError>;
}

/// For differences that are only counted.
struct Nowhere;

impl Differences for Nowhere {
    fn write(&mut self, _: SerialNumber, _: Option<Body>) -> Result<(), StoreError> {
        Ok(())
    }
}

/// Turns changed serials, which come in ascending order, into status and index rows of one scope.
struct RowWriter<'a> {
    db: &'a Db,
    scope: ScopeNumber,
    issuer: IssuerNumber,
    /// Whether batches may be committed on the way: only where no reader shows the scope's rows.
    is_invisible: bool,
    batch: Batch<'a>,
    waiting: Vec<(SerialNumber, Option<Body>)>,
}

impl<'a> RowWriter<'a> {
    fn new(
        db: &'a Db,
        scope: ScopeNumber,
        issuer: IssuerNumber,
        is_invisible: bool,
    ) -> Result<Self, StoreError> {
        Ok(Self { db, scope, issuer, is_invisible, batch: db.batch()?, waiting: Vec::with_capacity(GROUP) })
    }

    /// Other scopes may have rows in the same status values, so these are read, and written with
    /// this scope's row put in or taken out.
    fn settle(&mut self) -> Result<(), StoreError> {
        let keys: Vec<RowKey> =
            self.waiting.iter().map(|(serial, _)| RowKey::new(self.issuer.0, serial)).collect();
        let values = self.db.get_many(Family::Status, &keys)?;
        let mut octets = Vec::with_capacity(64);
        for (((serial, body), key), value) in self.waiting.drain(..).zip(&keys).zip(values) {
            with_status(value.as_deref(), self.scope, body, &mut octets).map_err(|bad| self.db.bad(bad))?;
            self.batch.put_status(key, &octets);
            let index = RowKey::new(self.scope.0, &serial);
            match body {
                Some(body) => {
                    body.encode(&mut octets);
                    self.batch.put_scope_row(&index, &octets);
                }
                None => self.batch.delete_scope_row(&index),
            }
        }
        Ok(())
    }

    /// The batch with what is not committed yet.
    fn finish(mut self) -> Result<Batch<'a>, StoreError> {
        self.settle()?;
        Ok(self.batch)
    }
}

impl Differences for RowWriter<'_> {
    fn write(&mut self, serial: SerialNumber, body: Option<Body>) -> Result<(), StoreError> {
        self.waiting.push((serial, body));
        if self.waiting.len() < GROUP {
            return Ok(());
        }
        self.settle()?;
        if self.is_invisible && self.batch.size_in_bytes() >= CHUNK {
            std::mem::replace(&mut self.batch, self.db.batch()?).commit(Durability::Ordered)?;
        }
        Ok(())
    }
}
