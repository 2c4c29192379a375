//! The octets of every row: format version 2. Only the store calls it; no I/O here.
//!
//! Integers are big-endian. Every value but the bare numbers begins with [`ROW_VERSION`]. Whatever
//! is read back is checked in full: octets that are never written here are a [`BadRow`], never a panic.
//!
//! | family | key | value |
//! | --- | --- | --- |
//! | `status` | issuer u32, serial octets | version, then a row per scope, in order of scope: scope u32, body |
//! | `scope_rows` | scope u32, serial octets of the first row | version, [rows](super::block), up to 64 |
//! | `inventory` | issuer u32, serial octets | nothing, or distribution point u32 |
//! | `meta` | `format` | u32, [`FORMAT`] |
//! | | `N`, kind | u32, the last number given out of that kind (`I`, `D`, `S`, `Y`, `B`) |
//! | | `I`, canonical issuer name | issuer u32 |
//! | | `D`, canonical distribution point | distribution point u32 |
//! | | `K`, [scope key](scope_key) | scope u32 |
//! | | `S`, scope u32 | [scope record](encode_record) |
//! | | `P`, scope u32 | issuer u32, perhaps base scope u32: rows of a scope that has no record (a load under way, or a removal) |
//! | | `O`, scope u32 | base scope u32: the rows of this scope are laid over those of the base |
//! | | `Q`, scope u32, perhaps piece u16; `q` | see [`sketch`](super::sketch); an older ocsprey does not look there |
//! | | `V`, issuer u32 | version, 0 (partial) or 1 (complete), rows u64 |
//! | | `W`, issuer u32 | u32, the edition of the inventory: how often listed serials got another distribution point |
//! | | `Y`, SHA-256 of what a series of answers has in common | series u32 |
//! | | `B`, id of a verifier | verifier u32 |
//! | `answers`, and `A` in `meta` | | see [`answers`] |
//! | `usage` | | see [`usage`] |
//!
//! A body is one octet of flags (low four bits the reason, 0 for none; 0x10 retained; 0x20 an
//! invalidity date follows; 0x40, alone and only in rows laid over others: no row any more), then the
//! revocation time, perhaps the invalidity date, and of a retained row the thisUpdate of the CRL that did not
//! list it any more, each five octets of seconds since the year 0. Serial octets are those of the DER INTEGER, so keys of one
//! number sort as [`SerialNumber`] does, and a serial that is a prefix of another is another key.

pub mod answers;
mod scopes;
pub mod usage;

pub use scopes::{decode_record, encode_record, scope_key};

use super::scope::{DistributionPointNumber, Inventoried, IssuerNumber, ScopeNumber, StatusRow};
use crate::x509::{CrlReason, Revocation, SerialNumber, UnixTime};

/// Version of the whole store. It goes up when an older ocsprey would misread what is written.
///
/// History: 1, the first. 2: the index by scope holds many rows in a value, and a retained row says since when.
pub const FORMAT: u32 = 2;

/// First octet of the values described above.
pub const ROW_VERSION: u8 = 1;

/// Key of the store's format version in `meta`.
pub const FORMAT_KEY: &[u8] = b"format";

/// A kind of numbers that `meta` gives out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum NumberKind {
    Issuer = b'I',
    DistributionPoint = b'D',
    Scope = b'S',
    Series = b'Y',
    Verifier = b'B',
}

/// A value whose octets are not what is written here; it says which kind of row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRow(pub &'static str);

/// Reads a value from its front.
pub struct Octets<'a> {
    pub rest: &'a [u8],
    row: &'static str,
}

impl<'a> Octets<'a> {
    fn new(row: &'static str, value: &'a [u8]) -> Self {
        Self { rest: value, row }
    }

    pub fn versioned(row: &'static str, value: &'a [u8]) -> Result<Self, BadRow> {
        let mut octets = Self::new(row, value);
        if octets.array()? == [ROW_VERSION] { Ok(octets) } else { Err(BadRow(row)) }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], BadRow> {
        let (first, rest) = self.rest.split_first_chunk::<N>().ok_or(BadRow(self.row))?;
        self.rest = rest;
        Ok(*first)
    }

    pub fn u32(&mut self) -> Result<u32, BadRow> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, BadRow> {
        self.array().map(u64::from_be_bytes)
    }

    /// Seconds since the year 0, in five octets.
    pub fn time(&mut self) -> Result<UnixTime, BadRow> {
        let octets = self.array()?;
        self.checked(octets)
    }

