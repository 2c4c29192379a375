//! The serial numbers of a first inventory, brought into order in bounded memory.
//!
//! Called by [`super::inventory`]. What does not fit is sorted in runs, in files of the staging folder that
//! have no name: each is unlinked as soon as it is open, so a crash leaves none. A run is read by the
//! process that wrote it and nobody else: the three numbers of each serial, little-endian.

use super::db::Db;
use super::error::StoreError;
use super::scope::DistributionPointNumber;
use super::staging::make_folder;
use crate::x509::SerialNumber;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fs::File;
use std::io::{BufReader, BufWriter, ErrorKind, Read, Seek, Write};
use std::path::PathBuf;

pub type Listed = (SerialNumber, Option<DistributionPointNumber>);

/// Serials of a run: 128 MiB.
const RUN: usize = 4 << 20;

/// Buffer of a run that is written or read.
const BUFFER: usize = 128 << 10;

/// A serial, packed so that it compares in a few instructions: first as serial numbers do, then by point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Packed {
    /// The serial's octets 0 to 15, with zeros behind the last one.
    front: u128,
    /// Octets 16 to 20, then (one octet) how many there are in all.
    back: u64,
    /// Of the distribution point; 0 for none, as no point has it.
    point: u32,
}

/// Octets of a serial in a run.
const WIDTH: usize = 28;

impl Packed {
    fn new((serial, point): &Listed) -> Self {
        let octets = serial.padded();
        let front = octets.first_chunk().map_or(0, |octets| u128::from_be_bytes(*octets));
        let tail = octets.last_chunk().map_or(0, |octets| u64::from_be_bytes(*octets)) & ((1 << 40) - 1);
        let back = tail << 8 | serial.as_bytes().len() as u64;
        Self { front, back, point: point.map_or(0, |point| point.0) }
    }

    fn is_of_the_same_serial(&self, other: &Self) -> bool {
        (self.front, self.back) == (other.front, other.back)
    }

    /// `None` for numbers that no serial has.
    fn listed(&self) -> Option<Listed> {
        // Octets 13 to 15 stand in both writes.
        let mut octets = [0; SerialNumber::MAX_OCTETS];
        let [.., x, y, z] = self.front.to_be_bytes();
        let [_, _, a, b, c, d, e, length] = self.back.to_be_bytes();
        *octets.first_chunk_mut()? = self.front.to_be_bytes();
        *octets.last_chunk_mut()? = [x, y, z, a, b, c, d, e];
        let serial = SerialNumber::from_padded(octets, length).ok()?;
        Some((serial, (self.point != 0).then_some(DistributionPointNumber(self.point))))
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        out.write_all(&self.front.to_le_bytes())?;
        out.write_all(&self.back.to_le_bytes())?;
        out.write_all(&self.point.to_le_bytes())
    }

    /// The next one of a run of which `left` are left.
    fn read(input: &mut impl Read, left: &mut u64) -> std::io::Result<Option<Self>> {
        let Some(less) = left.checked_sub(1) else { return Ok(None) };
        *left = less;
        let mut octets = [0; WIDTH];
        input.read_exact(&mut octets)?;
        let (front, rest) = octets.split_first_chunk().ok_or(ErrorKind::InvalidData)?;
        let (back, rest) = rest.split_first_chunk().ok_or(ErrorKind::InvalidData)?;
        let point = rest.first_chunk().ok_or(ErrorKind::InvalidData)?;
        Ok(Some(Self {
            front: u128::from_le_bytes(*front),
            back: u64::from_le_bytes(*back),
            point: u32::from_le_bytes(*point),
        }))
    }
}

/// Takes serials in any order.
pub struct Listing {
    folder: PathBuf,
    serials: Vec<Packed>,
    runs: Vec<Run>,
}

impl Listing {
    pub fn new(db: &Db) -> Result<Self, StoreError> {
        Ok(Self { folder: make_folder(db)?, serials: Vec::new(), runs: Vec::new() })
    }

    pub fn push(&mut self, listed: &Listed) -> Result<(), StoreError> {
        if self.serials.len() == RUN {
            self.spill()?;
        }
        self.serials.push(Packed::new(listed));
        Ok(())
    }

    fn spill(&mut self) -> Result<(), StoreError> {
        self.serials.sort_unstable();
        let name = format!("listing-{}", self.runs.len());
        let run = Run::write(&self.folder.join(name), &self.serials);
        self.runs.push(run.map_err(|error| failed(&self.folder, &error))?);
        self.serials.clear();
        Ok(())
    }

    /// Gives all to `each`, in strictly ascending order. Of a serial that is listed twice the one with a
    /// distribution point counts (the higher, if both have one). How many were listed again.
    pub fn finish<E: From<StoreError>>(
        mut self,
        mut each: impl FnMut(&Listed) -> Result<(), E>,
    ) -> Result<u64, E> {
        self.serials.sort_unstable();
        self.runs.push(Run::Memory(std::mem::take(&mut self.serials).into_iter()));
        let folder = self.folder;
        let broken = |error: std::io::Error| failed(&folder, &error);
        let mut give = |packed: Packed| {
            let listed = packed.listed().ok_or_else(|| broken(ErrorKind::InvalidData.into()))?;
            each(&listed)
        };
        let mut heads = BinaryHeap::new();
        for (index, run) in self.runs.iter_mut().enumerate() {
            heads.extend(run.next().map_err(broken)?.map(|packed| Reverse((packed, index))));
        }
        let (mut before, mut again): (Option<Packed>, u64) = (None, 0);
        while let Some(mut head) = heads.peek_mut() {
            let Reverse((packed, index)) = *head;
            match self.runs.get_mut(index).map(Run::next).transpose().map_err(broken)?.flatten() {
                Some(next) => *head = Reverse((next, index)),
                None => drop(PeekMut::pop(head)),
            }
            match before.replace(packed) {
                Some(before) if before.is_of_the_same_serial(&packed) => again += 1,
                Some(before) => give(before)?,
                None => {}
            }
        }
        before.map_or(Ok(()), give)?;
        Ok(again)
    }
}

fn failed(folder: &std::path::Path, error: &std::io::Error) -> StoreError {
    StoreError::Io { path: folder.to_owned(), detail: error.to_string() }
}

/// Sorted serials, in memory or in a file with how many are left in it.
enum Run {
    Memory(std::vec::IntoIter<Packed>),
    File(BufReader<File>, u64),
}

impl Run {
    fn write(path: &std::path::Path, serials: &[Packed]) -> std::io::Result<Self> {
        // Only the holder of the store's lock works in this folder, and opening the store emptied it.
        let file = File::options().read(true).write(true).create_new(true).open(path)?;
        std::fs::remove_file(path)?;
        let mut out = BufWriter::with_capacity(BUFFER, file);
        for serial in serials {
            serial.write(&mut out)?;
        }
        let mut file = out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(Self::File(BufReader::with_capacity(BUFFER, file), serials.len() as u64))
    }

    fn next(&mut self) -> std::io::Result<Option<Packed>> {
        match self {
            Self::Memory(serials) => Ok(serials.next()),
            Self::File(file, left) => Packed::read(file, left),
        }
    }
}
