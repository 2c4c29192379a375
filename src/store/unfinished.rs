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

use super::db::{Batch, Db, Durability, Family};
use super::error::StoreError;
use super::format::{Body, RowKey, encode_record, number_key, serial_of, with_status};
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
    // Status row and index row go in one batch, so a crash between batches leaves an index that still
    // leads to every row that is left.
    let mut batch = walk(db, scope, |batch, group| {
        let rows = group.iter().map(|(serial, _)| (*serial, None));
        put_rows(db, batch, issuer, &rows.collect::<Vec<_>>(), scope, None)
    })?;
    // A crash that loses this keeps the mark, and the next sweep finds nothing.
    batch.delete_meta(&number_key(b'P', scope.0));
    batch.commit(Durability::Ordered)
}

/// Makes the rows of an overlay those of its base.
fn fold(db: &Db, overlay: Overlay) -> Result<(), StoreError> {
    let Some(record) = registry::record(db, overlay.base)? else {
        return Err(StoreError::Corrupt {
            path: db.path().to_owned(),
            detail: "rows are laid over a scope that has no record".to_owned(),
        });
    };
    // A row of the overlay goes in the same batch in which the base's row becomes what it said, so at
    // every moment the overlay's rows over the base's rows are the same list.
    let mut batch = walk(db, overlay.scope, |batch, group| {
        let rows = group.iter().map(|(serial, body)| (*serial, body.over()));
        put_rows(db, batch, record.issuer(), &rows.collect::<Vec<_>>(), overlay.base, Some(overlay.scope))
    })?;
    // A crash that loses this leaves an overlay without rows.
    batch.delete_meta(&number_key(b'O', overlay.scope.0));
    batch.commit(Durability::Ordered)
}

/// Gives the rows of `scope` to `each` in groups, with a batch that is committed on the way whenever it
/// is full. What comes back is the last one.
fn walk<'a>(
    db: &'a Db,
    scope: ScopeNumber,
    mut each: impl FnMut(&mut Batch<'a>, &[(SerialNumber, Body)]) -> Result<(), StoreError>,
) -> Result<Batch<'a>, StoreError> {
    let mut batch = db.batch()?;
    let mut group = Vec::with_capacity(GROUP);
    // The cursor stands on the rows as they were: deleting behind it does not disturb it.
    let mut rows = db.rows_from(Family::ScopeRows, &scope.0.to_be_bytes(), None)?;
    loop {
        let row = match rows.current() {
            Some((key, value)) => {
                let row = serial_of(key).and_then(|serial| Ok((serial, Body::decode(value)?)));
                Some(row.map_err(|bad| db.bad(bad))?)
            }
            None => None,
        };
        let is_last = row.is_none();
        group.extend(row);
        if group.len() == GROUP || is_last {
            each(&mut batch, &group)?;
            group.clear();
            if batch.size_in_bytes() >= CHUNK {
                std::mem::replace(&mut batch, db.batch()?).commit(Durability::Ordered)?;
            }
        }
        if is_last {
            return Ok(batch);
        }
        rows.advance()?;
    }
}

/// Puts into `batch`: `scope` says these things of these serials from now on, nothing where the body is
/// `None`; and `folded` says nothing of them any more. Serials ascend.
///
/// Other scopes may have rows in the same status values, so these are read first.
pub fn put_rows(
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
        for (((serial, body), key), value) in group.iter().zip(&keys).zip(values) {
            let mut held = value.as_deref();
            if let Some(folded) = folded {
                with_status(held, folded, None, &mut without).map_err(|bad| db.bad(bad))?;
                held = (!without.is_empty()).then_some(without.as_slice());
                batch.delete_scope_row(&RowKey::new(folded.0, serial));
            }
            with_status(held, scope, *body, &mut octets).map_err(|bad| db.bad(bad))?;
            batch.put_status(key, &octets);
            let index = RowKey::new(scope.0, serial);
            match body {
                Some(body) => {
                    body.encode(&mut octets);
                    batch.put_scope_row(&index, &octets);
                }
                None => batch.delete_scope_row(&index),
            }
        }
    }
    Ok(())
}
