//! Rows of the index by scope, many in one value.
//!
//! The index is only ever walked, or changed in a few places: rows one by one would cost RocksDB's
//! work for a row ten times over what is done with it, and twice the octets. The writers of rows
//! ([`super::staging`], [`super::unfinished`], [`super::replace`]) come here, and so does whoever walks them.
//!
//! Invariants: the rows of a block ascend strictly by serial; the blocks of a scope do not overlap, and
//! the key of each holds its first serial. No block is empty, none has more than [`MAX_ROWS`] rows.
//!
//! Format of a value: [`ROW_VERSION`]; the body of the first row, whose serial the key holds; then each
//! further row: an octet with the number of leading octets that its serial shares with the one before (low
//! five bits; as many as there are), 0x20 if it is as long as that one, 0x40 if the first octet of its time
//! is that one's and is left out; its length, unless 0x20; the rest of the serial; the body. What is read back
//! is checked in full, as in [`super::format`].

#![expect(clippy::cast_possible_truncation, reason = "a serial has at most 21 octets")]

use super::db::{Batch, Cursor, Db, Family};
use super::error::StoreError;
use super::format::{BadRow, Body, Octets, ROW_VERSION, RowKey, serial_of};
use super::scope::ScopeNumber;
use crate::x509::SerialNumber;

/// Rows of a block, at most: about a kilobyte of random serials, so that a changed row writes little more
/// than a block of RocksDB that is compacted anyway.
pub const MAX_ROWS: usize = 64;

/// What a scope says of a serial.
pub type Row = (SerialNumber, Body);

const SHARED: u8 = 0x1f;
const SAME_LENGTH: u8 = 0x20;
const SAME_TIME: u8 = 0x40;

/// Writes the value of a block. `rows` are not empty, ascend, and are at most [`MAX_ROWS`].
pub fn encode(rows: &[Row], out: &mut Vec<u8>) {
    out.clear();
    out.push(ROW_VERSION);
    let mut before: Option<(&SerialNumber, u8)> = None;
    for (serial, body) in rows {
        let Some((previous, first)) = before else {
            before = Some((serial, body.put(out)));
            continue;
        };
        let octets = serial.as_bytes();
        let shared = previous.as_bytes().iter().zip(octets).take_while(|(one, other)| one == other).count();
        let place = out.len();
        let mut control = (shared & usize::from(SHARED)) as u8;
        out.push(0);
        if previous.as_bytes().len() == octets.len() {
            control |= SAME_LENGTH;
        } else {
            out.push(octets.len() as u8);
        }
        out.extend_from_slice(octets.get(shared..).unwrap_or_default());
        let mut first = first;
        if body.put_short(first, out) {
            control |= SAME_TIME;
        } else {
            first = body.put(out);
        }
        if let Some(place) = out.get_mut(place) {
            *place = control;
        }
        before = Some((serial, first));
    }
}

/// Puts the rows of a block into `rows`, in place of what they held.
pub fn decode(key: &[u8], value: &[u8], rows: &mut Vec<Row>) -> Result<(), BadRow> {
    const ROW: &str = "a block of rows of a CRL scope";
    rows.clear();
    let mut octets = Octets::versioned(ROW, value)?;
    let mut serial = serial_of(key)?;
    let (body, mut first) = Body::take(&mut octets, None)?;
    rows.push((serial, body));
    while !octets.rest.is_empty() {
        let [control] = octets.array()?;
        let before = serial.as_bytes().len();
        let shared = usize::from(control & SHARED);
        let length = if control & SAME_LENGTH != 0 {
            before
        } else {
            let [length] = octets.array()?;
            if usize::from(length) == before {
                return Err(BadRow(ROW));
            }
            usize::from(length)
        };
        let mut padded = *serial.padded();
        let place = padded.get_mut(shared..length).ok_or(BadRow(ROW))?;
        let (rest, further) = octets.rest.split_at_checked(place.len()).ok_or(BadRow(ROW))?;
        // What is shared is all that is shared, and the row comes behind the one before.
        let ascends = match (rest.first(), serial.as_bytes().get(shared)) {
            (Some(octet), Some(before)) => octet > before,
            (Some(_), None) => shared == before,
            (None, _) => false,
        };
        if control & !(SHARED | SAME_LENGTH | SAME_TIME) != 0 || !ascends || rows.len() == MAX_ROWS {
            return Err(BadRow(ROW));
        }
        place.copy_from_slice(rest);
        if let Some(behind) = padded.get_mut(length..) {
            behind.fill(0);
        }
        octets.rest = further;
        serial = SerialNumber::from_padded(padded, length as u8).map_err(|_| BadRow(ROW))?;
        let known = (control & SAME_TIME != 0).then_some(first);
        let body;
        (body, first) = Body::take(&mut octets, known)?;
        rows.push((serial, body));
    }
    Ok(())
}

/// Gives `rows`, more than a block may have among them, to `each` as blocks of about the same size.
pub fn split<E>(rows: &[Row], mut each: impl FnMut(&[Row]) -> Result<(), E>) -> Result<(), E> {
    let blocks = rows.len().div_ceil(MAX_ROWS).max(1);
    rows.chunks(rows.len().div_ceil(blocks).max(1)).try_for_each(&mut each)
}

/// Walks the blocks of a scope.
pub struct Blocks<'a> {
    db: &'a Db,
    cursor: Cursor<'a>,
}

