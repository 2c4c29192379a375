//! What tells a large CRL from the one before without holding either: a few megabytes in which both are summed.
//!
//! A CRL of ten million entries of which ten thousand are others is nearly all known, and sorting it to find the
//! ten thousand costs more than all else. So the store keeps a sketch of the entries of each large complete
//! CRL (an invertible Bloom look-up table, as in Eppstein et al., "What's the Difference?", SIGCOMM 2011), ingest
//! makes one of the CRL that streams by, and their difference gives the entries that are in one of the two
//! alone, whatever the order of either. [`super::refresh`] writes them.
//!
//! Each entry is added, as two numbers, to three cells that its keyed hash names, and with it a second hash of
//! it. Taken from one another, cell by cell, two sketches leave the sums of what they do not share. A cell
//! in which one entry is left shows it: its hash is the one that stands there. That entry is taken out of its
//! other cells too, where it uncovers others, and so on. It ends with nothing but zeros, and then every entry of
//! the difference is known; or, when there is more than about 0.8 entries a cell, or an entry stands twice, it
//! does not, and nothing is known. Nothing is ever half known.
//!
//! Invariants: the hashes are keyed with a secret of the store, so that whoever writes a CRL cannot choose entries
//! that look alike. What comes out is looked up among the rows before it is believed ([`super::refresh`]). A
//! sketch belongs to one CRL, by its SHA-256: one that was left by another does not count.
//!
//! Errors: [`StoreError`] of the store; a sketch that is damaged or of another shape is as none at all.
//!
//! Format: the row `Q`, scope u32 holds the version; SHA-256 of the CRL; octets of its entries u64; 0, or 1 and
//! five octets: since when the oldest retained row is one; cells of a table u32. The rows `Q`, scope u32, piece u16
//! hold up to [`PIECE`] cells each, all tables behind one another: five u64, the halves of the two numbers and the
//! hashes. `q` is the secret, eight u64.

use super::db::{Batch, Db, Durability};
use super::error::StoreError;
use super::format::{BadRow, Octets, ROW_VERSION, number_key, time_octets};
use super::registry;
use super::replace::Moment;
use super::scope::{IssuerNumber, Layer, ScopeNumber, ScopeRecord};
use crate::x509::{PackedEntry, UnixTime};
use std::hash::{BuildHasher, RandomState};

#[cfg(test)]
mod tests;

/// Tables of a sketch; each entry is in one cell of each.
const TABLES: usize = 3;

/// Octets of entries for each cell of a table: 0.2 % of the usual entries may be others.
const OCTETS_PER_CELL: u64 = 60_000;

/// Cells of a table. The most take 2 MB in all, which a processor's caches hold.
const MIN_CELLS: usize = 64;
const MAX_CELLS: usize = 1 << 14;

/// Octets of the longest entry that a CRL usually has.
const LONG_ENTRY: u64 = 64;

/// Cells in one row of the store.
const PIECE: usize = 1024;

/// Octets of a cell there.
const WIDTH: usize = 40;

/// The key of the secret in `meta`.
const SECRET_KEY: &[u8] = b"q";

const ROW: &str = "the sketch of a CRL";

/// What the hashes are keyed with.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Secret([u64; 8]);

/// The sum of some entries: their two numbers in four halves, and a hash of each. Each is summed by itself:
/// what is carried from half to half would cost more than all else that is done to an entry here.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Cell([u64; 5]);

impl Cell {
    const ZERO: Self = Self([0; 5]);

    #[inline]
    fn of(entry: &PackedEntry, check: u64) -> Self {
        let [[a, b], [c, d]] = entry.numbers().map(|number| [low(number >> 64), low(number)]);
        Self([a, b, c, d, check])
    }

    #[inline]
    fn plus(mut self, other: Self) -> Self {
        for (sum, number) in self.0.iter_mut().zip(other.0) {
            *sum = sum.wrapping_add(number);
        }
        self
    }

    fn negated(self) -> Self {
        Self(self.0.map(u64::wrapping_neg))
    }

    fn minus(self, other: Self) -> Self {
        self.plus(other.negated())
    }

    /// The entry that it is the sum of, if it is only one.
    fn entry(self) -> PackedEntry {
        let [a, b, c, d, _] = self.0.map(u128::from);
        PackedEntry::from_numbers([a << 64 | b, c << 64 | d])
    }

    fn check(self) -> u64 {
        let [.., check] = self.0;
        check
    }
}

/// The product's halves, folded: every octet of both numbers has its part in every octet of the result.
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    low(product) ^ low(product >> 64)
}

#[expect(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low(number: u128) -> u64 {
    number as u64
}

impl Secret {
    /// From the random numbers that the standard library keys its own hashes with.
    fn new() -> Self {
        let random = RandomState::new();
        Self(std::array::from_fn(|n| random.hash_one(n)))
    }

