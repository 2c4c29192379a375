//! RocksDB as the store uses it: one database, four typed column families, batches. Nothing
//! outside `store` names rocksdb, and little outside this file does.
//!
//! Look-ups: whole-key bloom filters, a hash index in the inventory's blocks, and a lock-free block cache
//! that also holds filters and indexes, in partitions, so that memory stays within the cache's size
//! however many rows there are. Writes: every batch goes through the log (WAL). A batch that is not
//! synced may be lost when the machine stops, but never out of order: what survives is everything
//! up to some batch, each batch whole over all families. The next synced batch makes all before it
//! durable too.

use super::StoreOptions;
use super::error::StoreError;
use super::format::{BadRow, FORMAT, FORMAT_KEY, RowKey, decode_number};
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB,
    DBCompressionType, DBPinnableSlice, DBRawIterator, DataBlockIndexType, Env, ErrorKind,
    IngestExternalFileOptions, LogLevel, Options, ReadOptions, SstFileWriter, WriteBatch, WriteOptions,
};
use std::path::{Path, PathBuf};

/// A column family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Meta,
    Status,
    ScopeRows,
    Inventory,
}

impl Family {
    const ALL: [Self; 4] = [Self::Meta, Self::Status, Self::ScopeRows, Self::Inventory];

    const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Status => "status",
            Self::ScopeRows => "scope_rows",
            Self::Inventory => "inventory",
        }
    }

    fn options(self, options: &StoreOptions, cache: &Cache) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(cache);
        // The index by scope is only ever walked: no filter to build, to store, or to keep in memory, and
        // no hash in its blocks, which may be larger.
        let is_looked_up = self != Self::ScopeRows;
        if is_looked_up {
            table.set_bloom_filter(10.0, false);
            table.set_whole_key_filtering(true);
            table.set_partition_filters(true);
            // In the inventory nearly every look-up is a hit, of which a hash index takes 0.2 us off; nearly
            // every one in `status` ends at the filter, and its files are built while somebody waits.
            if self == Self::Inventory {
                table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
            }
        } else {
            table.set_block_size(32 << 10);
        }
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        // Partitions of 4 KiB: a filter of 64 MiB of rows is 1 to 2 MiB, and a small cache would lose
        // and reload all of it for one look-up. They cost 0.3 us a look-up (0.9 us a miss against 0.6).
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_metadata_block_size(4096);
        table.set_pin_top_level_index_and_filter(true);

        let mut family = Options::default();
        family.set_block_based_table_factory(&table);
        family.set_compression_type(DBCompressionType::None);
        if is_looked_up {
            family.set_memtable_whole_key_filtering(true);
            family.set_memtable_prefix_bloom_ratio(0.02);
        }
        let buffer = match self {
            Self::Meta => 4 << 20,
            Self::Status | Self::ScopeRows | Self::Inventory => options.write_buffer_bytes,
        };
        family.set_write_buffer_size(buffer);
        family.set_max_write_buffer_number(3);
        family
    }
}

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
    /// How files of `status`, `scope_rows` and `inventory` are laid out, for those that are made outside RocksDB.
    layouts: [Options; 3],
    max_batch_rows: usize,
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
        let cache = Cache::new_hyper_clock_cache(options.block_cache_bytes, 0);
        let rocks = DB::open_cf_descriptors(&all, path, families(options, &cache))
            .map_err(|error| failure(path, &error))?;
        let db = Self {
            rocks,
            path: path.to_owned(),
            access: Access::Write,
            layouts: layouts(options, &cache),
            max_batch_rows: options.max_batch_rows,
        };
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
        // The writer may delete a log file between our listing and our opening it, so a failure is
        // looked at twice more before it is believed.
        let mut attempts = 0;
        loop {
            attempts += 1;
            match Self::open_read_only_once(path, options) {
                Err(StoreError::Io { .. } | StoreError::Corrupt { .. }) if attempts < 3 => {}
                result => return result,
            }
        }
    }

    fn open_read_only_once(path: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        if !path.join("CURRENT").exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        Self::refuse_foreign_families(path)?;
        let cache = Cache::new_hyper_clock_cache(options.block_cache_bytes, 0);
        let all = database_options(options);
        let rocks = DB::open_cf_descriptors_read_only(&all, path, families(options, &cache), false)
            .map_err(|error| failure(path, &error))?;
        let db = Self {
            rocks,
            path: path.to_owned(),
            access: Access::Read,
            layouts: layouts(options, &cache),
            max_batch_rows: options.max_batch_rows,
        };
        if db.check_format()? { Ok(db) } else { Err(StoreError::Missing { path: path.to_owned() }) }
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
                    if self.rows_from(family, &[], None)?.current().is_some() {
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

    /// Changed rows that one batch may hold.
    pub fn max_batch_rows(&self) -> usize {
        self.max_batch_rows
    }

    /// Where files of rows are made before the store takes them in: on the same disk, since they are moved.
    pub fn staging_folder(&self) -> PathBuf {
        self.path.join("staged")
    }

    /// Makes files of any family but `meta`.
    pub fn file_writer(&self, family: Family) -> SstFileWriter<'_> {
        let [status, scope_rows, inventory] = &self.layouts;
        SstFileWriter::create(match family {
            Family::Meta | Family::Status => status,
            Family::ScopeRows => scope_rows,
            Family::Inventory => inventory,
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
        let taken = self.rocks.ingest_external_file_cf_opts(&self.family(family)?, &ingest, files);
        taken.map_err(|error| self.failed(&error))
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
        self.cursor(family, prefix, None, ReadOptions::default())
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
        // The key after the last with this prefix: the prefix itself, counted up.
        let mut end = prefix.to_vec();
        while let Some(last) = end.pop() {
            if let Some(next) = last.checked_add(1) {
                end.push(next);
                read.set_iterate_upper_bound(end);
                break;
            }
        }
        let mut rows = self.rocks.raw_iterator_cf_opt(self.family(family)?, read);
        rows.seek(prefix);
        let cursor = Cursor { db: self, rows };
        cursor.check()?;
        Ok(cursor)
    }

    pub fn batch(&self) -> Result<Batch<'_>, StoreError> {
        Ok(Batch {
            db: self,
            meta: self.family(Family::Meta)?,
            status: self.family(Family::Status)?,
            scope_rows: self.family(Family::ScopeRows)?,
            inventory: self.family(Family::Inventory)?,
            rocks: WriteBatch::default(),
        })
    }
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

    pub fn advance(&mut self) -> Result<(), StoreError> {
        self.rows.next();
        self.check()
    }

    /// Goes to the last row whose key is `key` or less, ahead of where it stands or behind.
    pub fn back_to(&mut self, key: &[u8]) -> Result<(), StoreError> {
        self.rows.seek_for_prev(key);
        self.check()
    }

    /// "No row here" may also mean that reading failed, and must never be taken for the end.
    fn check(&self) -> Result<(), StoreError> {
        if self.rows.valid() { Ok(()) } else { self.rows.status().map_err(|error| self.db.failed(&error)) }
    }
}

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
    rocks: WriteBatch,
}

