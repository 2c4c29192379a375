//! The small numbers that stand for names in rows, and the records of the scopes.

use super::db::{Batch, Cursor, Db, Durability, Family};
use super::error::StoreError;
use super::format::{
    NumberKind, decode_inventory_state, decode_number, decode_record, decode_unrecorded, last_number_key,
    name_key, number_key, number_of_key, scope_key,
};
use super::scope::{
    DistributionPointNumber, InventoryState, IssuerNumber, ScopeKey, ScopeNumber, ScopeRecord, VerifierNumber,
};

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
    // One batch: a crash leaves the name with this number, or neither the name nor the number used.
    batch.commit(match kind {
        // Signatures of a series are taken in as files, which are durable at once: a machine that stops must not
        // lose the name and keep them, for another signer's series that gets the number then.
        NumberKind::Series => Durability::Synced,
        // It need not be on the disk yet: every row that uses the number goes through the log after it, or is in a
        // file before which the log is synced, so no crash leaves such a row without it.
        NumberKind::Issuer | NumberKind::DistributionPoint | NumberKind::Scope | NumberKind::Verifier => {
            Durability::Ordered
        }
    })?;
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
        NumberKind::Series => "series of answers",
        NumberKind::Verifier => "verifier",
    };
    let next = last.checked_add(batch.count_number()).and_then(|last| last.checked_add(1));
    let next = next.ok_or_else(|| StoreError::NoNumberLeft { path: db.path().to_owned(), what })?;
    batch.put_meta(&key, &next.to_be_bytes());
    Ok(next)
}

/// Every issuer name with its number, in order of name.
pub fn issuers(db: &Db) -> Result<Vec<(IssuerNumber, Vec<u8>)>, StoreError> {
    let named = names(db, NumberKind::Issuer, None)?.into_iter();
    Ok(named.map(|(number, name)| (IssuerNumber(number), name)).collect())
}

/// Every verifier that ever had a number, in order of id.
pub fn verifiers(db: &Db) -> Result<Vec<(VerifierNumber, Vec<u8>)>, StoreError> {
    let named = names(db, NumberKind::Verifier, None)?.into_iter();
    Ok(named.map(|(number, id)| (VerifierNumber(number), id)).collect())
}

/// Every distribution point with its number, in order of name, as of `snapshot`.
pub fn distribution_points(
    db: &Db,
    snapshot: &rocksdb::Snapshot<'_>,
) -> Result<Vec<(DistributionPointNumber, Vec<u8>)>, StoreError> {
    let named = names(db, NumberKind::DistributionPoint, Some(snapshot))?.into_iter();
    Ok(named.map(|(number, name)| (DistributionPointNumber(number), name)).collect())
}

fn names(
    db: &Db,
    kind: NumberKind,
    snapshot: Option<&rocksdb::Snapshot<'_>>,
) -> Result<Vec<(u32, Vec<u8>)>, StoreError> {
    let mut found = Vec::new();
    let mut rows = db.rows_from(Family::Meta, &[kind as u8], snapshot)?;
    while let Some((key, value)) = rows.current() {
        let number = decode_number("the number of a name", value).map_err(|bad| db.bad(bad))?;
        found.push((number, key.get(1..).unwrap_or_default().to_vec()));
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
    record(db, ScopeNumber(number))
}

/// Whether the issuer of `key` has scopes that another key signed. Reads no more than one scope's row where
/// it has not.
pub fn has_other_keys(db: &Db, key: &ScopeKey) -> Result<bool, StoreError> {
    let own = scope_key(key);
    // `K`, issuer, signing key: rows of one key stand together, and all of an issuer's in order of the key.
    let Some(issuer) = own.get(..5) else { return Ok(false) };
    let is_other = |row: &[u8]| !row.get(5..).is_some_and(|rest| rest.starts_with(&key.signing_key));
    let mut rows = db.rows_here_and_there(Family::Meta, issuer)?;
    if rows.current().is_some_and(|(row, _)| is_other(row)) {
        return Ok(true);
    }
    rows.go_to_last()?;
    Ok(rows.current().is_some_and(|(row, _)| is_other(row)))
}

/// A scope number whose rows no reader sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unrecorded {
    pub scope: ScopeNumber,
    pub issuer: IssuerNumber,
    /// The scope that the rows were to be laid over.
    pub base: Option<ScopeNumber>,
}

/// The scope numbers that have rows and no record: loads that were cut short, and removals.
pub fn unrecorded(db: &Db) -> Result<Vec<Unrecorded>, StoreError> {
    let mut found = Vec::new();
    let mut rows: Cursor<'_> = db.rows_from(Family::Meta, b"P", None)?;
    while let Some((key, value)) = rows.current() {
        let scope = ScopeNumber(number_of_key(key).map_err(|bad| db.bad(bad))?);
        let (issuer, base) = decode_unrecorded(value).map_err(|bad| db.bad(bad))?;
        found.push(Unrecorded { scope, issuer, base });
        rows.advance()?;
    }
    Ok(found)
}

/// Rows of one scope number that are laid over those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overlay {
    pub scope: ScopeNumber,
    pub base: ScopeNumber,
}

/// Every overlay that is not folded yet, now or as of `snapshot`; at most one as a rule.
pub fn overlays(db: &Db, snapshot: Option<&rocksdb::Snapshot<'_>>) -> Result<Vec<Overlay>, StoreError> {
    let mut found = Vec::new();
    let mut rows = db.rows_from(Family::Meta, b"O", snapshot)?;
    while let Some((key, value)) = rows.current() {
        let scope = number_of_key(key).map_err(|bad| db.bad(bad))?;
        let base = decode_number("the base of an overlay", value).map_err(|bad| db.bad(bad))?;
        found.push(Overlay { scope: ScopeNumber(scope), base: ScopeNumber(base) });
        rows.advance()?;
    }
    Ok(found)
}

/// The record of the scope with this number.
pub fn record(db: &Db, number: ScopeNumber) -> Result<Option<ScopeRecord>, StoreError> {
    let Some(value) = db.get_meta(&number_key(b'S', number.0))? else { return Ok(None) };
    decode_record(number, &value).map(Some).map_err(|bad| db.bad(bad))
}

/// An issuer's inventory, from the value of its `V` row.
pub fn inventory_state(db: &Db, value: Option<&[u8]>) -> Result<InventoryState, StoreError> {
    let Some(value) = value else { return Ok(InventoryState::Absent) };
    match decode_inventory_state(value).map_err(|bad| db.bad(bad))? {
        (true, rows) => Ok(InventoryState::Complete { rows }),
        (false, rows) => Ok(InventoryState::Partial { rows }),
    }
}

/// The edition of an issuer's inventory, from the value of its `W` row.
pub fn inventory_edition(db: &Db, value: Option<&[u8]>) -> Result<u32, StoreError> {
    let decode = |value| decode_number("the edition of an inventory", value).map_err(|bad| db.bad(bad));
    value.map_or(Ok(0), decode)
}