    fn from_octets(octets: &[u8]) -> Option<Self> {
        let (numbers, rest) = octets.as_chunks::<8>();
        let numbers: Vec<u64> = numbers.iter().map(|number| u64::from_be_bytes(*number)).collect();
        if rest.is_empty() { Some(Self(numbers.try_into().ok()?)) } else { None }
    }

    fn octets(&self) -> Vec<u8> {
        self.0.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    /// Which cells an entry is in, and what is added to their sums of hashes.
    #[inline]
    fn hashes(&self, entry: &PackedEntry) -> (u64, u64) {
        let [a, b, c, d, e, f, g, h] = self.0;
        let [front, back] = entry.numbers();
        let front = fold(low(front >> 64) ^ a, low(front) ^ b);
        let back = fold(low(back >> 64) ^ c, low(back) ^ d);
        (fold(front ^ e, back ^ f), fold(front.wrapping_add(g), back.wrapping_add(h)))
    }
}

/// What is to be done with the entries of a CRL that begins to stream by.
pub enum Sketching {
    /// They are few: they are sorted.
    Nothing,
    /// They are sorted, and summed for the next CRL.
    Beside(Sketch),
    /// They are summed alone: what is held is much like them.
    Instead(Sketch),
}

/// The sums of the entries of one CRL.
#[derive(Clone, PartialEq, Eq)]
pub struct Sketch {
    secret: Secret,
    /// Of one table; a power of two.
    cells_of_table: usize,
    /// All tables, one behind the other.
    cells: Vec<Cell>,
    /// How many were added, those that wait among them.
    entries: u64,
    /// Octets of the CRL's entries.
    octets: u64,
    /// Entries that are not in the cells yet. They go there together: the processor waits for many cells at once
    /// then, and for each by itself where other work comes in between, which takes four times as long.
    waiting: Vec<PackedEntry>,
}

/// Entries that wait, at most.
const WAITING: usize = 1024;

/// What the store says of a sketch that it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    crl_sha256: [u8; 32],
    octets: u64,
    /// Since when the oldest of the rows that are kept beyond the CRL is one of them, or longer.
    pub oldest_retained: Option<UnixTime>,
    cells_of_table: usize,
}

impl Head {
    /// Whether the difference to a CRL with so many octets of entries may be few enough to be found.
    pub fn is_near(&self, octets: u64) -> bool {
        let cells = (TABLES * self.cells_of_table) as u64;
        self.octets.abs_diff(octets) < cells * LONG_ENTRY
    }

    /// Whether rows that are retained may have to go: they are found by a walk over all.
    pub fn is_over(&self, moment: Moment) -> bool {
        self.oldest_retained.is_some_and(|since| moment.is_over(since))
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = vec![ROW_VERSION];
        out.extend_from_slice(&self.crl_sha256);
        out.extend_from_slice(&self.octets.to_be_bytes());
        out.push(u8::from(self.oldest_retained.is_some()));
        if let Some(since) = self.oldest_retained {
            out.extend_from_slice(&time_octets(since));
        }
        // At most MAX_CELLS.
        out.extend_from_slice(&u32::try_from(self.cells_of_table).unwrap_or(u32::MAX).to_be_bytes());
        out
    }

    fn decode(value: &[u8]) -> Result<Self, BadRow> {
        let mut octets = Octets::versioned(ROW, value)?;
        let (crl_sha256, length) = (octets.array()?, octets.u64()?);
        let oldest_retained = match octets.array()? {
            [0] => None,
            [1] => Some(octets.time()?),
            _ => return Err(BadRow(ROW)),
        };
        let cells_of_table = usize::try_from(octets.u32()?).map_err(|_| BadRow(ROW))?;
        octets.end()?;
        let is_known = cells_of_table.is_power_of_two() && (MIN_CELLS..=MAX_CELLS).contains(&cells_of_table);
        if !is_known {
            return Err(BadRow(ROW));
        }
        Ok(Self { crl_sha256, octets: length, oldest_retained, cells_of_table })
    }
}

impl Sketch {
    /// An empty one, for a CRL with so many octets of entries.
    fn new(db: &Db, octets: u64) -> Result<Self, StoreError> {
        let secret = match secret(db)? {
            Some(secret) => secret,
            None => {
                let secret = Secret::new();
                let mut batch = db.batch()?;
                batch.put_meta(SECRET_KEY, &secret.octets());
                // Every sketch is written after it, so none outlives it.
                batch.commit(Durability::Ordered)?;
                secret
            }
        };
        Ok(Self::keyed(secret, octets))
    }

    fn keyed(secret: Secret, octets: u64) -> Self {
        let cells = usize::try_from(octets / OCTETS_PER_CELL).unwrap_or(usize::MAX);
        let cells_of_table = cells.clamp(MIN_CELLS, MAX_CELLS).next_power_of_two();
        let cells = vec![Cell::ZERO; TABLES * cells_of_table];
        Self { secret, cells_of_table, cells, entries: 0, octets, waiting: Vec::with_capacity(WAITING) }
    }