impl<'a> Blocks<'a> {
    pub fn new(db: &'a Db, scope: ScopeNumber) -> Result<Self, StoreError> {
        Ok(Self { db, cursor: db.rows_from(Family::ScopeRows, &scope.0.to_be_bytes(), None)? })
    }

    fn here_and_there(db: &'a Db, scope: ScopeNumber) -> Result<Self, StoreError> {
        Ok(Self { db, cursor: db.rows_here_and_there(Family::ScopeRows, &scope.0.to_be_bytes())? })
    }

    /// Puts the rows of the next block into `rows`; none, behind the last.
    pub fn next(&mut self, rows: &mut Vec<Row>) -> Result<(), StoreError> {
        rows.clear();
        if let Some((key, value)) = self.cursor.current() {
            decode(key, value, rows).map_err(|bad| self.db.bad(bad))?;
            self.cursor.advance()?;
        }
        Ok(())
    }

    /// The first serial of the block that comes next.
    fn upcoming(&self) -> Result<Option<SerialNumber>, StoreError> {
        let key = self.cursor.current().map(|(key, _)| serial_of(key));
        key.transpose().map_err(|bad| self.db.bad(bad))
    }
}

/// Changes rows of a scope, in ascending order of serial. It sees the blocks as they stood when it was
/// made; the one in which it works is in its memory until [`BlockEditor::settle`].
pub struct BlockEditor<'a> {
    scope: ScopeNumber,
    blocks: Blocks<'a>,
    /// First serial of the block that comes behind.
    end: Option<SerialNumber>,
    rows: Vec<Row>,
    /// Rows up to here are before every row that is still to come.
    at: usize,
    /// First serials of the blocks in which `rows` stand now.
    stored: Vec<SerialNumber>,
    is_changed: bool,
    octets: Vec<u8>,
}

impl<'a> BlockEditor<'a> {
    pub fn new(db: &'a Db, scope: ScopeNumber) -> Result<Self, StoreError> {
        let mut editor = Self {
            scope,
            blocks: Blocks::here_and_there(db, scope)?,
            end: None,
            rows: Vec::new(),
            at: 0,
            stored: Vec::new(),
            is_changed: false,
            octets: Vec::new(),
        };
        editor.load()?;
        Ok(editor)
    }

    /// Makes `body` the row of `serial`; takes it away, if `None`. The change is in `batch` once a later row
    /// or [`BlockEditor::settle`] puts it there.
    pub fn put(
        &mut self,
        batch: &mut Batch<'_>,
        serial: &SerialNumber,
        body: Option<Body>,
    ) -> Result<(), StoreError> {
        if self.end.is_some_and(|end| end <= *serial) {
            self.settle(batch);
            self.go_to(serial)?;
        }
        let rest = self.rows.get(self.at..).unwrap_or_default();
        // Rows that are only added at the end are looked for there first.
        let found = match rest.last() {
            Some((last, _)) if last < serial => Err(rest.len()),
            _ => rest.binary_search_by(|(held, _)| held.cmp(serial)),
        };
        match (found, body) {
            (Ok(at), Some(body)) => {
                self.at += at;
                if let Some(row) = self.rows.get_mut(self.at) {
                    row.1 = body;
                }
            }
            (Err(at), Some(body)) => {
                self.at += at;
                self.rows.insert(self.at, (*serial, body));
            }
            (Ok(at), None) => {
                self.at += at;
                self.rows.remove(self.at);
            }
            (Err(_), None) => return Ok(()),
        }
        self.is_changed = true;
        Ok(())
    }

    /// Puts all changes so far into `batch`.
    pub fn settle(&mut self, batch: &mut Batch<'_>) {
        if !std::mem::take(&mut self.is_changed) {
            return;
        }
        let mut stored = Vec::new();
        let mut last = 0;
        let written: Result<(), std::convert::Infallible> = split(&self.rows, |rows| {
            if let Some((serial, _)) = rows.first() {
                encode(rows, &mut self.octets);
                batch.put_scope_row(&RowKey::new(self.scope.0, serial), &self.octets);
                stored.push(*serial);
                last = rows.len();
            }
            Ok(())
        });
        let Ok(()) = written;
        for gone in self.stored.iter().filter(|serial| !stored.contains(serial)) {
            batch.delete_scope_row(&RowKey::new(self.scope.0, gone));
        }
        // What is still to come stands behind the last row that was changed. If that is in the last block, the
        // ones before it are as they will stay.
        let before = self.rows.len() - last;
        if self.at >= before {
            self.rows.drain(..before);
            self.at -= before;
            stored.drain(..stored.len().saturating_sub(1));
        }
        self.stored = stored;
    }

    /// Takes the block up in which `serial` stands or belongs.
    fn go_to(&mut self, serial: &SerialNumber) -> Result<(), StoreError> {
        self.load()?;
        if self.end.is_some_and(|end| end <= *serial) {
            self.blocks.cursor.back_to(RowKey::new(self.scope.0, serial).as_ref())?;
            self.load()?;
        }
        Ok(())
    }

    fn load(&mut self) -> Result<(), StoreError> {
        self.blocks.next(&mut self.rows)?;
        self.end = self.blocks.upcoming()?;
        self.stored.clear();
        self.stored.extend(self.rows.first().map(|(serial, _)| *serial));
        self.at = 0;
        Ok(())
    }
}
