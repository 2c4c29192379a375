//! Configured inventories: loaded when they are new or changed, never twice.

use super::Fault;
use crate::cli::{InventoryError, InventoryReader};
use crate::config::Config;
use crate::snapshot::Configured;
use crate::store::{DistributionPointNumber, InventoryLoad, IssuerNumber, LoadError, Store, StoreError};
use crate::x509::{SerialNumber, canonical_general_names};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The inventory of one issuer.
#[derive(Debug)]
struct Inventory {
    issuer: IssuerNumber,
    /// The CA's Name: certificates in inventories must be its.
    subject: Vec<u8>,
    files: Vec<PathBuf>,
    /// What the files looked like when they were last tried, with or without success.
    tried: Option<String>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Inventories {
    inventories: Vec<Inventory>,
    changed: bool,
}

impl Inventories {
    pub fn of(config: &Config, configured: &Configured) -> Self {
        let inventories = configured.issuers.iter().filter_map(|issuer| {
            let files = config.issuer(&issuer.name)?.inventory.clone()?;
            let subject = issuer.keys.first()?.certificate.subject().to_vec();
            Some(Inventory { issuer: issuer.number, subject, files, tried: None })
        });
        Self { inventories: inventories.collect(), changed: false }
    }

    /// Whether anything was loaded since this was last asked.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.changed)
    }