    /// How many entries were added.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Adds an entry.
    #[inline]
    pub fn add(&mut self, entry: &PackedEntry) {
        self.waiting.push(*entry);
        self.entries += 1;
        if self.waiting.len() == WAITING {
            self.settle();
        }
    }

    /// Brings the entries that wait into the cells.
    fn settle(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        for entry in &waiting {
            let (hash, check) = self.secret.hashes(entry);
            let one = Cell::of(entry, check);
            self.change(hash, |cell| cell.plus(one));
        }
        self.waiting = waiting;
        self.waiting.clear();
    }

    /// With every entry in its cells.
    fn settled(mut self) -> Self {
        self.settle();
        self
    }

    /// Where in each table the cells with this hash are.
    fn places(&self, hash: u64) -> [usize; TABLES] {
        let mask = self.cells_of_table - 1;
        // The low bits of each third of the hash: of a table with half the cells they name the same cell, folded.
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are what is asked for")]
        std::array::from_fn(|table| table * self.cells_of_table + ((hash >> (21 * table)) as usize & mask))
    }

    #[inline]
    fn change(&mut self, hash: u64, change: impl Fn(Cell) -> Cell) {
        for place in self.places(hash) {
            if let Some(cell) = self.cells.get_mut(place) {
                *cell = change(*cell);
            }
        }
    }

    /// The same entries in fewer cells.
    fn folded(mut self, cells_of_table: usize) -> Self {
        while self.cells_of_table > cells_of_table {
            let half = self.cells_of_table / 2;
            let tables = self.cells.chunks(self.cells_of_table);
            let halves = tables.map(|table| table.split_at(half));
            let cells =
                halves.flat_map(|(low, high)| low.iter().zip(high).map(|(one, other)| one.plus(*other)));
            self.cells = cells.collect();
            self.cells_of_table = half;
        }
        self
    }

    /// The entries that only this CRL has, and those that only `other` has, each in order. `None`: they
    /// are too many, or one of them stands twice.
    pub fn difference(&self, other: Self) -> Option<(Vec<PackedEntry>, Vec<PackedEntry>)> {
        if self.secret != other.secret {
            return None;
        }
        let size = self.cells_of_table.min(other.cells_of_table);
        let (mut rest, other) = (self.clone().settled().folded(size), other.settled().folded(size));
        for (cell, other) in rest.cells.iter_mut().zip(other.cells) {
            *cell = cell.minus(other);
        }
        let (mut come, mut gone) = (Vec::new(), Vec::new());
        let mut to_look_at: Vec<usize> = (0..rest.cells.len()).collect();
        while let Some(place) = to_look_at.pop() {
            let cell = *rest.cells.get(place)?;
            let Some((entry, hash, is_come)) = rest.single(place, cell) else { continue };
            // More than there are cells cannot be told apart: two hashes are alike by chance, and it goes round.
            if come.len() + gone.len() >= rest.cells.len() {
                return None;
            }
            rest.change(hash, |other| other.minus(cell));
            to_look_at.extend(rest.places(hash));
            if is_come { &mut come } else { &mut gone }.push(entry);
        }
        if rest.cells.iter().any(|cell| *cell != Cell::ZERO) {
            return None;
        }
        come.sort_unstable();
        gone.sort_unstable();
        Some((come, gone))
    }

    /// The one entry that is left in the cell at `place`, its hash, and whether it was added rather than taken
    /// away; `None` if there is none, or more than one.
    fn single(&self, place: usize, cell: Cell) -> Option<(PackedEntry, u64, bool)> {
        if cell == Cell::ZERO {
            return None;
        }
        [(cell, true), (cell.negated(), false)].into_iter().find_map(|(cell, is_come)| {
            let entry = cell.entry();
            let (hash, check) = self.secret.hashes(&entry);
            (check == cell.check() && self.places(hash).contains(&place)).then_some((entry, hash, is_come))
        })
    }

    /// Puts it into `batch` as that of `scope`, in place of another one.
    pub fn put(
        self,
        db: &Db,
        batch: &mut Batch<'_>,
        scope: ScopeNumber,
        crl_sha256: [u8; 32],
        oldest_retained: Option<UnixTime>,
    ) -> Result<(), StoreError> {
        delete(db, batch, scope)?;
        let Self { cells_of_table, octets, cells, .. } = self.settled();
        let head = Head { crl_sha256, octets, oldest_retained, cells_of_table };
        batch.put_meta(&number_key(b'Q', scope.0), &head.encode());
        let mut value = Vec::with_capacity(PIECE * WIDTH);
        for (piece, cells) in cells.chunks(PIECE).enumerate() {
            value.clear();
            for cell in cells {
                value.extend(cell.0.iter().flat_map(|number| number.to_be_bytes()));
            }
            batch.put_meta(&piece_key(scope, piece), &value);
        }
        Ok(())
    }