    fn checked(&self, [a, b, c, d, e]: [u8; 5]) -> Result<UnixTime, BadRow> {
        let seconds = i64::from_be_bytes([0, 0, 0, a, b, c, d, e]) + UnixTime::MIN.seconds();
        let time = UnixTime::from_seconds(seconds);
        if time.seconds() == seconds { Ok(time) } else { Err(BadRow(self.row)) }
    }

    /// Octets with their number (u32) before them.
    fn counted(&mut self) -> Result<Vec<u8>, BadRow> {
        let count = usize::try_from(self.u32()?).map_err(|_| BadRow(self.row))?;
        let (first, rest) = self.rest.split_at_checked(count).ok_or(BadRow(self.row))?;
        self.rest = rest;
        Ok(first.to_vec())
    }

    pub fn end(self) -> Result<(), BadRow> {
        if self.rest.is_empty() { Ok(()) } else { Err(BadRow(self.row)) }
    }
}

pub fn time_octets(time: UnixTime) -> [u8; 5] {
    // A UnixTime is at most 315,569,519,999 seconds after the year 0: below 2^39, so the top three are 0.
    let [_, _, _, a, b, c, d, e] = time.since(UnixTime::MIN).to_be_bytes();
    [a, b, c, d, e]
}

fn put_counted(out: &mut Vec<u8>, octets: &[u8]) {
    // Names, CRL numbers and extensions: each is an element of at most 4 GiB less one.
    let count = u32::try_from(octets.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    out.extend(octets.iter().take(count as usize));
}

/// A key of `status`, `scope_rows` or `inventory`: a number, then a serial. On the stack: a
/// request makes one for each serial it asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowKey {
    octets: [u8; Self::LONGEST],
    len: usize,
}

impl RowKey {
    pub const LONGEST: usize = 4 + SerialNumber::MAX_OCTETS;

    pub fn new(number: u32, serial: &SerialNumber) -> Self {
        let mut octets = [0; Self::LONGEST];
        // All of it, padding too: two copies of a fixed size, where a loop over octets took longer than
        // all else that is done to a row here.
        let (front, back) = octets.split_at_mut(4);
        front.copy_from_slice(&number.to_be_bytes());
        back.copy_from_slice(serial.padded());
        Self { octets, len: 4 + serial.as_bytes().len() }
    }
}

impl AsRef<[u8]> for RowKey {
    fn as_ref(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(&self.octets)
    }
}

/// The serial number in a key of `status`, `scope_rows` or `inventory`.
pub fn serial_of(key: &[u8]) -> Result<SerialNumber, BadRow> {
    const ROW: &str = "the key of a status row";
    let mut octets = Octets::new(ROW, key);
    octets.u32()?;
    SerialNumber::from_der_content(octets.rest).map_err(|_| BadRow(ROW))
}

const REASON: u8 = 0x0f;
const RETAINED: u8 = 0x10;
const INVALIDITY: u8 = 0x20;
const GONE: u8 = 0x40;

/// What a scope says of a serial, as it stands in rows. Two are equal exactly when their octets are,
/// which is how the difference between two CRLs is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Body {
    flags: u8,
    time: UnixTime,
    invalidity: UnixTime,
    retained_since: UnixTime,
}

impl Body {
    pub fn new(revocation: &Revocation) -> Self {
        // "unspecified" is the same as no reason (RFC 5280 5.3.1), so 0 stands for both.
        let mut flags = revocation.reason.map_or(0, CrlReason::value);
        if revocation.invalidity.is_some() {
            flags |= INVALIDITY;
        }
        let invalidity = revocation.invalidity.unwrap_or(UnixTime::EPOCH);
        Self { flags, time: revocation.time, invalidity, retained_since: UnixTime::EPOCH }
    }

    /// Laid over a row, it takes that row away.
    pub const GONE: Self = Self {
        flags: GONE,
        time: UnixTime::MIN,
        invalidity: UnixTime::EPOCH,
        retained_since: UnixTime::EPOCH,
    };

    /// What a row says, but for since when it is retained.
    pub fn of(row: &StatusRow) -> Self {
        let body = Self::new(&row.revocation);
        if row.retained { body.retained(UnixTime::EPOCH) } else { body }
    }

    /// As the row of `scope`.
    pub fn row(&self, scope: ScopeNumber) -> StatusRow {
        StatusRow { scope, revocation: self.revocation(), retained: self.is_retained() }
    }

    /// The row that stands when this one is laid over another.
    pub fn over(self) -> Option<Self> {
        (self != Self::GONE).then_some(self)
    }

