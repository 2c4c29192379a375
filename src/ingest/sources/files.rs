//! Files in a folder: which there are, and whether one is another than before. Called by [`super::Sources`] twice a
//! second.

use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Tells one state of a file from another without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

impl Stamp {
    pub fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// When the file came to be what it is: written to its end, or moved to its place.
    pub fn arrived(&self) -> SystemTime {
        let (seconds, nanos) = self.changed;
        let nanos = u32::try_from(nanos).unwrap_or(0);
        UNIX_EPOCH + Duration::new(u64::try_from(seconds).unwrap_or(0), nanos)
    }
}

/// The paths of the files of a folder that are meant to be read, in order of name.
pub(super) fn listing(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let unfinished = name.starts_with('.')
            || [".tmp", ".part", ".partial", ".swp", "~"].iter().any(|end| name.ends_with(end));
        if !unfinished && entry.file_type().is_ok_and(|kind| !kind.is_dir()) {
            paths.push(entry.path().into());
        }
    }
    paths.sort_unstable();
    Ok(paths)
}
