//! Copies of the store: taken while it is open, and put in the place of a store that nobody has open.
//!
//! Called by `app` for backups, for the copies before new CRLs, and for rehearsals.
//!
//! A checkpoint is what a crash at that moment would leave on the disk, and the store bears a crash at any
//! moment: so no writer is waited for, and none waits but a large load that has its files taken in at that moment
//! ([`Db::without_new_files`](super::db::Db::without_new_files)). Table files never change, so they are linked and not
//! copied, which takes milliseconds; where the copy is to lie on another file system, it is copied from those links. It
//! is made under another name and renamed, so that a folder of this name is always whole.
//!
//! A restored store is copied beside the old one, verified there, and then the two change names in one step.
//! A crash before that step leaves the old store in its place, after it the new one; the old one is never
//! deleted. Of a running server's store the lock is held, so that nothing of this happens to it.
//!
//! Errors: [`StoreError`], [`RestoreError`].

use super::staging::make_folder;
use super::verify::{self, Verification};
use super::{Store, StoreError, StoreOptions};
use crate::x509::UnixTime;
use rocksdb::checkpoint::Checkpoint;
use rustix::fs::{CWD, FlockOperation, RenameFlags, fcntl_lock, renameat_with};
use rustix::io::Errno;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// What of a store's folder is the store: RocksDB's lock and its own log are the process's.
const NOT_COPIED: [&str; 2] = ["LOCK", "LOG"];

impl Store {
    /// Makes a copy of the store as it stands now, in the folder `to`, which must not be there yet.
    ///
    /// # Errors
    /// [`StoreError::CopyExists`], [`StoreError::ReadOnly`], or when the disk refuses; then there is no `to`.
    pub fn checkpoint(&self, to: &Path) -> Result<(), StoreError> {
        self.must_write()?;
        if to.symlink_metadata().is_ok() {
            return Err(StoreError::CopyExists { path: to.to_owned() });
        }
        let parent = folder_of(to);
        fs::create_dir_all(parent).map_err(|why| io_failed(parent, &why))?;
        let device = |path: &Path| path.metadata().map(|it| it.dev()).map_err(|why| io_failed(path, &why));
        if device(parent)? == device(self.path())? {
            return self.link(to);
        }
        let (linked, copied) = (self.links()?, with_suffix(to, "copying"));
        // Ours by its name: a copy that was killed left it.
        let _ = fs::remove_dir_all(&copied);
        let done = self.link(&linked).and_then(|()| {
            copy(&linked, &copied).map_err(NotCopied::of_store)?;
            fs::rename(&copied, to).map_err(|why| io_failed(to, &why))?;
            sync_folder(parent).map_err(NotCopied::of_store)
        });
        let _ = fs::remove_dir_all(&linked);
        if done.is_err() {
            let _ = fs::remove_dir_all(&copied);
        }
        done
    }

    fn link(&self, to: &Path) -> Result<(), StoreError> {
        let checkpoint = Checkpoint::new(self.db.rocks()).map_err(|why| self.db.failed(&why))?;
        self.db.without_new_files(|| checkpoint.create_checkpoint(to)).map_err(|why| self.db.failed(&why))
    }

    /// The name of a folder, not there yet, beside the store's files: the next opening clears it away.
    fn links(&self) -> Result<PathBuf, StoreError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("copy-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Ok(make_folder(&self.db)?.join(name))
    }
}

/// What to do with the store that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    Refuse,
    /// It gets another name, and is kept.
    MoveAside,
}

/// What a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// Where the store that was there before lies now.
    pub moved_aside: Option<PathBuf>,
    pub verification: Verification,
}

/// Why a store was not restored. What was there stays in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no backup in {} (name a folder that `ocsprey store backup` made)", path.display())]
    NoBackup { path: PathBuf },
    #[error(
        "there is a store in {} already, and nothing was changed (`--replace` gives it another name and keeps it)",
        path.display()
    )]
    Occupied { path: PathBuf },
    #[error("the backup in {} is damaged, and nothing was changed: {first} (take an older backup)", path.display())]
    Damaged { path: PathBuf, first: String },
    #[error("{} cannot be copied: {detail} (check free space and permissions)", path.display())]
    Copy { path: PathBuf, detail: String },
    #[error(
        "the restored store in {} cannot take its place: {detail} (is store.path a mount point? then name a \
         folder below it)",
        path.display()
    )]
    Rename { path: PathBuf, detail: String },
}