    pub fn is_retained(&self) -> bool {
        self.flags & RETAINED != 0
    }

    /// Since when its entry is not in the CRL any more.
    pub fn retained_since(&self) -> Option<UnixTime> {
        self.is_retained().then_some(self.retained_since)
    }

    /// Neither a hold nor its removal by a delta CRL.
    pub fn is_permanent(&self) -> bool {
        self.revocation().is_permanent()
    }

    /// The row that stands once the CRL of this time does not list the entry any more.
    pub fn retained(self, since: UnixTime) -> Self {
        Self { flags: self.flags | RETAINED, retained_since: since, ..self }
    }

    pub fn revocation(&self) -> Revocation {
        Revocation {
            time: self.time,
            reason: match self.flags & REASON {
                0 => None,
                value => CrlReason::from_value(value),
            },
            invalidity: (self.flags & INVALIDITY != 0).then_some(self.invalidity),
        }
    }

    /// Writes it, and says what the first octet of its time is.
    pub fn put(&self, out: &mut Vec<u8>) -> u8 {
        let [a, b, c, d, e] = time_octets(self.time);
        out.extend_from_slice(&[self.flags, a, b, c, d, e]);
        self.put_rest(out);
        a
    }

    /// Writes it without the first octet of its time, if that is `known`; whether it was.
    pub fn put_short(&self, known: u8, out: &mut Vec<u8>) -> bool {
        let [first, b, c, d, e] = time_octets(self.time);
        if first != known {
            return false;
        }
        out.extend_from_slice(&[self.flags, b, c, d, e]);
        self.put_rest(out);
        true
    }

    fn put_rest(&self, out: &mut Vec<u8>) {
        if self.flags & INVALIDITY != 0 {
            out.extend_from_slice(&time_octets(self.invalidity));
        }
        if self.flags & RETAINED != 0 {
            out.extend_from_slice(&time_octets(self.retained_since));
        }
    }

    /// Reads one; `known`, if there is one, is the first octet of its time, which does not stand there then.
    /// And that octet.
    pub fn take(octets: &mut Octets<'_>, known: Option<u8>) -> Result<(Self, u8), BadRow> {
        let [flags] = octets.array()?;
        let is_known =
            flags & !(REASON | RETAINED | INVALIDITY) == 0 && CrlReason::from_value(flags & REASON).is_some();
        if !is_known && flags != GONE {
            return Err(BadRow(octets.row));
        }
        let first = known.map_or_else(|| octets.array().map(|[first]| first), Ok)?;
        let [b, c, d, e] = octets.array()?;
        let time = octets.checked([first, b, c, d, e])?;
        if flags == GONE && time != Self::GONE.time {
            return Err(BadRow(octets.row));
        }
        let mut further = |flag| if flags & flag != 0 { octets.time() } else { Ok(UnixTime::EPOCH) };
        let (invalidity, retained_since) = (further(INVALIDITY)?, further(RETAINED)?);
        Ok((Self { flags, time, invalidity, retained_since }, first))
    }
}

const STATUS: &str = "a status row";

/// Gives `each` the rows in a `status` value, in order of scope.
pub fn for_each_status(value: &[u8], mut each: impl FnMut(ScopeNumber, Body)) -> Result<(), BadRow> {
    let mut octets = Octets::versioned(STATUS, value)?;
    let mut before = None;
    while !octets.rest.is_empty() {
        let scope = octets.u32()?;
        if before.is_some_and(|before| before >= scope) {
            return Err(BadRow(STATUS));
        }
        before = Some(scope);
        each(ScopeNumber(scope), Body::take(&mut octets, None)?.0);
    }
    // A key without rows is deleted, not kept.
    if before.is_some() { Ok(()) } else { Err(BadRow(STATUS)) }
}

/// Writes to `out` the `status` value of these rows, in order of scope; nothing where there are none.
pub fn encode_status(rows: impl Iterator<Item = (ScopeNumber, Body)>, out: &mut Vec<u8>) {
    out.clear();
    for (scope, body) in rows {
        put_status_row(out, scope, &body);
    }
}

fn put_status_row(out: &mut Vec<u8>, scope: ScopeNumber, body: &Body) {
    if out.is_empty() {
        out.push(ROW_VERSION);
    }
    // In one piece: of a first load ten million rows go this way.
    let [a, b, c, d] = scope.0.to_be_bytes();
    let [e, f, g, h, i] = time_octets(body.time);
    out.extend_from_slice(&[a, b, c, d, body.flags, e, f, g, h, i]);
    body.put_rest(out);
}

