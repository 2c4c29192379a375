//! The column families, and how each is laid out.

use super::StoreOptions;
use super::format::usage::add;
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DBCompressionType, DataBlockIndexType, Options,
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
        // The index by scope is only ever walked: no filter to build, to store, or to keep in memory, and
        // no hash in its blocks, which may be larger.
        let is_looked_up = self != Self::ScopeRows;
        if self == Self::Answers {
            // What is asked for here is nearly always there: a filter would only be one more block to
            // have in memory, 1.25 octets a row.
            table.set_data_block_index_type(DataBlockIndexType::BinaryAndHash);
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
