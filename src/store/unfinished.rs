//! What a writer left unfinished, brought to its end by the next one, or by the same one.
//!
//! Called by [`super::replace`], under the writer's lock, before and after its own work. Two things may be
//! unfinished, and `meta` names both:
//!
//! - Rows of a scope number without a record (`P`): a load that was cut short, or a removal. They
//!   are swept. No reader shows them.
//! - Rows that are laid over those of another scope (`O`): a change too large for one batch, which is
//!   visible and durable. They are folded into their base. A reader shows the same before,
//!   during and after.
//!
//! Both go in batches of a few megabytes that need not be synced: a crash loses the last of them, never
//! one in the middle, and never the mark before its rows; whoever writes next goes on.

use super::block::{BlockEditor, Blocks, Row};
use super::db::{Batch, Db, Durability, Family};
use super::error::StoreError;
use super::format::{Body, RowKey, encode_record, number_key, with_status};
use super::registry::{self, Overlay, Unrecorded};
use super::scope::{IssuerNumber, ScopeNumber};
use crate::x509::SerialNumber;

/// Octets of a batch, about.
const CHUNK: usize = 4 << 20;

/// Serials whose status rows are read together.
const GROUP: usize = 256;

/// Finishes everything that is unfinished. Under the writer's lock.
pub fn finish(db: &Db) -> Result<(), StoreError> {
    for unrecorded in registry::unrecorded(db)? {
        sweep(db, unrecorded)?;
    }
    for overlay in registry::overlays(db, None)? {
        fold(db, overlay)?;
    }
    Ok(())
}

/// Deletes the rows of a scope that has no record.
fn sweep(db: &Db, unrecorded: Unrecorded) -> Result<(), StoreError> {
    let Unrecorded { scope, issuer, base } = unrecorded;
    // The mark says that nobody sees these rows. A commit that was reported as failed may still be in
    // the log and come back after a crash; it must not show rows that are being deleted.
    let mut batch = db.batch()?;
    batch.delete_meta(&number_key(b'S', scope.0));
    if let Some(base) = base {
        batch.delete_meta(&number_key(b'O', scope.0));
        if let Some(record) = registry::record(db, base)? {
            batch.put_meta(&number_key(b'S', base.0), &encode_record(&record));
        }
    }
    batch.commit(Durability::Ordered)?;
    // Status rows and the block that leads to them go in one batch, so a crash between batches leaves an
    // index that still leads to every row that is left.
    let mut batch = db.batch()?;
    walk(db, scope, |block| {
        let rows: Vec<_> = block.iter().map(|(serial, _)| (*serial, None)).collect();
        put_status(db, &mut batch, issuer, &rows, scope, None)?;
        delete_block(&mut batch, scope, block);
        commit_if_full(db, &mut batch)
    })?;
    // A crash that loses this keeps the mark, and the next sweep finds nothing.
    batch.delete_meta(&number_key(b'P', scope.0));
    batch.commit(Durability::Ordered)
}

/// Makes the rows of an overlay those of its base.
fn fold(db: &Db, overlay: Overlay) -> Result<(), StoreError> {
    let Overlay { scope, base } = overlay;
    let Some(record) = registry::record(db, base)? else {
        return Err(StoreError::Corrupt {
            path: db.path().to_owned(),
            detail: "rows are laid over a scope that has no record".to_owned(),
        });
    };
    // A row of the overlay goes in the same batch in which the base's row becomes what it said, so at
    // every moment the overlay's rows over the base's rows are the same list.
    let mut batch = db.batch()?;
    let mut index = BlockEditor::new(db, base)?;
    walk(db, scope, |block| {
        let rows: Vec<_> = block.iter().map(|(serial, body)| (*serial, body.over())).collect();
        put_status(db, &mut batch, record.issuer(), &rows, base, Some(scope))?;
        for (serial, body) in &rows {
            index.put(&mut batch, serial, *body)?;
        }
        delete_block(&mut batch, scope, block);
        if is_full(&batch) {
            index.settle(&mut batch);
        }
        commit_if_full(db, &mut batch)
    })?;
    index.settle(&mut batch);
    // A crash that loses this leaves an overlay without rows.
    batch.delete_meta(&number_key(b'O', scope.0));
    batch.commit(Durability::Ordered)
}

/// Gives the blocks of `scope` to `each`, as they stand now: changes behind do not disturb it.
fn walk(
    db: &Db,
    scope: ScopeNumber,
    mut each: impl FnMut(&[Row]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    let mut blocks = Blocks::new(db, scope)?;
    loop {
        blocks.next(&mut rows)?;
        if rows.is_empty() {
            return Ok(());
        }
        each(&rows)?;
    }
}

fn delete_block(batch: &mut Batch<'_>, scope: ScopeNumber, block: &[Row]) {
    if let Some((serial, _)) = block.first() {
        batch.delete_scope_row(&RowKey::new(scope.0, serial));
    }
}

fn is_full(batch: &Batch<'_>) -> bool {
    batch.size_in_bytes() >= CHUNK
}

fn commit_if_full<'a>(db: &'a Db, batch: &mut Batch<'a>) -> Result<(), StoreError> {
    if is_full(batch) {
        std::mem::replace(batch, db.batch()?).commit(Durability::Ordered)?;
    }
    Ok(())
}

/// Puts into `batch`, in `status` and in the index: `scope` says these things of these serials from now on,
/// nothing where the body is `None`. Serials ascend.
pub fn put_rows(
    db: &Db,
    batch: &mut Batch<'_>,
    issuer: IssuerNumber,
    rows: &[(SerialNumber, Option<Body>)],
    scope: ScopeNumber,
) -> Result<(), StoreError> {
    put_status(db, batch, issuer, rows, scope, None)?;
    let mut index = BlockEditor::new(db, scope)?;
    for (serial, body) in rows {
        index.put(batch, serial, *body)?;
    }
    index.settle(batch);
    Ok(())
}

/// Puts into `batch`, in `status` alone: `scope` says these things of these serials from now on, and `folded`
/// nothing any more.
///
/// Other scopes may have rows in the same values, so these are read first.
fn put_status(
    db: &Db,
    batch: &mut Batch<'_>,
    issuer: IssuerNumber,
    rows: &[(SerialNumber, Option<Body>)],
    scope: ScopeNumber,
    folded: Option<ScopeNumber>,
) -> Result<(), StoreError> {
    let (mut octets, mut without) = (Vec::with_capacity(64), Vec::with_capacity(64));
    for group in rows.chunks(GROUP) {
        let keys: Vec<RowKey> = group.iter().map(|(serial, _)| RowKey::new(issuer.0, serial)).collect();
        let values = db.get_many(Family::Status, &keys)?;
        for (((_, body), key), value) in group.iter().zip(&keys).zip(values) {
            let mut held = value.as_deref();
            if let Some(folded) = folded {
                with_status(held, folded, None, &mut without).map_err(|bad| db.bad(bad))?;
                held = (!without.is_empty()).then_some(without.as_slice());
            }
            with_status(held, scope, *body, &mut octets).map_err(|bad| db.bad(bad))?;
            batch.put_status(key, &octets);
        }
    }
    Ok(())
}
