//! Loading an issuer's inventory of issued serial numbers. Called by ingest, one writer at a time.
//!
//! An inventory is hundreds of millions of rows and only grows. The first load is sorted
//! ([`super::listing`]) and taken in as sorted files, all at once, at a third of what rows cost in
//! batches. Later ones ask for each serial whether it is there, and go in batches that are visible as they
//! come. Memory depends on the count in neither. Loading is idempotent: after a crash, or a file that breaks
//! off, the same load again adds what is missing and counts right, because the count of rows is written in
//! the same batch as the rows, or found by counting. Until the first load has come to its end the inventory
//! is [`InventoryState::Partial`]: an unlisted serial says nothing yet.
//!
//! Between any two chunks others may write, but nobody to this inventory.

use super::db::{Db, Durability, Family};
use super::epochs::Touched;
use super::error::{LoadError, StoreError};
use super::format::{RowKey, decode_inventory, encode_inventory, encode_inventory_state, number_key};
use super::listing::{Listed, Listing};
use super::registry;
use super::scope::{InventoryLoad, InventoryState, IssuerNumber};
use super::staging::SortedFiles;

/// Serial numbers a batch: 100,000 of them are about 5 MB, and one append to the log.
const CHUNK: usize = 100_000;

/// Adds `serials` to the inventory of `issuer`. Under the writer's lock, but for the time of `meanwhile`.
pub fn load<E>(
    db: &Db,
    issuer: IssuerNumber,
    serials: impl Iterator<Item = Result<Listed, E>>,
    mut meanwhile: impl FnMut() -> Result<(), LoadError<E>>,
) -> Result<InventoryLoad, LoadError<E>> {
    let key = number_key(b'V', issuer.0);
    let state = registry::inventory_state(db, db.get_meta(&key)?.as_deref())?;
    let rows = match state {
        InventoryState::Absent | InventoryState::Partial { rows: 0 } => match count(db, issuer)? {
            0 => return first_load(db, issuer, serials, meanwhile),
            // A first load was killed after it took its files in, before it said so.
            rows => rows,
        },
        InventoryState::Partial { rows } | InventoryState::Complete { rows } => rows,
    };
    let mut loader = Loader {
        db,
        issuer,
        is_complete: matches!(state, InventoryState::Complete { .. }),
        rows,
        load: InventoryLoad::default(),
    };
    let mut chunk = Vec::with_capacity(CHUNK);
    for listed in serials {
        chunk.push(listed.map_err(LoadError::Source)?);
        if chunk.len() == CHUNK {
            // A crash after this batch leaves a part of the addition, counted right.
            loader.add(&mut chunk)?;
            meanwhile()?;
        }
    }
    loader.add(&mut chunk)?;
    let mut touched = Touched::nothing();
    if !loader.is_complete {
        // From here what is not listed was not issued.
        touched.issuer(issuer);
    }
    // The mark that the load came to its end; its sync makes all batches before it durable.
    let mut batch = db.batch()?;
    batch.put_meta(&key, &encode_inventory_state(true, loader.rows));
    db.epochs().commit(&touched, || batch.commit(Durability::Synced))?;
    Ok(loader.load)
}

/// The rows of an inventory, one by one.
fn count(db: &Db, issuer: IssuerNumber) -> Result<u64, StoreError> {
    let mut rows = db.rows_from(Family::Inventory, &issuer.0.to_be_bytes(), None)?;
    let mut count = 0;
    while rows.current().is_some() {
        count += 1;
        rows.advance()?;
    }
    Ok(count)
}