    /// Loads those whose files changed since they were last loaded into this store. `progress` is told
    /// the octets read of each file. Now and then `goes_on` is asked, and may write to the store meanwhile: once it says
    /// no, the load ends, and its files are as if they had not been tried.
    ///
    /// # Errors
    /// A fault for each that was not loaded; it is tried again when its files change.
    pub fn load(
        &mut self,
        store: &Store,
        mut progress: impl FnMut(u64),
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<(), Vec<Fault>> {
        let mut faults = Vec::new();
        for inventory in &mut self.inventories {
            let stamp = match stamp(&inventory.files) {
                Ok(stamp) => stamp,
                Err(fault) => {
                    if inventory.tried.replace(String::new()).as_deref() != Some("") {
                        faults.push(fault);
                    }
                    continue;
                }
            };
            if inventory.tried.as_ref() == Some(&stamp) {
                continue;
            }
            inventory.tried = Some(stamp.clone());
            match load_one(inventory, store, &stamp, &mut progress, &mut goes_on) {
                Ok(Loaded::New) => self.changed = true,
                Ok(Loaded::AsBefore) => {}
                Ok(Loaded::Interrupted) => {
                    // What was loaded of it counts.
                    self.changed = true;
                    inventory.tried = None;
                    break;
                }
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }
}

/// What a look at the files of an inventory has come to.
enum Loaded {
    New,
    AsBefore,
    Interrupted,
}

/// Tells one state of the files from another, from wherever and by whatever name they are looked at.
fn stamp(files: &[PathBuf]) -> Result<String, Fault> {
    let mut stamp = String::new();
    for path in files {
        let metadata =
            std::fs::metadata(path).map_err(|why| Fault::of_file(path, crate::config::io_reason(&why)))?;
        let (size, seconds, nanos) = (metadata.size(), metadata.mtime(), metadata.mtime_nsec());
        let path = path.canonicalize().unwrap_or_else(|_| path.clone());
        stamp.push_str(&format!("{} {size} {seconds}.{nanos}\n", path.display()));
    }
    Ok(stamp)
}

fn load_one(
    inventory: &Inventory,
    store: &Store,
    stamp: &str,
    progress: &mut impl FnMut(u64),
    goes_on: &mut impl FnMut() -> bool,
) -> Result<Loaded, Fault> {
    let note = format!("inventory/{}", inventory.issuer);
    let failed = |why: StoreError| Fault::new("inventory", why);
    if store.note(&note).map_err(failed)?.as_deref() == Some(stamp.as_bytes()) {
        return Ok(Loaded::AsBefore);
    }
    let mut readers = Vec::new();
    for path in &inventory.files {
        let reader = InventoryReader::open(path, &inventory.subject);
        readers.push(reader.map_err(|why| Fault::new("inventory", why))?);
    }
    let first = inventory.files.first().map_or(Path::new("inventory"), PathBuf::as_path);
    match load_readers(store, inventory.issuer, readers, progress, goes_on) {
        Ok(_) => {}
        Err(LoadError::Source(EntriesError::Interrupted)) => return Ok(Loaded::Interrupted),
        Err(LoadError::Source(why)) => return Err(Fault::new("inventory", why)),
        Err(LoadError::Store(why)) => return Err(Fault::of_file(first, why)),
    }
    // A crash before this line loads the files once more, which changes nothing.
    store.set_note(&note, stamp.as_bytes()).map_err(failed)?;
    Ok(Loaded::New)
}

/// Why an inventory's entries end early.
#[derive(Debug, thiserror::Error)]
pub(super) enum EntriesError {
    #[error(transparent)]
    Read(#[from] InventoryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Whoever had it loaded has something else to do.
    #[error("was not read to its end (load it again)")]
    Interrupted,
}

/// Loads the entries of `readers` as one inventory, having their distribution points numbered, as long as it `goes_on`.
///
/// # Errors
/// The first error of a reader, or the store's; [`EntriesError::Interrupted`].
pub(super) fn load_readers(
    store: &Store,
    issuer: IssuerNumber,
    readers: Vec<InventoryReader>,
    progress: &mut impl FnMut(u64),
    goes_on: &mut impl FnMut() -> bool,
) -> Result<InventoryLoad, LoadError<EntriesError>> {
    // A distribution point is shared by all its entries: by its address it is known without a look at it.
    let mut numbers: HashMap<Vec<u8>, DistributionPointNumber> = HashMap::new();
    let mut last: Option<(Arc<[u8]>, DistributionPointNumber)> = None;
    let mut readers = readers.into_iter();
    let mut current = readers.next();
    let mut seen = 0;
    let entries = std::iter::from_fn(|| {
        loop {
            let reader = current.as_mut()?;
            match reader.next() {
                Some(entry) => {
                    let position = InventoryReader::position(reader);
                    if position > seen {
                        progress(position - seen);
                        seen = position;
                    }
                    return Some(entry);
                }
                None => {
                    current = readers.next();
                    seen = 0;
                }
            }
        }
    });
    let meanwhile = || if goes_on() { Ok(()) } else { Err(EntriesError::Interrupted) };
    store.load_inventory_with(
        issuer,
        |numbering| {
            entries.map(move |entry| {
                let entry = entry?;
                let Some(point) = entry.distribution_point else { return Ok((entry.serial, None)) };
                if let Some((known, number)) = &last
                    && Arc::ptr_eq(known, &point)
                {
                    return Ok((entry.serial, Some(*number)));
                }
                let canonical = canonical_general_names(&point).unwrap_or_else(|_| point.to_vec());
                let number = match numbers.get(&canonical) {
                    Some(number) => *number,
                    None => {
                        let number = numbering.distribution_point(&canonical)?;
                        numbers.insert(canonical, number);
                        number
                    }
                };
                last = Some((point, number));
                Ok::<(SerialNumber, Option<DistributionPointNumber>), EntriesError>((
                    entry.serial,
                    Some(number),
                ))
            })
        },
        meanwhile,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_the_same_by_whichever_path_they_are_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("crl")).unwrap();
        let plain = folder.path().join("issued.txt");
        std::fs::write(&plain, "1001\n").unwrap();
        let winding = folder.path().join("crl/../issued.txt");
        assert_eq!(stamp(std::slice::from_ref(&plain)).unwrap(), stamp(&[winding]).unwrap());
        let before = stamp(std::slice::from_ref(&plain)).unwrap();
        std::fs::write(&plain, "1001\n1002\n").unwrap();
        assert_ne!(stamp(&[plain]).unwrap(), before);
    }
}
