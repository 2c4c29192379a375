//! The folder of the audit log: which segments there are, and the heads of those that were closed.
//!
//! `segment-0000000001.log` and so on, and `heads`: the final head of each closed segment in a frame each, from the
//! first, also of those that were taken away when their time was over. Read by everybody, written by
//! [`Log`](super::log::Log), which holds `lock` while it does: a kernel's lock that ends with its process, however it
//! ends. Who only reads takes no lock, because what is there is only ever added to.

use super::AuditError;
use super::head::Head;
use super::record::Kind;
use super::segment::put_frame;
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// See the module's head.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// The right to write: see [`Folder::hold`].
pub struct Held(File);

impl Drop for Held {
    /// Said, because a child that is about to become another program has this file open for a moment, too.
    fn drop(&mut self) {
        // If it fails, the lock ends with the file.
        let _ = flock(&self.0, FlockOperation::Unlock);
    }
}

impl Folder {
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Makes it where it is not, for its owner and group.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> Result<(), AuditError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o750).create(&self.path);
        made.map_err(|why| AuditError::io(&self.path, &why))
    }

    /// Keeps every other writer out, as long as what it gives is kept.
    ///
    /// # Errors
    /// [`AuditError::InUse`] when another writer is there, and when the file cannot be made.
    pub fn hold(&self) -> Result<Held, AuditError> {
        let path = self.path.join("lock");
        let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(&path);
        let file = opened.map_err(|why| AuditError::io(&path, &why))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Held(file)),
            Err(Errno::WOULDBLOCK) => Err(AuditError::InUse { path: self.path.clone() }),
            Err(why) => Err(AuditError::io(&path, &why.into())),
        }
    }

    #[must_use]
    pub fn segment(&self, number: u64) -> PathBuf {
        self.path.join(format!("segment-{number:010}.log"))
    }

    fn heads_path(&self) -> PathBuf {
        self.path.join("heads")
    }

    /// The numbers of the segments that are there, in order.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn segments(&self) -> Result<Vec<u64>, AuditError> {
        let failed = |why: std::io::Error| AuditError::io(&self.path, &why);
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("segment-")?.strip_suffix(".log"));
            numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// # Errors
    /// When it cannot be read.
    pub fn read_segment(&self, number: u64) -> Result<Vec<u8>, AuditError> {
        let path = self.segment(number);
        fs::read(&path).map_err(|why| AuditError::io(&path, &why))
    }

    /// The final heads of closed segments, from the first, as far as they can be read; and whether that is all.
    ///
    /// # Errors
    /// When the file cannot be read. That there is none is no error.
    pub fn heads(&self) -> Result<(Vec<Head>, bool), AuditError> {
        let path = self.heads_path();
        let octets = match fs::read(&path) {
            Ok(octets) => octets,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(why) => return Err(AuditError::io(&path, &why)),
        };
        let (mut heads, mut rest) = (Vec::new(), octets.as_slice());
        while let Some(([a, b, c, d, kind], after)) = rest.split_first_chunk::<5>() {
            let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
            let head = after.split_at_checked(length).filter(|_| *kind == Kind::Head as u8);
            let Some((Some(head), behind)) = head.map(|(body, behind)| (Head::decode(body), behind)) else {
                break;
            };
            heads.push(head);
            rest = behind;
        }
        Ok((heads, rest.is_empty()))
    }

    /// Makes `heads` the heads of closed segments, durably.
    ///
    /// # Errors
    /// When they cannot be written: then those of before stand.
    pub fn set_heads(&self, heads: &[Head]) -> Result<(), AuditError> {
        let (path, fresh) = (self.heads_path(), self.path.join("heads.new"));
        let mut octets = Vec::new();
        for head in heads {
            put_frame(&mut octets, Kind::Head, &head.encode());
        }
        let write = || {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(&fresh)?;
            file.write_all(&octets)?;
            file.sync_all()?;
            fs::rename(&fresh, &path)
        };
        write().map_err(|why| AuditError::io(&path, &why))?;
        self.sync()
    }

    /// Waits until the names in it are on the disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn sync(&self) -> Result<(), AuditError> {
        let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
        synced.map_err(|why| AuditError::io(&self.path, &why))
    }

    /// Takes a segment away.
    ///
    /// # Errors
    /// When it is there and stays.
    pub fn remove_segment(&self, number: u64) -> Result<(), AuditError> {
        let path = self.segment(number);
        match fs::remove_file(&path) {
            Err(why) if why.kind() != std::io::ErrorKind::NotFound => Err(AuditError::io(&path, &why)),
            _ => Ok(()),
        }
    }
}
