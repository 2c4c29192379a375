//! What can go wrong in the store, in words for the one who runs it.

use std::path::PathBuf;

/// Why the store did not do what it was asked. No variant names a serial number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the lock of the store.
    #[error(
        "the store {} cannot be opened for writing: another ocsprey process has it open \
         (give the work to the running server with --admin URL, or stop that process first)",
        path.display()
    )]
    InUse { path: PathBuf },
    /// It was written by another version of ocsprey, or by another program.
    #[error(
        "the store {} cannot be read: its format is {}, this ocsprey reads format {expected} \
         (use the ocsprey that wrote it, or name an empty folder as path and load it anew: `ocsprey crl ingest`, \
         `ocsprey inventory load`)",
        path.display(),
        found.map_or_else(|| "not one of ocsprey's".to_owned(), |version| format!("version {version}"))
    )]
    Format { path: PathBuf, found: Option<u32>, expected: u32 },
    /// There is no store at the path.
    #[error(
        "the store {} cannot be read: there is none yet (`ocsprey crl ingest` or `ocsprey serve` makes it)",
        path.display()
    )]
    Missing { path: PathBuf },
    /// Bytes in the store are not what was written.
    #[error(
        "the store {} is damaged: {detail} (check the disk; restore a copy, or move the folder away and \
         ingest the CRLs and the inventory again)",
        path.display()
    )]
    Corrupt { path: PathBuf, detail: String },
    /// The disk or the operating system refused.
    #[error("the store {} failed: {detail} (check free space, permissions and the disk)", path.display())]
    Io { path: PathBuf, detail: String },
    /// The row is on the disk, and the look-up was not to go there.
    #[error("the store {} does not have the row in memory (look again, to the disk)", path.display())]
    NotInMemory { path: PathBuf },
    /// Each time that it was read its writer changed it meanwhile.
    #[error(
        "the store {} cannot be read beside its server: it is written too much at the moment (ask the server with \
         --admin URL, or try again when it has taken in what it is loading)",
        path.display()
    )]
    Changing { path: PathBuf },
    /// It was opened for reading.
    #[error("the store {} cannot be written: it was opened for reading only", path.display())]
    ReadOnly { path: PathBuf },
    /// A copy was to be made where something is.
    #[error("{} is there already (name a folder that is not there yet)", path.display())]
    CopyExists { path: PathBuf },
    /// It gives one number to another name.
    #[error("the store {} is no copy of this one (name a backup of the same store)", path.display())]
    NotACopy { path: PathBuf },
    /// All 4,294,967,295 numbers of a kind are given out.
    #[error("the store {} has no {what} number left", path.display())]
    NoNumberLeft { path: PathBuf, what: &'static str },
}

/// Why the entries of a scope were not replaced. Whatever it is, the old ones stand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplaceError<E> {
    /// The source of the entries failed, or the change was not approved.
    #[error(transparent)]
    Source(E),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The entries did not come in strictly ascending order of serial number.
    #[error(
        "entry {position} of the CRL is not in ascending order of serial number (sort the entries first)"
    )]
    OutOfOrder {
        /// Counted from 1.
        position: u64,
    },
}

/// Why an inventory was not loaded to its end. What stays: see [`super::Store::load_inventory`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError<E> {
    /// The source of the serial numbers failed.
    #[error(transparent)]
    Source(E),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