    /// The sketch of the CRL that `record` is of, and what is said of it; `None` if there is none.
    pub fn held(db: &Db, record: &ScopeRecord) -> Result<Option<(Self, Head)>, StoreError> {
        let (Some(head), Some(secret)) = (head(db, record)?, secret(db)?) else { return Ok(None) };
        let mut cells = Vec::with_capacity(TABLES * head.cells_of_table);
        let pieces = (TABLES * head.cells_of_table).div_ceil(PIECE);
        for piece in 0..pieces {
            let Some(value) = db.get_meta(&piece_key(record.number, piece))? else { return Ok(None) };
            let (found, rest) = value.as_chunks::<WIDTH>();
            if !rest.is_empty() {
                return Ok(None);
            }
            cells.extend(found.iter().map(decode_cell));
        }
        if cells.len() != TABLES * head.cells_of_table {
            return Ok(None);
        }
        let Head { cells_of_table, octets, .. } = head;
        let entries = record.entries;
        Ok(Some((Self { secret, cells_of_table, cells, entries, octets, waiting: Vec::new() }, head)))
    }
}

/// What is to be done with the entries of a large CRL of `issuer`, of this time and with so many octets of them. Which
/// scope it is of shows only at its end, so any large one of the issuer's counts. Under the writer's lock.
pub fn sketching(
    db: &Db,
    issuer: IssuerNumber,
    octets: u64,
    moment: Moment,
) -> Result<Sketching, StoreError> {
    let sketch = Sketch::new(db, octets)?;
    for record in registry::scopes(db, None)? {
        let is_complete = record.crl.key.layer == Layer::Complete;
        if record.issuer() == issuer
            && is_complete
            && let Some(head) = head(db, &record)?
            && head.is_near(octets)
            && !head.is_over(moment)
        {
            return Ok(Sketching::Instead(sketch));
        }
    }
    Ok(Sketching::Beside(sketch))
}

fn decode_cell(octets: &[u8; WIDTH]) -> Cell {
    let mut cell = Cell::ZERO;
    for (number, octets) in cell.0.iter_mut().zip(octets.as_chunks().0) {
        *number = u64::from_be_bytes(*octets);
    }
    cell
}

fn secret(db: &Db) -> Result<Option<Secret>, StoreError> {
    Ok(db.get_meta(SECRET_KEY)?.and_then(|octets| Secret::from_octets(&octets)))
}

fn piece_key(scope: ScopeNumber, piece: usize) -> Vec<u8> {
    // At most 48 pieces.
    let piece = u16::try_from(piece).unwrap_or(u16::MAX);
    [&number_key(b'Q', scope.0)[..], &piece.to_be_bytes()].concat()
}

/// Whether a `Q` row, or the secret, is one that is written here.
pub fn check_row(key: &[u8], value: &[u8]) -> Result<(), BadRow> {
    let is_known = match key.len() {
        1 => Secret::from_octets(value).is_some(),
        5 => Head::decode(value).is_ok(),
        7 => !value.is_empty() && value.len().is_multiple_of(WIDTH) && value.len() <= PIECE * WIDTH,
        _ => false,
    };
    if is_known { Ok(()) } else { Err(BadRow(ROW)) }
}

/// What is said of the sketch of the CRL that `record` is of; `None` if there is none, or if it is another CRL's.
pub fn head(db: &Db, record: &ScopeRecord) -> Result<Option<Head>, StoreError> {
    let Some(value) = db.get_meta(&number_key(b'Q', record.number.0))? else { return Ok(None) };
    Ok(Head::decode(&value).ok().filter(|head| head.crl_sha256 == record.crl.crl_sha256))
}

/// Takes the sketch of `scope` away, if there is one.
pub fn delete(db: &Db, batch: &mut Batch<'_>, scope: ScopeNumber) -> Result<(), StoreError> {
    let key = number_key(b'Q', scope.0);
    let Some(value) = db.get_meta(&key)? else { return Ok(()) };
    batch.delete_meta(&key);
    // Of a head that nobody can read the pieces are looked for as far as there can be any.
    let cells = Head::decode(&value).map_or(MAX_CELLS, |head| head.cells_of_table);
    for piece in 0..(TABLES * cells).div_ceil(PIECE) {
        batch.delete_meta(&piece_key(scope, piece));
    }
    Ok(())
}

impl std::fmt::Debug for Sketch {
    /// Sums of serial numbers are nobody's to read.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cells_of_table, entries, .. } = self;
        write!(f, "Sketch({entries} entries in {TABLES} tables of {cells_of_table})")
    }
}