/// Puts the store of the folder `from` into the place `to`. `progress` is told rows as they are verified.
///
/// # Errors
/// [`StoreError::InUse`] when either is held by a process, else as [`RestoreError`] says.
pub fn restore(
    from: &Path,
    to: &Path,
    existing: Existing,
    now: UnixTime,
    options: &StoreOptions,
    progress: impl FnMut(u64),
) -> Result<Restored, RestoreError> {
    if !from.join("CURRENT").exists() {
        return Err(RestoreError::NoBackup { path: from.to_owned() });
    }
    // A copy of files that somebody writes would be a copy of no moment at all.
    let _source = lock(from)?;
    let is_there = to.join("CURRENT").exists();
    if is_there && existing == Existing::Refuse {
        return Err(RestoreError::Occupied { path: to.to_owned() });
    }
    let _held = lock(to)?;
    let beside = with_suffix(to, "restoring");
    // Ours by its name: a restore that was killed left it.
    let _ = fs::remove_dir_all(&beside);
    let verification = match copy(from, &beside)
        .map_err(RestoreError::from)
        .and_then(|()| Ok(verify::verify(&beside, options, progress)?))
    {
        Ok(verification) if verification.problems.is_empty() => verification,
        Ok(Verification { mut problems, .. }) => {
            let _ = fs::remove_dir_all(&beside);
            let first = if problems.is_empty() { String::new() } else { problems.swap_remove(0) };
            return Err(RestoreError::Damaged { path: from.to_owned(), first });
        }
        Err(why) => {
            let _ = fs::remove_dir_all(&beside);
            return Err(why);
        }
    };
    let moved_aside = if to.exists() { Some(change_places(&beside, to, now)?) } else { None };
    if moved_aside.is_none() {
        fs::rename(&beside, to).map_err(|why| rename_failed(&beside, &why))?;
    }
    sync_folder(folder_of(to))?;
    Ok(Restored { moved_aside, verification })
}

/// Afterwards `beside` is `to`, and what was `to` has the name that comes back.
fn change_places(beside: &Path, to: &Path, now: UnixTime) -> Result<PathBuf, RestoreError> {
    let aside = with_suffix(to, &format!("replaced-{}", file_stamp(now)));
    if aside.exists() {
        let why =
            io::Error::new(io::ErrorKind::AlreadyExists, format!("{} is there already", aside.display()));
        return Err(rename_failed(beside, &why));
    }
    match renameat_with(CWD, beside, CWD, to, RenameFlags::EXCHANGE) {
        // A crash here leaves the old store under the name of a restore under way. Nothing deletes that
        // before the next restore: so it gets its own name now.
        Ok(()) => fs::rename(beside, &aside).map_err(|why| rename_failed(beside, &why))?,
        // A file system that cannot exchange names (some network and overlay ones): two steps, and a crash
        // between them leaves no store in its place, but both under their names.
        Err(Errno::INVAL | Errno::NOSYS) => {
            fs::rename(to, &aside).map_err(|why| rename_failed(beside, &why))?;
            if let Err(why) = fs::rename(beside, to) {
                let _ = fs::rename(&aside, to);
                return Err(rename_failed(beside, &why));
            }
        }
        Err(why) => return Err(rename_failed(beside, &why.into())),
    }
    Ok(aside)
}

/// Holds RocksDB's lock of the store in `folder` as long as the file lives; nothing where no process ever
/// opened it for writing.
fn lock(folder: &Path) -> Result<Option<File>, StoreError> {
    let path = folder.join("LOCK");
    let file = match File::options().read(true).write(true).open(&path) {
        Ok(file) => file,
        // A backup that may not be written is not written.
        Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => {
            return Ok(None);
        }
        Err(why) => return Err(io_failed(&path, &why)),
    };
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(Errno::AGAIN | Errno::ACCESS) => Err(StoreError::InUse { path: folder.to_owned() }),
        Err(why) => Err(io_failed(&path, &why.into())),
    }
}

/// What could not be copied, and why.
struct NotCopied {
    path: PathBuf,
    why: io::Error,
}

impl From<NotCopied> for RestoreError {
    fn from(NotCopied { path, why }: NotCopied) -> Self {
        Self::Copy { path, detail: why.to_string() }
    }
}

impl NotCopied {
    fn of_store(self) -> StoreError {
        io_failed(&self.path, &self.why)
    }
}

/// Copies the files of `from`, not its folders, and waits for the disk.
fn copy(from: &Path, to: &Path) -> Result<(), NotCopied> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |why: io::Error| NotCopied { path, why }
    };
    fs::create_dir_all(to).map_err(failed(to))?;
    for entry in fs::read_dir(from).map_err(failed(from))? {
        let entry = entry.map_err(failed(from))?;
        let (name, path) = (entry.file_name(), entry.path());
        if NOT_COPIED.iter().any(|other| name.to_string_lossy().starts_with(other))
            || !entry.file_type().map_err(failed(&path))?.is_file()
        {
            continue;
        }
        let target = to.join(&name);
        fs::copy(&path, &target).map_err(failed(&path))?;
        File::open(&target).and_then(|file| file.sync_all()).map_err(failed(&target))?;
    }
    sync_folder(to)
}

fn sync_folder(folder: &Path) -> Result<(), NotCopied> {
    let synced = File::open(folder).and_then(|file| file.sync_all());
    synced.map_err(|why| NotCopied { path: folder.to_owned(), why })
}

/// Where `path` lies. The empty parent of a relative path is where we are.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// `20261122T000000Z`: a time for names of files.
#[must_use]
pub fn file_stamp(time: UnixTime) -> String {
    time.to_string().chars().filter(char::is_ascii_alphanumeric).collect()
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{suffix}"));
    path.with_file_name(name)
}

fn rename_failed(path: &Path, why: &io::Error) -> RestoreError {
    RestoreError::Rename { path: path.to_owned(), detail: why.to_string() }
}

fn io_failed(path: &Path, why: &io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), detail: why.to_string() }
}
