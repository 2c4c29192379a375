//! RocksDB as the store uses it: one database, six typed column families, batches. Nothing
//! outside `store` names rocksdb, and little outside this file does.
//!
//! Look-ups: whole-key bloom filters, a hash index in the inventory's blocks, and a lock-free block cache
//! that also holds filters and indexes, in partitions, so that memory stays within the cache's size
//! however many rows there are. Writes: every batch goes through the log (WAL). A batch that is not
//! synced may be lost when the machine stops, but never out of order: what survives is everything
//! up to some batch, each batch whole over all families. The next synced batch makes all before it
//! durable too.

use super::StoreOptions;
pub use super::batch::{Batch, Durability};
use super::epochs::Epochs;
use super::error::StoreError;
pub use super::family::Family;
use super::family::{block_cache, database_options, families, layouts, shelf_octets};
use super::format::{BadRow, FORMAT, FORMAT_KEY, RowKey, decode_number};
use super::shelf::Shelf;
use rocksdb::{
    Cache, ColumnFamily, DB, DBPinnableSlice, DBRawIterator, ErrorKind, IngestExternalFileOptions, Options,
    ReadOptions, SstFileWriter, WriteBatch, WriteOptions,
};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

/// How often a store that is written meanwhile is opened for reading before that is given up.
const MOST_OPENINGS: u32 = 10;

/// Whether a process may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Write,
    Read,
}

/// The database, open.
pub struct Db {
    rocks: DB,
    path: PathBuf,
    access: Access,
    /// How files of every family that takes them are laid out, for those that are made outside RocksDB.
    layouts: [Options; 4],
    max_batch_rows: usize,
    sketched_octets: u64,
    epochs: Epochs,
    shelf: Shelf,
    /// Shared by whoever takes files in, alone for whoever copies the store: see [`Db::without_new_files`].
    taking: RwLock<()>,
}

impl Db {
    /// Opens the store at `path` for writing; makes it where there is none.
    pub fn open(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let existed = path.join("CURRENT").exists();
        if existed {
            Self::refuse_foreign_families(path)?;
        }
        let mut all = database_options(options);
        all.create_if_missing(true);
        all.create_missing_column_families(true);
        let cache = block_cache(options);
        let rocks = DB::open_cf_descriptors(&all, path, families(options, &cache))
            .map_err(|error| failure(path, &error))?;
        let db = Self::of(rocks, path, Access::Write, options, &cache);
        // The lock is ours, so files that stand there belong to no one: a killed load left them.
        let _ = std::fs::remove_dir_all(db.staging_folder());
        if !db.check_format()? {
            // A crash before this is durable leaves a store without any row, which the next start finds
            // and numbers the same way.
            let mut batch = db.batch()?;
            batch.put_meta(FORMAT_KEY, &FORMAT.to_be_bytes());
            batch.commit(Durability::Synced)?;
        }
        Ok(db)
    }

    /// Opens the store at `path` for reading, as it stands now. Another process may hold and
    /// write it meanwhile; what that process writes later is not seen.
    pub fn open_read_only(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        // RocksDB reads the manifest to its end and only then looks which logs there are; a log that is gone is no
        // error to it. A writer that meanwhile flushed has noted that and deleted the log: its rows would be missing. One
        // that took files in would have its record read without its rows. Either writes to the manifest before it
        // deletes the log, or logs the record; so where the manifest did not grow there was no such gap.
        let mut failures = 0;
        for _ in 0..MOST_OPENINGS {
            let before = manifest_stamp(path);
            let opened = Self::open_read_only_once(path, options);
            let is_still = before == manifest_stamp(path);
            match opened {
                // A file may be deleted between its listing and its opening, so a failure is looked at twice more
                // before it is believed.
                Err(StoreError::Io { .. } | StoreError::Corrupt { .. }) if failures < 2 => failures += 1,
                Ok(db) if is_still && before.is_some() => return Ok(db),
                Err(why) if is_still => return Err(why),
                _ => {}
            }
        }
        Err(StoreError::Changing { path: path.to_owned() })
    }

    fn open_read_only_once(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        if !path.join("CURRENT").exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        Self::refuse_foreign_families(path)?;
        let cache = block_cache(options);
        let all = database_options(options);
        let mut families = families(options, &cache);
        let there = DB::list_cf(&Options::default(), path).map_err(|error| failure(path, &error))?;
        // A store that no writer has opened since there are answers is read without them.
        families.retain(|family| there.iter().any(|name| name == family.name()));
        let rocks = DB::open_cf_descriptors_read_only(&all, path, families, false)
            .map_err(|error| failure(path, &error))?;
        let db = Self::of(rocks, path, Access::Read, options, &cache);
        if db.check_format()? { Ok(db) } else { Err(StoreError::Missing { path: path.to_owned() }) }
    }

    fn of(rocks: DB, path: &Path, access: Access, options: &StoreOptions, cache: &Cache) -> Self {
        Self {
            rocks,
            path: path.to_owned(),
            access,
            layouts: layouts(options, cache),
            max_batch_rows: options.max_batch_rows,
            sketched_octets: options.sketched_octets,
            epochs: Epochs::new(),
            shelf: Shelf::new(shelf_octets(options), options.page_rows),
            taking: RwLock::new(()),
        }
    }

