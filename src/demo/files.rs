//! Files of the demo: each appears whole or not at all, and every failure names its path.
//!
//! Called by all of the demo that writes. A file is written under a name with a leading dot, which no
//! source of CRLs looks at, and renamed. Keys are readable by their owner only, from the first octet.

use super::DemoError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> DemoError {
    move |source| DemoError::Io { path: path.to_path_buf(), action, source }
}

/// The folder and those above it.
pub fn create_dir(path: &Path) -> Result<(), DemoError> {
    fs::create_dir_all(path).map_err(io_error(path, "created"))
}

/// The first name in a folder, those with a leading dot aside; `None` also when there is no folder.
pub fn first_entry(dir: &Path) -> Result<Option<String>, DemoError> {
    let mut names = names(dir)?;
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    Ok(names.into_iter().next())
}

/// Every name in a folder; none when there is no folder.
pub fn names(dir: &Path) -> Result<Vec<String>, DemoError> {
    match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(io_error(dir, "listed")(error)),
        Ok(entries) => entries
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()
            .map_err(io_error(dir, "listed")),
    }
}

pub fn remove(path: &Path) -> Result<(), DemoError> {
    fs::remove_file(path).map_err(io_error(path, "removed"))
}

pub fn read_if_there(path: &Path) -> Result<Option<Vec<u8>>, DemoError> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io_error(path, "read")(error)),
    }
}

/// Replaces a file.
pub fn write(path: &Path, octets: &[u8]) -> Result<(), DemoError> {
    replace(path, 0o644, Durability::Eventual, |out| out.write_all(octets))
}

/// Replaces a file that only its owner may read.
pub fn write_key(path: &Path, octets: &[u8]) -> Result<(), DemoError> {
    replace(path, 0o600, Durability::Eventual, |out| out.write_all(octets))
}

/// Replaces a file, and it is on disk.
pub fn write_durably(path: &Path, octets: &[u8]) -> Result<(), DemoError> {
    replace(path, 0o644, Durability::Now, |out| out.write_all(octets))
}

/// Replaces a file with what `fill` writes, a little at a time.
pub fn write_streaming(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), DemoError> {
    replace(path, 0o644, Durability::Eventual, fill)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Durability {
    Now,
    Eventual,
}

fn replace(
    path: &Path,
    mode: u32,
    durability: Durability,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), DemoError> {
    let unfinished = unfinished_name(path);
    let written = (|| {
        // Left over from a crash, perhaps with other rights.
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&unfinished)?;
        let mut out = BufWriter::with_capacity(1 << 16, file);
        fill(&mut out)?;
        let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        if durability == Durability::Now {
            file.sync_all()?;
        }
        fs::rename(&unfinished, path)?;
        match (durability, path.parent()) {
            // The rename itself is on disk once its folder is.
            (Durability::Now, Some(dir)) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
            _ => Ok(()),
        }
    })();
    written.map_err(io_error(path, "written"))
}

/// `demo/.auth-ca.pem.new` for `demo/auth-ca.pem`.
fn unfinished_name(path: &Path) -> PathBuf {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    path.with_file_name(format!(".{name}.new"))
}