impl Batch<'_> {
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

    pub fn size_in_bytes(&self) -> usize {
        self.rocks.size_in_bytes()
    }

    pub fn commit(self, durability: Durability) -> Result<(), StoreError> {
        let mut write = WriteOptions::default();
        write.set_sync(durability == Durability::Synced);
        self.db.rocks.write_opt(self.rocks, &write).map_err(|error| self.db.failed(&error))
    }
}

fn database_options(options: &StoreOptions) -> Options {
    let mut all = Options::default();
    // Compactions give way to everybody who answers: lowest priority for processor and disk, and a steady
    // rate, so that a large one does not fill the disk's queue. (Flushes, which a writer may have
    // to wait for, keep the ordinary priority, and come first at the same limit.)
    if let Ok(mut env) = Env::new() {
        env.lower_thread_pool_cpu_priority();
        env.lower_thread_pool_io_priority();
        all.set_env(&env);
    }
    let rate = i64::try_from(options.background_bytes_per_second).unwrap_or(i64::MAX);
    all.set_ratelimiter(rate.max(1 << 20), 100_000, 10);
    all.set_max_background_jobs(i32::try_from(options.background_threads).unwrap_or(i32::MAX).max(2));
    all.set_max_open_files(
        options.max_open_files.map_or(-1, |files| i32::try_from(files).unwrap_or(i32::MAX)),
    );
    all.set_max_total_wal_size(options.max_wal_bytes);
    all.set_db_write_buffer_size(options.write_buffer_bytes.saturating_mul(4));
    // Written out steadily, so that the sync of a commit does not wait for a gigabyte of somebody's flush.
    all.set_bytes_per_sync(1 << 20);
    all.set_wal_bytes_per_sync(1 << 20);
    // RocksDB's own log: warnings, two files of a megabyte.
    all.set_log_level(LogLevel::Warn);
    all.set_max_log_file_size(1 << 20);
    all.set_keep_log_file_num(2);
    all.set_stats_dump_period_sec(0);
    all.set_stats_persist_period_sec(0);
    all
}

fn families(options: &StoreOptions, cache: &Cache) -> Vec<ColumnFamilyDescriptor> {
    Family::ALL
        .into_iter()
        .map(|family| ColumnFamilyDescriptor::new(family.name(), family.options(options, cache)))
        .collect()
}

fn layouts(options: &StoreOptions, cache: &Cache) -> [Options; 3] {
    [Family::Status, Family::ScopeRows, Family::Inventory].map(|family| family.options(options, cache))
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
        ErrorKind::Corruption => StoreError::Corrupt { path, detail: text.to_owned() },
        _ => StoreError::Io { path, detail: text.to_owned() },
    }
}