    /// RocksDB refuses to open a database with families it is not told of, in words about column
    /// families. This says what it means: another format.
    fn refuse_foreign_families(path: &Path) -> Result<(), StoreError> {
        let names = DB::list_cf(&Options::default(), path).map_err(|error| failure(path, &error))?;
        let ours =
            |name: &String| name == "default" || Family::ALL.iter().any(|family| family.name() == name);
        if names.iter().all(ours) {
            return Ok(());
        }
        let mut found = None;
        if names.iter().any(|name| name == Family::Meta.name())
            && let Ok(rocks) =
                DB::open_cf_for_read_only(&Options::default(), path, [Family::Meta.name()], false)
            && let Some(meta) = rocks.cf_handle(Family::Meta.name())
        {
            let value = rocks.get_pinned_cf(meta, FORMAT_KEY).map_err(|error| failure(path, &error))?;
            found = value.and_then(|value| decode_number("the format version", &value).ok());
        }
        Err(StoreError::Format { path: path.to_owned(), found, expected: FORMAT })
    }

    /// Whether the store says it has our format; `false` where nothing was ever written.
    fn check_format(&self) -> Result<bool, StoreError> {
        let format = |found| StoreError::Format { path: self.path.clone(), found, expected: FORMAT };
        match self.get_meta(FORMAT_KEY)? {
            Some(value) => match decode_number("the format version", &value) {
                Ok(FORMAT) => Ok(true),
                Ok(other) => Err(format(Some(other))),
                Err(_) => Err(format(None)),
            },
            None => {
                for family in Family::ALL {
                    if self.rocks.cf_handle(family.name()).is_some()
                        && self.rows_from(family, &[], None)?.current().is_some()
                    {
                        return Err(format(None));
                    }
                }
                Ok(false)
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn access(&self) -> Access {
        self.access
    }

    pub fn rocks(&self) -> &DB {
        &self.rocks
    }

    /// Since which commit serial numbers are answered for as they are.
    pub fn epochs(&self) -> &Epochs {
        &self.epochs
    }

    /// Rows that are looked up most.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Changed rows that one batch may hold.
    pub fn max_batch_rows(&self) -> usize {
        self.max_batch_rows
    }

    /// Octets of entries from which on a CRL has a sketch.
    pub fn sketched_octets(&self) -> u64 {
        self.sketched_octets
    }

    /// Where files of rows are made before the store takes them in: on the same disk, since they are moved.
    pub fn staging_folder(&self) -> PathBuf {
        self.path.join("staged")
    }

    /// Makes files of any family but `meta` and `usage`.
    pub fn file_writer(&self, family: Family) -> SstFileWriter<'_> {
        let [status, scope_rows, inventory, answers] = &self.layouts;
        SstFileWriter::create(match family {
            Family::ScopeRows => scope_rows,
            Family::Inventory => inventory,
            Family::Answers => answers,
            Family::Meta | Family::Status | Family::Usage => status,
        })
    }

    /// Takes finished files into `family` and takes them away from where they were: all of them
    /// or none, durably, as the newest rows of their keys.
    pub fn take_files(&self, family: Family, files: Vec<PathBuf>) -> Result<(), StoreError> {
        if files.is_empty() {
            return Ok(());
        }
        let mut ingest = IngestExternalFileOptions::default();
        ingest.set_move_files(true);
        let _taking = self.taking.read().unwrap_or_else(PoisonError::into_inner);
        let taken = self.rocks.ingest_external_file_cf_opts(&self.family(family)?, &ingest, files);
        taken.map_err(|error| self.failed(&error))
    }

    /// Does `copy` while no files are taken in. RocksDB notes which files a checkpoint has, then how long its log is.
    /// A load that took its files in, and logged the record that makes them visible, between the two would
    /// be in the copy as a record without rows: revoked cards would read good.
    pub fn without_new_files<R>(&self, copy: impl FnOnce() -> R) -> R {
        let _alone = self.taking.write().unwrap_or_else(PoisonError::into_inner);
        copy()
    }

    pub fn family(&self, family: Family) -> Result<&ColumnFamily, StoreError> {
        self.rocks.cf_handle(family.name()).ok_or_else(|| StoreError::Corrupt {
            path: self.path.clone(),
            detail: format!("its column family {} is gone", family.name()),
        })
    }

    /// What RocksDB says went wrong.
    pub fn failed(&self, error: &rocksdb::Error) -> StoreError {
        failure(&self.path, error)
    }

    /// What was found in a row.
    pub fn bad(&self, BadRow(row): BadRow) -> StoreError {
        StoreError::Corrupt {
            path: self.path.clone(),
            detail: format!("{row} has octets that ocsprey never writes there"),
        }
    }

    pub fn get_meta(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.rocks.get_cf(self.family(Family::Meta)?, key).map_err(|error| self.failed(&error))
    }

    /// The values of `keys`, which are in ascending order; in that order.
    pub fn get_many(
        &self,
        family: Family,
        keys: &[RowKey],
    ) -> Result<Vec<Option<DBPinnableSlice<'_>>>, StoreError> {
        let values = self.rocks.batched_multi_get_cf(self.family(family)?, keys, true);
        values.into_iter().map(|value| value.map_err(|error| self.failed(&error))).collect()
    }

    /// The rows of `family` whose keys begin with `prefix`, in ascending order, as they stand now (or
    /// in `snapshot`). They do not displace other blocks in the cache.
    pub fn rows_from(
        &self,
        family: Family,
        prefix: &[u8],
        snapshot: Option<&rocksdb::Snapshot<'_>>,
    ) -> Result<Cursor<'_>, StoreError> {
        let mut read = ReadOptions::default();
        read.fill_cache(false);
        read.set_readahead_size(1 << 20);
        self.cursor(family, prefix, snapshot, read)
    }

