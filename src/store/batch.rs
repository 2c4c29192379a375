//! Batches: what is written to the families together. See [`super::db`] for what survives when.

use super::db::{Db, Family};
use super::error::StoreError;
use super::format::RowKey;
use rocksdb::{ColumnFamily, WriteBatch, WriteOptions};

/// What a commit waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The disk: it and everything before it survive a crash of the machine.
    Synced,
    /// Nothing: it survives a crash of the process, and is never seen without all before it.
    Ordered,
}

/// Changes that become visible together, or not at all.
#[must_use = "a batch that is not committed changes nothing"]
pub struct Batch<'a> {
    db: &'a Db,
    meta: &'a ColumnFamily,
    status: &'a ColumnFamily,
    scope_rows: &'a ColumnFamily,
    inventory: &'a ColumnFamily,
    answers: &'a ColumnFamily,
    rocks: WriteBatch,
    /// Numbers given out in this batch, which no read of the store shows yet.
    numbers: u32,
}

impl Db {
    pub fn batch(&self) -> Result<Batch<'_>, StoreError> {
        Ok(Batch {
            db: self,
            meta: self.family(Family::Meta)?,
            status: self.family(Family::Status)?,
            scope_rows: self.family(Family::ScopeRows)?,
            inventory: self.family(Family::Inventory)?,
            answers: self.family(Family::Answers)?,
            rocks: WriteBatch::default(),
            numbers: 0,
        })
    }
}

impl Batch<'_> {
    /// How many numbers this batch has given out before. One batch gives out numbers of one kind.
    pub fn count_number(&mut self) -> u32 {
        let before = self.numbers;
        self.numbers += 1;
        before
    }

    pub fn put_meta(&mut self, key: &[u8], value: &[u8]) {
        self.rocks.put_cf(self.meta, key, value);
    }

    pub fn delete_meta(&mut self, key: &[u8]) {
        self.rocks.delete_cf(self.meta, key);
    }

    /// An empty value deletes: a serial that no scope speaks of has no row.
    pub fn put_status(&mut self, key: &RowKey, value: &[u8]) {
        if value.is_empty() {
            self.rocks.delete_cf(self.status, key);
        } else {
            self.rocks.put_cf(self.status, key, value);
        }
    }

    pub fn put_scope_row(&mut self, key: &RowKey, value: &[u8]) {
        self.rocks.put_cf(self.scope_rows, key, value);
    }

    pub fn delete_scope_row(&mut self, key: &RowKey) {
        self.rocks.delete_cf(self.scope_rows, key);
    }

    pub fn put_inventory(&mut self, key: &RowKey, value: &[u8]) {
        self.rocks.put_cf(self.inventory, key, value);
    }

    pub fn put_answer(&mut self, key: &RowKey, value: &[u8]) {
        self.rocks.put_cf(self.answers, key, value);
    }

    /// All rows of `answers` from `from` up to and without `to`.
    pub fn delete_answers(&mut self, from: &[u8], to: &[u8]) {
        self.rocks.delete_range_cf(self.answers, from, to);
    }

    pub fn size_in_bytes(&self) -> usize {
        self.rocks.size_in_bytes()
    }

    pub fn commit(self, durability: Durability) -> Result<(), StoreError> {
        let mut write = WriteOptions::default();
        write.set_sync(durability == Durability::Synced);
        self.db.rocks().write_opt(self.rocks, &write).map_err(|error| self.db.failed(&error))
    }
}
