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
use super::staging::Staging;
use super::unfinished::{self, put_rows};
use crate::x509::{Revocation, SerialNumber, UnixTime};

/// Replaces the scopes of these CRLs, each of another issuer. Under the writer's lock; `approve` has the last
/// word before the commit.
pub fn replace<E, I>(
    db: &Db,
    replacements: Vec<(ScopeRecordDraft, Retention, I)>,
    durability: Durability,
    approve: impl FnOnce(&[ScopeChange]) -> Result<(), E>,
) -> Result<Vec<ScopeChange>, ReplaceError<E>>
where
    I: Iterator<Item = Result<(SerialNumber, Revocation), E>>,
{
    unfinished::finish(db)?;
    let result = (|| {
        let (mut merged, mut changes) = (Vec::with_capacity(replacements.len()), Vec::new());
        for (next, retention, entries) in replacements {
            let distribution_point_number = if next.key.distribution_point.is_empty() {
                None
            } else {
                // A crash after this leaves a number for a name that no scope has yet: harmless.
                let name = &next.key.distribution_point;
                let number = registry::number_for_name(db, NumberKind::DistributionPoint, name)?;
                Some(DistributionPointNumber(number))
            };
            let held = registry::scope(db, &next.key)?.map(|record| record.number);
            // A crash up to the commit leaves the old state: nothing is written, or files that are not part
            // of the store, or rows without a record.
            let mut difference = Difference::of(db, held, next.key.issuer);
            let moment = Moment { now: next.this_update, retention };
            changes.push(merge(db, held, entries, moment, &mut difference)?);
            merged.push((next, distribution_point_number, difference));
        }
        approve(&changes).map_err(ReplaceError::Source)?;
        let mut batch = db.batch()?;
        let mut touched = Touched::nothing();
        let mut is_any_overlaid = false;
        for ((next, distribution_point_number, difference), change) in merged.into_iter().zip(&changes) {
            touched.include(&difference.touched);
            // A first CRL may be what others waited for; and which of two layers, or of two keys' CRLs,
            // counts for a serial number may turn without a row of it being changed.
            if difference.held.is_none()
                || registry::scope(db, &next.key.of_layer(Layer::Delta))?.is_some()
                || registry::has_other_keys(db, &next.key)?
            {
                touched.issuer(next.key.issuer);
            }
            // The scopes are of different issuers, so no status row is written twice into this batch.
            let (scope, is_overlaid) = difference.write(&mut batch)?;
            is_any_overlaid |= is_overlaid;
            let record = ScopeRecord {
                number: scope,
                distribution_point_number,
                crl: next,
                entries: change.entries,
                retained: change.retained_in_all,
            };
            batch.put_meta(&number_key(b'S', scope.0), &encode_record(&record));
            batch.put_meta(&scope_key(&record.crl.key), &scope.0.to_be_bytes());
        }
        // The one step. Before it the old CRL, after it the new one; there is nothing between, for
        // readers and crashes alike. Where it is only ordered, a machine that stops before the next sync loses
        // it with all that came after: the mark of staged rows was synced, so these are swept.
        db.epochs().commit(&touched, || batch.commit(durability))?;
        Ok((changes, is_any_overlaid))
    })();
    match result {
        Ok((changes, is_any_overlaid)) => {
            if is_any_overlaid {
                // The new CRL is in force. What cannot be folded now, the next writer folds.
                let _ = unfinished::finish(db);
            }
            Ok(changes)
        }
        Err(why) => {
            // The old CRL is in force. What cannot be swept now, the next writer sweeps.
            let _ = unfinished::finish(db);
            Err(why)
        }
    }
}

/// What [`replace`] would change. Writes nothing.
pub fn compare<E>(
    db: &Db,
    next: &ScopeRecordDraft,
    entries: impl Iterator<Item = Result<(SerialNumber, Revocation), E>>,
    retention: Retention,
) -> Result<ScopeChange, ReplaceError<E>> {
    let held = registry::scope(db, &next.key)?.map(|record| record.number);
    merge(db, held, entries, Moment { now: next.this_update, retention }, &mut Nowhere)
}

/// Takes the scope away with all its rows, retained ones too. Whether there was one. Under the writer's lock.
pub fn remove(db: &Db, key: &ScopeKey) -> Result<bool, StoreError> {
    unfinished::finish(db)?;
    let Some(record) = registry::scope(db, key)? else { return Ok(false) };
    let mut batch = db.batch()?;
    batch.delete_meta(&scope_key(key));
    batch.delete_meta(&number_key(b'S', record.number.0));
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
struct Moment {
    now: UnixTime,
    retention: Retention,
}

impl Moment {
    /// Whether a row that is retained since then may go.
    fn is_over(self, since: UnixTime) -> bool {
        match self.retention {
            Retention::WithoutEnd => false,
            Retention::Seconds(seconds) => self.now.since(since) > seconds,
        }
    }
}

/// Walks the entries and the rows of the scope side by side, and gives what differs to `difference`.
fn merge<E>(
    db: &Db,
    held: Option<ScopeNumber>,
    entries: impl Iterator<Item = Result<(SerialNumber, Revocation), E>>,
    moment: Moment,
    difference: &mut impl Differences,
) -> Result<ScopeChange, ReplaceError<E>> {
    let mut change = ScopeChange::default();
    let mut rows = ScopeRows::new(db, held)?;
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
            leave(gone, body, moment, difference, &mut change)?;
            row = rows.take()?;
        }
        let body = Body::new(&revocation);
        match row {
            Some((same, held)) if same == serial => {
                stay(serial, held, body, moment, difference, &mut change)?;
                row = rows.take()?;
            }
            _ => {
                change.added += 1;
                change.lifted += u64::from(revocation.is_removal());
                difference.add(serial, Some(body))?;
            }
        }
    }
    while let Some((gone, body)) = row {
        leave(gone, body, moment, difference, &mut change)?;
        row = rows.take()?;
    }
    Ok(change)
}

/// A row whose entry is not in the new CRL. Permanent means permanent: only a hold is lifted, and what a
/// delta CRL said of one.
fn leave(
    serial: SerialNumber,
    held: Body,
    moment: Moment,
    difference: &mut impl Differences,
    change: &mut ScopeChange,
) -> Result<(), StoreError> {
    if let Some(since) = held.retained_since() {
        if moment.is_over(since) {
            change.expired += 1;
            return difference.add(serial, None);
        }
        change.unchanged += 1;
        change.retained_in_all += 1;
        return Ok(());
    }
    if !held.is_permanent() {
        change.released += 1;
        return difference.add(serial, None);
    }
    change.retained += 1;
    change.retained_in_all += 1;
    difference.add(serial, Some(held.retained(moment.now)))
}

/// A row whose entry is in the new CRL as `body`.
fn stay(
    serial: SerialNumber,
    held: Body,
    body: Body,
    moment: Moment,
    difference: &mut impl Differences,
    change: &mut ScopeChange,
) -> Result<(), StoreError> {
    if held == body {
        change.unchanged += 1;
        return Ok(());
    }
    // A permanent revocation that is now called a hold would turn good when that entry goes away,
    // so the permanent one is kept, as if its entry had gone away already, and for as long.
    let is_over = held.retained_since().is_some_and(|since| moment.is_over(since));
    if held.is_permanent() && !body.is_permanent() && !is_over {
        return leave(serial, held, moment, difference, change);
    }
    change.changed += 1;
    change.lifted += u64::from(body.revocation().is_removal());
    difference.add(serial, Some(body))
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
