//! The column families, and how RocksDB is to lay out each of them and to work on all.

use super::StoreOptions;
use super::format::usage::add;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType,
    DataBlockIndexType, Env, LogLevel, Options,
};

/// A column family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    Meta,
    Status,
    ScopeRows,
    Inventory,
    /// Pre-signed answers. Large, and worth nothing that could not be signed again.
    Answers,
    /// Who asked how often: sums, to which is added without reading them.
    Usage,
}

impl Family {
    pub const ALL: [Self; 6] =
        [Self::Meta, Self::Status, Self::ScopeRows, Self::Inventory, Self::Answers, Self::Usage];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Status => "status",
            Self::ScopeRows => "scope_rows",
            Self::Inventory => "inventory",
            Self::Answers => "answers",
            Self::Usage => "usage",
        }
    }

    pub fn options(self, options: &StoreOptions, cache: &Cache) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(cache);
        // Every eighth key of an index whole, the others as differences: a search touches fewer cold lines than where
        // all are whole and each has its place in a table of its own.
        table.set_index_block_restart_interval(8);
        // The index by scope is only ever walked: no filter to build, to store, or to keep in memory, and
        // no hash in its blocks, which may be larger.
        let is_looked_up = self != Self::ScopeRows;
        if self == Self::Answers {
            // What is asked for here is nearly always there: a filter would only be one more block to
            // have in memory, 1.25 octets a row. The hash leads to a group of rows, which are 111 octets each: of
            // four, not of sixteen, for one in a hundred more on the disk. With the index a fifth of a look-up.
            table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
            table.set_block_restart_interval(4);
        } else if is_looked_up {
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
        // Nearly every look-up in the inventory ends in its last level, where its filter would only be one more block.
        family.set_optimize_filters_for_hits(self == Self::Inventory);
        if is_looked_up {
            family.set_memtable_whole_key_filtering(true);
            family.set_memtable_prefix_bloom_ratio(0.02);
        }
        let buffer = match self {
            Self::Meta | Self::Usage => 4 << 20,
            Self::Status | Self::ScopeRows | Self::Inventory | Self::Answers => options.write_buffer_bytes,
        };
        family.set_write_buffer_size(buffer);
        // Buffers are small, for the sake of a quick start after a crash, and rows come from all over the key
        // space: twice the usual number of files are merged into the next level at once, half as often.
        family.set_level_zero_file_num_compaction_trigger(8);
        family.set_max_write_buffer_number(3);
        if self == Self::Usage {
            family.set_merge_operator_associative("add u64", |_, sum, more| add(sum, more));
        }
        family
    }
}

/// What the blocks that are in memory weigh, a little less than they do: nearly all of them are of 4 KiB. RocksDB's cache has a
/// table of fixed size where it is told, which a look-up goes through in 0.2 us less than the one that grows.
const BLOCK_CHARGE: usize = 3 << 10;

/// The memory for blocks of all families, lock-free.
pub fn block_cache(options: &StoreOptions) -> Cache {
    Cache::new_hyper_clock_cache(options.cache_bytes - shelf_octets(options), BLOCK_CHARGE)
}

/// The memory for rows that are looked up most.
pub fn shelf_octets(options: &StoreOptions) -> usize {
    options.cache_bytes / 2
}

/// What all families have in common.
pub fn database_options(options: &StoreOptions) -> Options {
    let mut all = Options::default();
    // Compactions and flushes give way to everybody who answers: lowest priority for the processor, and a
    // steady rate, so that a large one does not fill the disk's queue. Only compactions have the idle
    // disk's priority: a writer may have to wait for a flush, never for as long as others use the disk.
    if let Ok(mut env) = Env::new() {
        env.lower_thread_pool_cpu_priority();
        env.lower_thread_pool_io_priority();
        env.lower_high_priority_thread_pool_cpu_priority();
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

pub fn families(options: &StoreOptions, cache: &Cache) -> Vec<ColumnFamilyDescriptor> {
    Family::ALL
        .into_iter()
        .map(|family| ColumnFamilyDescriptor::new(family.name(), family.options(options, cache)))
        .collect()
}

/// Of the families that take files.
pub fn layouts(options: &StoreOptions, cache: &Cache) -> [Options; 4] {
    let families = [Family::Status, Family::ScopeRows, Family::Inventory, Family::Answers];
    families.map(|family| family.options(options, cache))
}
