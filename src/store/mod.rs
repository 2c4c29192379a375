//! The store: who is revoked, who was issued, and what each CRL said of itself, in RocksDB.
//!
//! Ingest writes, through [`Store`]; requests read, through a [`ReadView`] that a published snapshot
//! holds; command line pages read a store that another process may be writing.
//!
//! Invariants:
//! - A scope's rows and its record change together or not at all, for readers and for crashes.
//! - A row of `status` and its twin in `scope_rows` (the index by scope) are written in one batch.
//! - A permanent revocation never goes away with its CRL entry; it is kept as *retained*.
//! - Numbers of scopes are never used twice; numbers of names never change.
//! - Readers take no lock. Writers take one, in their own process; RocksDB's lock file keeps every
//!   other process from writing.
//!
//! Errors: [`StoreError`], which never names a serial number.
//!
//! Layers: [`format`] and [`block`] (octets), [`db`] and [`batch`] (RocksDB, typed families), then [`registry`] (numbers
//! and records), [`replace`] with [`staging`] and [`unfinished`], [`refresh`] with [`sketch`], [`inventory`],
//! [`answers`], [`usage`] (writing), [`view`] (reading), [`at_hand`] with [`shelf`] (look-ups of requests), [`epochs`]
//! (until when what is kept in memory holds), [`checkpoint`],
//! [`verify`] and [`rollback`] (copies of the whole, and what they are good for), and this file.
//! The rows are described in [`format`].

#![expect(clippy::disallowed_types, reason = "the pen of the one writer; readers never touch it")]

mod answers;
mod at_hand;
mod batch;
mod block;
mod checkpoint;
mod db;
mod epochs;
mod error;
mod family;
mod format;
mod inventory;
mod listing;
mod refresh;
mod registry;
mod replace;
mod rollback;
mod scope;
mod shelf;
mod sketch;
mod staging;
#[cfg(test)]
mod tests;
mod unfinished;
mod usage;
mod verify;
mod view;

pub use answers::{
    AnswerRow, Candidate, Grounds, Reach, Segment, SegmentRow, SegmentWriter, SerialBound, SingleAnswers,
};
pub use checkpoint::{Existing, RestoreError, Restored, file_stamp, restore};
pub use db::Durability;
pub use epochs::{Epoch, Place};
pub use error::{LoadError, ReplaceError, StoreError};
pub use format::FORMAT;
pub use replace::Replacement;
pub use rollback::RolledBack;
pub use scope::{
    CertificateKinds, DistributionPointNumber, Inventoried, InventoryLoad, InventoryState, IssuerNumber,
    Layer, Retention, Rows, ScopeChange, ScopeKey, ScopeNames, ScopeNumber, ScopeRecord, ScopeRecordDraft,
    SeriesNumber, StatusRow, VerifierNumber,
};
pub use sketch::{Sketch, Sketching};
pub use usage::{LONGEST_NAME, UsageKey, UsageMethod, UsageResult};
pub use verify::{Verification, verify};
pub use view::ReadView;

use crate::x509::{Revocation, SerialNumber, UnixTime};
use db::{Access, Db};
use format::NumberKind;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What a model checker replaces in [`epochs`] (`tests/epochs.rs`).
mod sync {
    pub(super) use std::sync::atomic::{AtomicU64, Ordering};

    /// 1,000 changed serial numbers touch one kept answer in 65.
    pub(super) const SERIAL_PLACES: usize = 1 << 16;
    /// A national PKI has a handful of issuers.
    pub(super) const ISSUER_PLACES: usize = 1 << 8;
}

/// What the store may use of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreOptions {
    /// Memory: half of it for rows that requests look up, half for RocksDB's blocks, filters and indexes.
    pub cache_bytes: usize,
    /// Threads that flush and compact (at least 2: flushing must not wait for a compaction).
    pub background_threads: u32,
    /// Files kept open; `None` for all of them, which spares every look-up a search for its file
    /// (a store of 100 GB has about 1,600).
    pub max_open_files: Option<u32>,
    /// Rows kept in memory before they are written out, per column family; four times this in all.
    pub write_buffer_bytes: usize,
    /// The log that is replayed after a crash, row by row as it was written (40 MB take half a second to a
    /// second): with the write buffers, which are what of it counts, its length is the time to start.
    pub max_wal_bytes: u64,
    /// Octets a second that flushing and compacting may write.
    pub background_bytes_per_second: u64,
    /// Changed rows that go into one batch, in memory; more are staged in files first.
    pub max_batch_rows: usize,
    /// Octets of a CRL's entries from which on the store keeps their sums, so that the next one need not be sorted.
    /// Of fewer, some 100,000 entries, sorting takes a tenth of a second.
    pub sketched_octets: u64,
    /// Rows of a page in memory. Fewer: more steps to it; more: reading one takes longer.
    pub page_rows: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            cache_bytes: 256 << 20,
            background_threads: 2,
            max_open_files: None,
            write_buffer_bytes: 16 << 20,
            max_wal_bytes: 32 << 20,
            background_bytes_per_second: 128 << 20,
            max_batch_rows: 100_000,
            sketched_octets: 4 << 20,
            page_rows: 256,
        }
    }
}

