//! An entry of a CRL in two numbers: tens of millions of them are held, compared, summed, written and read.
//!
//! Called by the sorter in `ingest` and by the sketches in `store`. No I/O here.
//!
//! Compared one after the other, the numbers are the order that matters: by serial number, and of one
//! serial the entry to keep first. They compare in a few instructions where octets and fields took a call.

use super::{CrlReason, Revocation, SerialNumber, UnixTime};

/// What a CRL says of one serial number, packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PackedEntry {
    /// The serial's octets 0 to 15, with zeros behind the last one.
    front: u128,
    /// From the highest bit down: octets 16 to 20 (40 bits) and the number of octets (5). Of two serials
    /// with the same padded octets the shorter one comes first, as in the store. Then whether it is a hold or
    /// its removal (1): a permanent entry comes first, whatever the dates, because it may never be lost.
    /// Then the revocation time in seconds since the year 0 (39), reason plus 1, or 0 (4), and the invalidity
    /// date in seconds since the year 0 (39), or [`NEVER`].
    back: u128,
}

const TIME_BITS: u32 = 39;
const REASON_BITS: u32 = 4;
/// Where a field of `back` begins, from the lowest bit.
const REASON_AT: u32 = TIME_BITS;
const TIME_AT: u32 = REASON_AT + REASON_BITS;
const HOLD_AT: u32 = TIME_AT + TIME_BITS;
const LENGTH_AT: u32 = HOLD_AT + 1;
const OCTETS_AT: u32 = LENGTH_AT + 5;

/// No invalidity date: later than any.
const NEVER: u64 = (1 << TIME_BITS) - 1;

impl PackedEntry {
    /// Octets of an entry that is written out.
    pub const OCTETS: usize = 32;

    #[must_use]
    pub fn new(serial: SerialNumber, revocation: &Revocation) -> Self {
        let octets = serial.padded();
        let front = octets.first_chunk().map_or(0, |octets| u128::from_be_bytes(*octets));
        // Octets 13 to 20, of which the first three belong to `front`.
        let tail = octets.last_chunk().map_or(0, |octets| u64::from_be_bytes(*octets)) & ((1 << 40) - 1);
        let reason = revocation.reason.map_or(0, |reason| u128::from(reason.value()) + 1);
        let back = u128::from(tail) << OCTETS_AT
            | (serial.as_bytes().len() as u128) << LENGTH_AT
            | u128::from(!revocation.is_permanent()) << HOLD_AT
            | u128::from(seconds(revocation.time)) << TIME_AT
            | reason << REASON_AT
            | u128::from(revocation.invalidity.map_or(NEVER, seconds));
        Self { front, back }
    }

    /// From what [`PackedEntry::numbers`] gave, or from any two numbers.
    #[must_use]
    pub fn from_numbers([front, back]: [u128; 2]) -> Self {
        Self { front, back }
    }

    /// The two numbers that it is.
    #[must_use]
    pub fn numbers(&self) -> [u128; 2] {
        [self.front, self.back]
    }

    /// The first number: nearly always enough to tell which of two comes first.
    #[must_use]
    pub fn front(&self) -> u128 {
        self.front
    }

    #[must_use]
    pub fn is_of_the_same_serial(&self, other: &Self) -> bool {
        self.front == other.front && self.back >> LENGTH_AT == other.back >> LENGTH_AT
    }

    /// The field of `back` that begins at bit `at`.
    fn field(&self, at: u32, bits: u32) -> u64 {
        // Both casts keep the low bits, which is what is asked for.
        #[expect(clippy::cast_possible_truncation, reason = "the field is narrower than 64 bits")]
        let low = (self.back >> at) as u64;
        low & ((1 << bits) - 1)
    }

    /// `None` for numbers that no entry has.
    #[must_use]
    pub fn parts(&self) -> Option<(SerialNumber, Revocation)> {
        // The second write begins at octet 13, where the front's last three stand, so these come again.
        let mut octets = [0; SerialNumber::MAX_OCTETS];
        let [.., x, y, z] = self.front.to_be_bytes();
        let [_, _, _, a, b, c, d, e] = self.field(OCTETS_AT, 40).to_be_bytes();
        *octets.first_chunk_mut()? = self.front.to_be_bytes();
        *octets.last_chunk_mut()? = [x, y, z, a, b, c, d, e];
        let length = u8::try_from(self.field(LENGTH_AT, 5)).ok()?;
        let serial = SerialNumber::from_padded(octets, length).ok()?;
        let reason = match u8::try_from(self.field(REASON_AT, REASON_BITS)).ok()? {
            0 => None,
            reason => Some(CrlReason::from_value(reason - 1)?),
        };
        let invalidity = match self.field(0, TIME_BITS) {
            NEVER => None,
            seconds => Some(time(seconds)?),
        };
        Some((serial, Revocation { time: time(self.field(TIME_AT, TIME_BITS))?, reason, invalidity }))
    }

    /// The two numbers, little-endian.
    #[must_use]
    pub fn to_octets(&self) -> [u8; Self::OCTETS] {
        let mut octets = [0; Self::OCTETS];
        for (place, number) in octets.as_chunks_mut::<16>().0.iter_mut().zip(self.numbers()) {
            *place = number.to_le_bytes();
        }
        octets
    }

    #[must_use]
    pub fn from_octets(octets: &[u8; Self::OCTETS]) -> Self {
        let mut numbers = octets.as_chunks::<16>().0.iter().map(|number| u128::from_le_bytes(*number));
        let mut next = || numbers.next().unwrap_or_default();
        Self { front: next(), back: next() }
    }
}

fn seconds(time: UnixTime) -> u64 {
    // Never negative: no time is earlier.
    u64::try_from(time.since(UnixTime::MIN)).unwrap_or(0)
}

fn time(seconds: u64) -> Option<UnixTime> {
    Some(UnixTime::MIN.plus(i64::try_from(seconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_entry_takes_32_octets_and_comes_back_whole() {
        assert_eq!(size_of::<PackedEntry>(), PackedEntry::OCTETS);
        let serials = ["0", "7f", "80", "-1", &"5a".repeat(16), &"5a".repeat(17), &"ff".repeat(20)];
        for serial in serials.map(|text| SerialNumber::from_hex(text).unwrap()) {
            for time in [UnixTime::MIN, UnixTime::EPOCH, UnixTime::MAX] {
                for invalidity in [None, Some(UnixTime::MIN), Some(UnixTime::MAX)] {
                    for reason in CrlReason::ALL.map(Some).into_iter().chain([None]) {
                        let revocation = Revocation { time, reason, invalidity };
                        let entry = PackedEntry::new(serial, &revocation);
                        assert_eq!(entry.parts(), Some((serial, revocation)));
                        assert_eq!(PackedEntry::from_octets(&entry.to_octets()), entry);
                        assert_eq!(PackedEntry::from_numbers(entry.numbers()), entry);
                    }
                }
            }
        }
    }
}