    /// As [`Db::rows_from`], for whoever looks at a few of the rows: nothing is read ahead.
    pub fn rows_here_and_there(&self, family: Family, prefix: &[u8]) -> Result<Cursor<'_>, StoreError> {
        let mut read = ReadOptions::default();
        // Ten thousand rows of a large scope lie in as many blocks, and would push what is answered from out.
        read.fill_cache(false);
        self.cursor(family, prefix, None, read)
    }

    fn cursor(
        &self,
        family: Family,
        prefix: &[u8],
        snapshot: Option<&rocksdb::Snapshot<'_>>,
        mut read: ReadOptions,
    ) -> Result<Cursor<'_>, StoreError> {
        if let Some(snapshot) = snapshot {
            read.set_snapshot(snapshot);
        }
        if let Some(end) = prefix_end(prefix) {
            read.set_iterate_upper_bound(end);
        }
        let mut rows = self.rocks.raw_iterator_cf_opt(self.family(family)?, read);
        rows.seek(prefix);
        let cursor = Cursor { db: self, rows };
        cursor.check()?;
        Ok(cursor)
    }

    /// The family of answers; `None` in a store that is read and was written before there were any.
    pub fn answers(&self) -> Option<&ColumnFamily> {
        self.rocks.cf_handle(Family::Answers.name())
    }

    /// Makes every commit so far durable, by an empty one that is synced. RocksDB gets over a full disk by itself, if no
    /// log is synced meanwhile: that would be one error more, which ends with the process. A commit asks first
    /// whether it is over.
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut write = WriteOptions::default();
        write.set_sync(true);
        self.rocks.write_opt(WriteBatch::default(), &write).map_err(|error| self.failed(&error))
    }
}

/// Which manifest the store at `path` has, and how long it is: another one after each flush, compaction and taking in of
/// files. `None`: there is none, or it is being replaced.
fn manifest_stamp(path: &Path) -> Option<(String, u64)> {
    let name = std::fs::read_to_string(path.join("CURRENT")).ok()?;
    let length = path.join(name.trim_end()).metadata().ok()?.len();
    Some((name, length))
}

/// The key after the last that begins with `prefix`: the prefix itself, counted up. `None`: nothing follows.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

/// Walks rows in ascending order of key.
pub struct Cursor<'a> {
    db: &'a Db,
    rows: DBRawIterator<'a>,
}

impl Cursor<'_> {
    /// Key and value of the row it stands on; `None` past the last.
    pub fn current(&self) -> Option<(&[u8], &[u8])> {
        self.rows.item()
    }

    /// Goes to the first row with `key` or after it.
    pub fn seek(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.rows.seek(key);
        self.check()
    }

    pub fn advance(&mut self) -> Result<(), StoreError> {
        self.rows.next();
        self.check()
    }

    /// Goes to the last row whose key is `key` or less, ahead of where it stands or behind.
    pub fn back_to(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.rows.seek_for_prev(key);
        self.check()
    }

    /// Goes to the last row with the prefix of [`Db::rows_from`].
    pub fn go_to_last(&mut self) -> Result<(), StoreError> {
        self.rows.seek_to_last();
        self.check()
    }

    /// "No row here" may also mean that reading failed, and must never be taken for the end.
    fn check(&self) -> Result<(), StoreError> {
        if self.rows.valid() { Ok(()) } else { self.rows.status().map_err(|error| self.db.failed(&error)) }
    }
}

/// RocksDB's error in our words. The lock is told apart by its message, the only thing RocksDB gives:
/// one for another process, one for another store object in this process.
fn failure(path: &Path, error: &rocksdb::Error) -> StoreError {
    let path = path.to_owned();
    let text: &str = error.as_ref();
    match error.kind() {
        ErrorKind::IOError
            if text.contains("While lock file") || text.contains("lock hold by current process") =>
        {
            StoreError::InUse { path }
        }
        ErrorKind::Incomplete => StoreError::NotInMemory { path },
        ErrorKind::Corruption => StoreError::Corrupt { path, detail: text.to_owned() },
        _ => StoreError::Io { path, detail: text.to_owned() },
    }
}