/// Gives distribution points their numbers while an inventory is loaded.
pub struct Numbering<'a>(&'a Db);

impl Numbering<'_> {
    /// As [`Store::distribution_point_number`].
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn distribution_point(&self, name: &[u8]) -> Result<DistributionPointNumber, StoreError> {
        registry::number_for_name(self.0, NumberKind::DistributionPoint, name).map(DistributionPointNumber)
    }
}

/// A store, open. One process may hold it for writing, any number for reading.
pub struct Store {
    db: Arc<Db>,
    /// Held by a writer from its first read to its commit.
    writing: Mutex<()>,
}

impl Store {
    /// Opens the store in the folder `path` for writing; makes it where there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process writes it, [`StoreError::Format`] when it is another
    /// version's or another program's.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        Ok(Self { db: Arc::new(Db::open(path, options)?), writing: Mutex::new(()) })
    }

    /// Opens the store in the folder `path` for reading, as it stands at this moment, also while
    /// another process writes it.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none, else as [`Store::open`].
    pub fn open_read_only(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        Ok(Self { db: Arc::new(Db::open_read_only(path, options)?), writing: Mutex::new(()) })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        self.db.path()
    }

    /// The store as it stands now, for readers.
    ///
    /// # Errors
    /// When the records of the scopes cannot be read.
    pub fn view(&self) -> Result<ReadView, StoreError> {
        ReadView::new(Arc::clone(&self.db))
    }

    /// What rows in memory take, of those that requests look up. RocksDB's blocks are not among them.
    #[must_use]
    pub fn octets_in_memory(&self) -> usize {
        self.db.shelf().octets()
    }

    /// The number of the CA with this canonical name: given out the first time, and kept by
    /// the store before any row that uses it.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn issuer_number(&self, name_key: &[u8]) -> Result<IssuerNumber, StoreError> {
        self.number(NumberKind::Issuer, name_key).map(IssuerNumber)
    }

    /// The number of the CA with this canonical name, if it has one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn find_issuer(&self, name_key: &[u8]) -> Result<Option<IssuerNumber>, StoreError> {
        Ok(registry::number_of_name(&self.db, NumberKind::Issuer, name_key)?.map(IssuerNumber))
    }

    /// Every CA name with its number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn issuers(&self) -> Result<Vec<(IssuerNumber, Vec<u8>)>, StoreError> {
        registry::issuers(&self.db)
    }

    /// The number of the verifier with this id: given out the first time, and never to another.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn verifier_number(&self, id: &str) -> Result<VerifierNumber, StoreError> {
        self.number(NumberKind::Verifier, id.as_bytes()).map(VerifierNumber)
    }

    /// The id of every verifier that ever had a number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn verifiers(&self) -> Result<Vec<(VerifierNumber, String)>, StoreError> {
        let named = registry::verifiers(&self.db)?.into_iter();
        Ok(named.map(|(number, id)| (number, String::from_utf8_lossy(&id).into_owned())).collect())
    }

    /// The number of the distribution point with these canonical `fullName` octets: given out the
    /// first time, so that an inventory may name one before its CRL came.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn distribution_point_number(&self, name: &[u8]) -> Result<DistributionPointNumber, StoreError> {
        self.number(NumberKind::DistributionPoint, name).map(DistributionPointNumber)
    }

    /// Every scope, in order of number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scopes(&self) -> Result<Vec<ScopeRecord>, StoreError> {
        registry::scopes(&self.db, None)
    }

    /// The scope with this key, if a CRL of it was ever ingested.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn scope(&self, key: &ScopeKey) -> Result<Option<ScopeRecord>, StoreError> {
        registry::scope(&self.db, key)
    }

    /// Makes `entries` the entries of the scope of `next`, and `next` its record: all at once and
    /// durably, or, on any error, not at all. `entries` come strictly ascending by serial number. Entries
    /// that went away are released if they were on hold and retained otherwise.
    ///
    /// # Errors
    /// The first error of `entries`, or the store's, or [`ReplaceError::OutOfOrder`].
    pub fn replace_scope<E>(
        &self,
        next: ScopeRecordDraft,
        entries: impl IntoIterator<Item = Result<(SerialNumber, Revocation), E>>,
    ) -> Result<ScopeChange, ReplaceError<E>> {
        self.replace_scope_if(next, entries, Retention::WithoutEnd, |_| Ok(()))
    }

    /// As [`Store::replace_scope`], if `approve` has nothing against the change that it would be; and what was
    /// retained for all of `retention` goes.
    ///
    /// # Errors
    /// As [`Store::replace_scope`], and the error of `approve`, as [`ReplaceError::Source`].
    pub fn replace_scope_if<E>(
        &self,
        next: ScopeRecordDraft,
        entries: impl IntoIterator<Item = Result<(SerialNumber, Revocation), E>>,
        retention: Retention,
        approve: impl FnOnce(&ScopeChange) -> Result<(), E>,
    ) -> Result<ScopeChange, ReplaceError<E>> {
        let approve = |changes: &[ScopeChange]| changes.first().map_or(Ok(()), approve);
        let only = Replacement { next, retention, entries, sketch: None };
        let changes = self.replace_scopes_if(vec![only], Durability::Synced, approve)?;
        Ok(changes.into_iter().next().unwrap_or_default())
    }

    /// As [`Store::replace_scope_if`] for several scopes at once, each of another issuer: all of them, or none.
    /// An indirect CRL speaks for several issuers. The changes come in the order of the scopes.
    ///
    /// With [`Durability::Ordered`] the disk is not waited for, and nobody may be told of the change, or be
    /// answered from it, before [`Store::sync`]: a machine that stops may lose it, and all after it.
    ///
    /// # Errors
    /// As [`Store::replace_scope_if`].
    pub fn replace_scopes_if<E, I>(
        &self,
        replacements: Vec<Replacement<I>>,
        durability: Durability,
        approve: impl FnOnce(&[ScopeChange]) -> Result<(), E>,
    ) -> Result<Vec<ScopeChange>, ReplaceError<E>>
    where
        I: IntoIterator<Item = Result<(SerialNumber, Revocation), E>>,
    {
        let _writing = self.begin_write()?;
        let replacements = replacements.into_iter().map(|one| {
            let Replacement { next, retention, entries, sketch } = one;
            Replacement { next, retention, entries: entries.into_iter(), sketch }
        });
        replace::replace(&self.db, replacements.collect(), durability, approve)
    }

    /// What is to be done with the entries of a CRL of `issuer` that begins to stream by: so many octets of them,
    /// of this time.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub fn sketching(
        &self,
        issuer: IssuerNumber,
        octets: u64,
        this_update: UnixTime,
        retention: Retention,
    ) -> Result<Sketching, StoreError> {
        // Most CRLs are small, and then nothing is looked up.
        if octets < self.db.sketched_octets() {
            return Ok(Sketching::Nothing);
        }
        let _writing = self.begin_write()?;
        sketch::sketching(&self.db, issuer, octets, replace::Moment { now: this_update, retention })
    }

    /// As [`Store::replace_scopes_if`] for one scope, by the sketch of the entries instead of the entries.
    /// `None`: that was not enough, nothing is changed, and the entries themselves are needed.
    ///
    /// # Errors
    /// As [`Store::replace_scope_if`].
    pub fn refresh_scope_if<E>(
        &self,
        next: ScopeRecordDraft,
        retention: Retention,
        sketch: Sketch,
        durability: Durability,
        approve: impl FnOnce(&ScopeChange) -> Result<(), E>,
    ) -> Result<Option<ScopeChange>, ReplaceError<E>> {
        let _writing = self.begin_write()?;
        refresh::refresh(&self.db, next, retention, sketch, durability, approve)
    }

    /// Waits until everything that was written is on the disk.
    ///
    /// # Errors
    /// When the disk refuses: then what was not synced before may be lost.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.db.sync()
    }

    /// What [`Store::replace_scope_if`] would change. Writes nothing, and may be asked of a store that is
    /// open for reading only.
    ///
    /// # Errors
    /// As [`Store::replace_scope`].
    pub fn compare_scope<E>(
        &self,
        next: &ScopeRecordDraft,
        entries: impl IntoIterator<Item = Result<(SerialNumber, Revocation), E>>,
        retention: Retention,
    ) -> Result<ScopeChange, ReplaceError<E>> {
        replace::compare(&self.db, next, entries.into_iter(), retention)
    }

    /// Takes a scope away with all its rows, the retained ones too. Whether there was one.
    ///
    /// # Errors
    /// When the store cannot be read or written. The scope is gone once any reader does not see it,
    /// also if an error comes after.
    pub fn remove_scope(&self, key: &ScopeKey) -> Result<bool, StoreError> {
        let _writing = self.begin_write()?;
        replace::remove(&self.db, key)
    }

    /// Adds issued serial numbers, in any order, to the inventory of `issuer`; those that are there
    /// already are counted. Files that only together are the inventory are loaded as one iterator: the
    /// inventory is complete once one load came to its end.
    ///
    /// # Errors
    /// The first error of `serials`, or the store's. Of an addition, what was loaded before stays; of a first load
    /// nothing does. Loading again is safe.
    pub fn load_inventory<E>(
        &self,
        issuer: IssuerNumber,
        serials: impl IntoIterator<Item = Result<(SerialNumber, Option<DistributionPointNumber>), E>>,
    ) -> Result<InventoryLoad, LoadError<E>> {
        self.load_inventory_with(issuer, |_| serials, || Ok(()))
    }

    /// As [`Store::load_inventory`], for entries whose distribution points have no numbers yet: the load
    /// holds the pen, so `serials` is given the [`Numbering`] that writes with it. Every 100,000 entries the pen is put
    /// down for `meanwhile`, which may write anything but this inventory: a country's takes minutes, and a revocation
    /// does not wait for it.
    ///
    /// # Errors
    /// As [`Store::load_inventory`], and the first one of `meanwhile`, which ends the load.
    pub fn load_inventory_with<'a, E, I>(
        &'a self,
        issuer: IssuerNumber,
        serials: impl FnOnce(Numbering<'a>) -> I,
        mut meanwhile: impl FnMut() -> Result<(), E>,
    ) -> Result<InventoryLoad, LoadError<E>>
    where
        I: IntoIterator<Item = Result<(SerialNumber, Option<DistributionPointNumber>), E>>,
    {
        let mut pen = Some(self.begin_write()?);
        let serials = serials(Numbering(&self.db)).into_iter();
        inventory::load(&self.db, issuer, serials, || {
            pen = None;
            let so_far = meanwhile().map_err(LoadError::Source);
            pen = Some(self.begin_write()?);
            so_far
        })
    }

    /// What [`Store::set_note`] wrote under this name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn note(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get_meta(&format::note_key(name))
    }

    /// Keeps a few octets for the write side, durably: what it took from where, so that it need not be
    /// taken again after a restart.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn set_note(&self, name: &str, octets: &[u8]) -> Result<(), StoreError> {
        let _writing = self.begin_write()?;
        let mut batch = self.db.batch()?;
        batch.put_meta(&format::note_key(name), octets);
        batch.commit(Durability::Synced)
    }

    /// Octets of all files of the store.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn size_bytes(&self) -> Result<u64, StoreError> {
        let failed = |error: std::io::Error| StoreError::Io {
            path: self.path().to_owned(),
            detail: error.to_string(),
        };
        let mut size = 0;
        for entry in std::fs::read_dir(self.path()).map_err(failed)? {
            // A file that a compaction deleted between the listing and the look counts for nothing.
            size += entry.and_then(|entry| entry.metadata()).map_or(0, |metadata| metadata.len());
        }
        Ok(size)
    }

    /// The number of `name`, given out the first time. Who finds it takes no pen.
    fn number(&self, kind: NumberKind, name: &[u8]) -> Result<u32, StoreError> {
        if let Some(number) = registry::number_of_name(&self.db, kind, name)? {
            return Ok(number);
        }
        let _writing = self.begin_write()?;
        registry::number_for_name(&self.db, kind, name)
    }

    fn begin_write(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        self.must_write()?;
        // The lock guards no memory of ours: after a writer's panic the store is as its last commit.
        Ok(self.writing.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn must_write(&self) -> Result<(), StoreError> {
        match self.db.access() {
            Access::Write => Ok(()),
            Access::Read => Err(StoreError::ReadOnly { path: self.path().to_owned() }),
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("path", &self.path()).finish_non_exhaustive()
    }
}
