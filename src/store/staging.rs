//! Many rows on their way into the store: sorted files, made beside it and taken in whole.
//!
//! Called by [`super::replace`] for changes that are too large for one batch: first loads of large
//! CRLs, and mass revocations. A row costs a third of what it costs through batches, the log and
//! compactions, and memory does not grow with the number of rows.
//!
//! The rows stand under a scope number that has no record, so no reader shows them before the
//! record is written. Nothing enters RocksDB before [`Staging::take_in`]: until then a crash, an error
//! or a refusal leaves files in a folder of their own, which the next opening of the store empties, and a
//! mark in `meta`.
//!
//! A status value lists the rows of every scope, so each one must hold what the other scopes say of that
//! serial. A CA's first CRL finds no status rows at all, which one seek tells, and is written without
//! looking; any other asks the store for each serial, in groups and through the bloom filters (0.5 us a
//! serial that is not there). The writer's lock keeps what was read true until it is written.

use super::block::{self, MAX_ROWS, Row};
use super::db::{Db, Family};
use super::error::StoreError;
use super::format::{Body, RowKey, with_status};
use super::scope::{IssuerNumber, ScopeNumber};
use crate::x509::SerialNumber;
use rocksdb::SstFileWriter;
use std::path::PathBuf;

/// Octets of a file, about: as large as RocksDB's own.
const FILE: u64 = 64 << 20;

/// Serials whose status rows are read together.
const GROUP: usize = 256;

/// Rows that are staged.
pub struct Staging<'a> {
    db: &'a Db,
    scope: ScopeNumber,
    issuer: IssuerNumber,
    /// Whether no scope has said anything of this issuer's serials yet.
    is_first_of_issuer: bool,
    status: SortedFiles<'a>,
    scope_rows: SortedFiles<'a>,
    waiting: Vec<Row>,
    /// Rows of the index that are to be its next block.
    block: Vec<Row>,
    octets: Vec<u8>,
}

impl<'a> Staging<'a> {
    /// Stages rows of `scope`, which has a mark and no rows.
    pub fn new(db: &'a Db, scope: ScopeNumber, issuer: IssuerNumber) -> Result<Self, StoreError> {
        make_folder(db)?;
        let is_first_of_issuer =
            db.rows_from(Family::Status, &issuer.0.to_be_bytes(), None)?.current().is_none();
        Ok(Self {
            db,
            scope,
            issuer,
            is_first_of_issuer,
            status: SortedFiles::new(db, Family::Status, scope.0),
            scope_rows: SortedFiles::new(db, Family::ScopeRows, scope.0),
            waiting: Vec::new(),
            block: Vec::with_capacity(MAX_ROWS),
            octets: Vec::with_capacity(64),
        })
    }

    pub fn scope(&self) -> ScopeNumber {
        self.scope
    }

    /// Adds a row; in ascending order of serial number.
    pub fn add(&mut self, serial: SerialNumber, body: Body) -> Result<(), StoreError> {
        if self.is_first_of_issuer {
            return self.put(&serial, body, None);
        }
        self.waiting.push((serial, body));
        if self.waiting.len() == GROUP { self.settle() } else { Ok(()) }
    }

    fn settle(&mut self) -> Result<(), StoreError> {
        let waiting = std::mem::take(&mut self.waiting);
        let keys: Vec<RowKey> =
            waiting.iter().map(|(serial, _)| RowKey::new(self.issuer.0, serial)).collect();
        let values = self.db.get_many(Family::Status, &keys)?;
        for ((serial, body), value) in waiting.iter().zip(values) {
            self.put(serial, *body, value.as_deref())?;
        }
        Ok(())
    }

    /// `held` is what stands in `status` for the serial.
    fn put(&mut self, serial: &SerialNumber, body: Body, held: Option<&[u8]>) -> Result<(), StoreError> {
        let octets = &mut self.octets;
        with_status(held, self.scope, Some(body), octets).map_err(|bad| self.db.bad(bad))?;
        self.status.add(&RowKey::new(self.issuer.0, serial), octets)?;
        self.block.push((*serial, body));
        if self.block.len() == MAX_ROWS { self.close_block() } else { Ok(()) }
    }

    fn close_block(&mut self) -> Result<(), StoreError> {
        if let Some((serial, _)) = self.block.first() {
            block::encode(&self.block, &mut self.octets);
            self.scope_rows.add(&RowKey::new(self.scope.0, serial), &self.octets)?;
            self.block.clear();
        }
        Ok(())
    }

    /// Brings all rows into the store, where nobody sees them yet.
    pub fn take_in(mut self) -> Result<(), StoreError> {
        self.settle()?;
        self.close_block()?;
        let status = self.status.finish()?;
        // The index first: while only it is there, a sweep finds rows that say nothing; the other way
        // round there would be status rows that no index leads to.
        self.db.take_files(Family::ScopeRows, self.scope_rows.finish()?)?;
        // A crash here, or after the next step: rows under a mark, which the next writer sweeps.
        self.db.take_files(Family::Status, status)
    }
}

/// Makes the folder in which rows are staged.
pub fn make_folder(db: &Db) -> Result<PathBuf, StoreError> {
    let path = db.staging_folder();
    match std::fs::create_dir_all(&path) {
        Ok(()) => Ok(path),
        Err(error) => Err(StoreError::Io { path, detail: error.to_string() }),
    }
}

/// Files of one family, each as large as [`FILE`], in ascending order.
pub struct SortedFiles<'a> {
    db: &'a Db,
    family: Family,
    /// Of the scope or the issuer whose rows they are.
    number: u32,
    writer: SstFileWriter<'a>,
    is_open: bool,
    /// Octets of keys and values in the file that is open.
    octets: u64,
    files: Vec<PathBuf>,
}

impl<'a> SortedFiles<'a> {
    pub fn new(db: &'a Db, family: Family, number: u32) -> Self {
        let writer = db.file_writer(family);
        Self { db, family, number, writer, is_open: false, octets: 0, files: Vec::new() }
    }

    pub fn add(&mut self, key: &RowKey, value: &[u8]) -> Result<(), StoreError> {
        if !self.is_open {
            let name = format!("{}-{:?}-{}.sst", self.number, self.family, self.files.len());
            let path = self.db.staging_folder().join(name);
            self.writer.open(&path).map_err(|error| self.db.failed(&error))?;
            self.files.push(path);
            (self.is_open, self.octets) = (true, 0);
        }
        self.writer.put(key, value).map_err(|error| self.db.failed(&error))?;
        self.octets += (key.as_ref().len() + value.len()) as u64;
        if self.octets >= FILE { self.close() } else { Ok(()) }
    }

    fn close(&mut self) -> Result<(), StoreError> {
        self.is_open = false;
        // Synced: what is taken in must not be lost later.
        self.writer.finish().map_err(|error| self.db.failed(&error))
    }

    pub fn finish(&mut self) -> Result<Vec<PathBuf>, StoreError> {
        if self.is_open {
            self.close()?;
        }
        Ok(self.files.clone())
    }
}

impl Drop for SortedFiles<'_> {
    fn drop(&mut self) {
        for file in &self.files {
            // Those that were taken in are not there any more. What stays, the next opening clears.
            let _ = std::fs::remove_file(file);
        }
    }
}