/// Loads an inventory of which nothing is there yet.
fn first_load<E>(
    db: &Db,
    issuer: IssuerNumber,
    serials: impl Iterator<Item = Result<Listed, E>>,
    mut meanwhile: impl FnMut() -> Result<(), LoadError<E>>,
) -> Result<InventoryLoad, LoadError<E>> {
    let key = number_key(b'V', issuer.0);
    // From here on what is not listed may well be issued: a crash, or an error, leaves a partial inventory
    // without a row, and the next load is a first one again.
    let mut batch = db.batch()?;
    batch.put_meta(&key, &encode_inventory_state(false, 0));
    let mut touched = Touched::nothing();
    touched.issuer(issuer);
    db.epochs().commit(&touched, || batch.commit(Durability::Synced))?;
    let mut listing = Listing::new(db)?;
    for (count, listed) in (1..).zip(serials) {
        listing.push(&listed.map_err(LoadError::Source)?)?;
        if count % CHUNK == 0 {
            meanwhile()?;
        }
    }
    let mut files = SortedFiles::new(db, Family::Inventory, issuer.0);
    let mut load = InventoryLoad::default();
    load.already_there = listing.finish(|(serial, distribution_point)| {
        let (octets, len) = encode_inventory(*distribution_point);
        load.added += 1;
        files.add(&RowKey::new(issuer.0, serial), octets.get(..len).unwrap_or_default())?;
        if load.added % CHUNK as u64 == 0 { meanwhile() } else { Ok(()) }
    })?;
    let files = files.finish()?;
    // Files are durable at once. The numbers of the distribution points that they name must be, too.
    db.sync()?;
    db.take_files(Family::Inventory, files)?;
    // A crash here leaves all rows in an inventory that says it has none: the next load counts them.
    let mut batch = db.batch()?;
    batch.put_meta(&key, &encode_inventory_state(true, load.added));
    db.epochs().commit(&touched, || batch.commit(Durability::Synced))?;
    Ok(load)
}

struct Loader<'a> {
    db: &'a Db,
    issuer: IssuerNumber,
    is_complete: bool,
    rows: u64,
    load: InventoryLoad,
}

impl Loader<'_> {
    /// Writes `chunk` and empties it.
    fn add(&mut self, chunk: &mut Vec<Listed>) -> Result<(), StoreError> {
        if chunk.is_empty() {
            return Ok(());
        }
        let given = chunk.len();
        // Sorted, the look-ups share blocks. Of a serial given twice the one with a distribution point
        // (the higher, if both have one) comes last and counts.
        chunk.sort_unstable();
        chunk.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                *earlier = *later;
            }
            is_same
        });
        self.load.already_there += (given - chunk.len()) as u64;
        let mut batch = self.db.batch()?;
        let mut touched = Touched::nothing();
        let moved_before = self.load.moved;
        for group in chunk.chunks(256) {
            let keys: Vec<RowKey> =
                group.iter().map(|(serial, _)| RowKey::new(self.issuer.0, serial)).collect();
            let values = self.db.get_many(Family::Inventory, &keys)?;
            for (((serial, distribution_point), key), value) in group.iter().zip(&keys).zip(values) {
                let held = value.map(|value| decode_inventory(&value)).transpose();
                match held.map_err(|bad| self.db.bad(bad))? {
                    Some(held) if distribution_point.is_none() || held == *distribution_point => {
                        self.load.already_there += 1;
                        continue;
                    }
                    Some(_) => self.load.moved += 1,
                    None => {
                        self.load.added += 1;
                        self.rows += 1;
                    }
                }
                let (octets, len) = encode_inventory(*distribution_point);
                touched.serial(self.issuer, serial);
                batch.put_inventory(key, octets.get(..len).unwrap_or_default());
            }
        }
        if self.load.moved > moved_before {
            // With the rows, so that whoever rests on an edition rests on these rows.
            let key = number_key(b'W', self.issuer.0);
            let edition = registry::inventory_edition(self.db, self.db.get_meta(&key)?.as_deref())?;
            batch.put_meta(&key, &edition.wrapping_add(1).to_be_bytes());
        }
        batch
            .put_meta(&number_key(b'V', self.issuer.0), &encode_inventory_state(self.is_complete, self.rows));
        if !self.is_complete {
            // The first row of an inventory makes it one.
            touched.issuer(self.issuer);
        }
        self.db.epochs().commit(&touched, || batch.commit(Durability::Ordered))?;
        chunk.clear();
        Ok(())
    }
}