/// Writes to `out` the `status` value that has `body` as the row of `scope` (`None`: no such row) and
/// the other rows of `value`. `out` is empty when no row is left: the key is to be deleted.
pub fn with_status(
    value: Option<&[u8]>,
    scope: ScopeNumber,
    body: Option<Body>,
    out: &mut Vec<u8>,
) -> Result<(), BadRow> {
    out.clear();
    let mut mine = body;
    if let Some(value) = value {
        for_each_status(value, |other, row| {
            if other >= scope
                && let Some(body) = mine.take()
            {
                put_status_row(out, scope, &body);
            }
            if other != scope {
                put_status_row(out, other, &row);
            }
        })?;
    }
    if let Some(body) = mine {
        put_status_row(out, scope, &body);
    }
    Ok(())
}

/// The value of an `inventory` row.
pub fn encode_inventory(distribution_point: Option<DistributionPointNumber>) -> ([u8; 4], usize) {
    distribution_point.map_or(([0; 4], 0), |number| (number.0.to_be_bytes(), 4))
}

/// From the value of an `inventory` row.
pub fn decode_inventory(value: &[u8]) -> Result<Option<DistributionPointNumber>, BadRow> {
    if value.is_empty() {
        return Ok(None);
    }
    decode_number("an inventory row", value).map(|number| Some(DistributionPointNumber(number)))
}

/// From the value of an `inventory` row: what the inventory says of the serial number.
pub fn decode_listed(value: &[u8]) -> Result<Inventoried, BadRow> {
    Ok(decode_inventory(value)?.map_or(Inventoried::Listed, Inventoried::InScope))
}

/// The value of an issuer's `V` row.
pub fn encode_inventory_state(complete: bool, rows: u64) -> Vec<u8> {
    let mut out = vec![ROW_VERSION, u8::from(complete)];
    out.extend_from_slice(&rows.to_be_bytes());
    out
}

/// From the value of an issuer's `V` row: whether the inventory is complete, and its rows.
pub fn decode_inventory_state(value: &[u8]) -> Result<(bool, u64), BadRow> {
    const ROW: &str = "the state of an inventory";
    let mut octets = Octets::versioned(ROW, value)?;
    let complete = match octets.array()? {
        [0] => false,
        [1] => true,
        _ => return Err(BadRow(ROW)),
    };
    let rows = octets.u64()?;
    octets.end()?;
    Ok((complete, rows))
}

/// From a value that is one number.
pub fn decode_number(row: &'static str, value: &[u8]) -> Result<u32, BadRow> {
    let mut octets = Octets::new(row, value);
    let number = octets.u32()?;
    octets.end()?;
    Ok(number)
}

/// The key of the last number of a kind, in `meta`.
pub fn last_number_key(kind: NumberKind) -> [u8; 2] {
    [b'N', kind as u8]
}

/// The key of a number (`S`, `P` or `V` rows) in `meta`.
pub fn number_key(tag: u8, number: u32) -> [u8; 5] {
    let [a, b, c, d] = number.to_be_bytes();
    [tag, a, b, c, d]
}

/// The number in such a key.
pub fn number_of_key(key: &[u8]) -> Result<u32, BadRow> {
    const ROW: &str = "a key among the scopes";
    decode_number(ROW, key.get(1..).ok_or(BadRow(ROW))?)
}

/// The key of a name (`I` or `D` rows) in `meta`.
pub fn name_key(kind: NumberKind, name: &[u8]) -> Vec<u8> {
    let mut key = vec![kind as u8];
    key.extend_from_slice(name);
    key
}

/// The value of a `P` row.
pub fn encode_unrecorded(issuer: IssuerNumber, base: Option<ScopeNumber>) -> Vec<u8> {
    let mut out = issuer.0.to_be_bytes().to_vec();
    out.extend(base.into_iter().flat_map(|base| base.0.to_be_bytes()));
    out
}

/// From the value of a `P` row.
pub fn decode_unrecorded(value: &[u8]) -> Result<(IssuerNumber, Option<ScopeNumber>), BadRow> {
    let mut octets = Octets::new("a mark of unfinished work", value);
    let issuer = IssuerNumber(octets.u32()?);
    let base = if octets.rest.is_empty() { None } else { Some(ScopeNumber(octets.u32()?)) };
    octets.end()?;
    Ok((issuer, base))
}

/// `R` and a name: a note of the write side.
pub fn note_key(name: &str) -> Vec<u8> {
    [b"R", name.as_bytes()].concat()
}
