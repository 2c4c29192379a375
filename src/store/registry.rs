//! The small numbers that stand for names in rows, and the records of the scopes.

use super::db::{Batch, Cursor, Db, Durability, Family};
use super::error::StoreError;
use super::format::{
    NumberKind, decode_inventory_state, decode_number, decode_record, last_number_key, name_key, number_key,
    number_of_key, scope_key,
};
use super::scope::{InventoryState, IssuerNumber, ScopeKey, ScopeNumber, ScopeRecord};

/// The number of `name`, where it has one.
pub fn number_of_name(db: &Db, kind: NumberKind, name: &[u8]) -> Result<Option<u32>, StoreError> {
    let value = db.get_meta(&name_key(kind, name))?;
    value.map(|value| decode_number("the number of a name", &value).map_err(|bad| db.bad(bad))).transpose()
}

/// The number of `name`; a new one where it has none. Under the writer's lock.
pub fn number_for_name(db: &Db, kind: NumberKind, name: &[u8]) -> Result<u32, StoreError> {
    if let Some(number) = number_of_name(db, kind, name)? {
        return Ok(number);
    }
    let mut batch = db.batch()?;
    let number = next_number(db, &mut batch, kind)?;
    batch.put_meta(&name_key(kind, name), &number.to_be_bytes());
    // One batch: a crash leaves the name with this number, or neither the name nor the number used. It
    // need not be on the disk yet: every row that uses the number is written after it, so no crash
    // leaves such a row without it.
    batch.commit(Durability::Ordered)?;
    Ok(number)
}

/// Takes the next number of `kind`, from 1; it is taken once `batch` is committed. Under the writer's lock.
pub fn next_number(db: &Db, batch: &mut Batch<'_>, kind: NumberKind) -> Result<u32, StoreError> {
    let key = last_number_key(kind);
    let last = match db.get_meta(&key)? {
        Some(value) => decode_number("the last number given out", &value).map_err(|bad| db.bad(bad))?,
        None => 0,
    };
    let what = match kind {
        NumberKind::Issuer => "issuer",
        NumberKind::DistributionPoint => "distribution point",
        NumberKind::Scope => "scope",
    };
    let next =
        last.checked_add(1).ok_or_else(|| StoreError::NoNumberLeft { path: db.path().to_owned(), what })?;
    batch.put_meta(&key, &next.to_be_bytes());
    Ok(next)
}

/// Every issuer name with its number, in order of name.
pub fn issuers(db: &Db) -> Result<Vec<(IssuerNumber, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    let mut rows = db.rows_from(Family::Meta, &[NumberKind::Issuer as u8], None)?;
    while let Some((key, value)) = rows.current() {
        let number = decode_number("the number of an issuer", value).map_err(|bad| db.bad(bad))?;
        found.push((IssuerNumber(number), key.get(1..).unwrap_or_default().to_vec()));
        rows.advance()?;
    }
    Ok(found)
}

/// Every scope, in order of number, now or as of `snapshot`.
pub fn scopes(db: &Db, snapshot: Option<&rocksdb::Snapshot<'_>>) -> Result<Vec<ScopeRecord>, StoreError> {
    let mut found = Vec::new();
    let mut rows = db.rows_from(Family::Meta, b"S", snapshot)?;
    while let Some((key, value)) = rows.current() {
        let record = number_of_key(key).and_then(|number| decode_record(ScopeNumber(number), value));
        found.push(record.map_err(|bad| db.bad(bad))?);
        rows.advance()?;
    }
    Ok(found)
}

/// The record of the scope with this key.
pub fn scope(db: &Db, key: &ScopeKey) -> Result<Option<ScopeRecord>, StoreError> {
    let Some(value) = db.get_meta(&scope_key(key))? else { return Ok(None) };
    let number = decode_number("the number of a scope", &value).map_err(|bad| db.bad(bad))?;
    let Some(value) = db.get_meta(&number_key(b'S', number))? else { return Ok(None) };
    decode_record(ScopeNumber(number), &value).map(Some).map_err(|bad| db.bad(bad))
}

/// The scopes that have rows and no record: first loads that were cut short, and removals.
pub fn unrecorded(db: &Db) -> Result<Vec<(ScopeNumber, IssuerNumber)>, StoreError> {
    let mut found = Vec::new();
    let mut rows: Cursor<'_> = db.rows_from(Family::Meta, b"P", None)?;
    while let Some((key, value)) = rows.current() {
        let number = number_of_key(key).map_err(|bad| db.bad(bad))?;
        let issuer = decode_number("a mark of unfinished work", value).map_err(|bad| db.bad(bad))?;
        found.push((ScopeNumber(number), IssuerNumber(issuer)));
        rows.advance()?;
    }
    Ok(found)
}

/// An issuer's inventory, from the value of its `V` row.
pub fn inventory_state(db: &Db, value: Option<&[u8]>) -> Result<InventoryState, StoreError> {
    let Some(value) = value else { return Ok(InventoryState::Absent) };
    match decode_inventory_state(value).map_err(|bad| db.bad(bad))? {
        (true, rows) => Ok(InventoryState::Complete { rows }),
        (false, rows) => Ok(InventoryState::Partial { rows }),
    }
}
