//! The entries that [`super::sort`] holds in memory, and how they come into order.
//!
//! Entries are kept in pieces, so that no list is ever copied to grow. Brought into order they are dealt
//! out to parts of some ten thousand, which a processor's second cache holds; a part is sorted when its turn
//! comes, and its memory is free again when the next one's has come.

use crate::x509::PackedEntry;

/// Entries of a piece: 32 KiB.
const PIECE: usize = 1024;

/// Entries of a part, about, as long as there are fewer than [`MAX_PARTS`] parts.
const PART: usize = 16 << 10;

/// Parts, at most: as many places are written to in turn.
const MAX_PARTS: usize = 256;

/// Entries of the sample for each part.
const SAMPLES: usize = 16;

/// Entries in the order in which they came.
#[derive(Debug)]
pub(super) struct Entries {
    pub len: usize,
    pieces: Vec<Vec<PackedEntry>>,
    /// The one that is being filled.
    open: Vec<PackedEntry>,
    /// Empty ones, to be filled again.
    spare: Vec<Vec<PackedEntry>>,
    last: Option<PackedEntry>,
    /// Whether they came in order.
    is_sorted: bool,
}

impl Default for Entries {
    fn default() -> Self {
        Self::reusing(Vec::new())
    }
}

impl Entries {
    /// None yet, in the memory of others. A kernel clears what it gives, and in a virtual machine it has to be given
    /// some first: that took a twentieth of a first load.
    pub fn reusing(spare: Vec<Vec<PackedEntry>>) -> Self {
        Self { len: 0, pieces: Vec::new(), open: Vec::new(), spare, last: None, is_sorted: true }
    }

    pub fn push(&mut self, entry: PackedEntry) {
        self.is_sorted &= self.last.is_none_or(|last| last <= entry);
        self.last = Some(entry);
        self.len += 1;
        put(&mut self.pieces, &mut self.open, &mut self.spare, entry);
    }

    /// All of them, in order; memory goes as they go.
    pub fn sorted(self) -> InMemory {
        self.in_order(None)
    }

    /// All of them, in order; their memory is kept for [`Entries::reusing`].
    pub fn sorted_and_kept(self) -> InMemory {
        self.in_order(Some(Vec::new()))
    }

    fn in_order(mut self, mut emptied: Option<Vec<Vec<PackedEntry>>>) -> InMemory {
        self.pieces.push(std::mem::take(&mut self.open));
        let parts = if self.is_sorted {
            // A piece is a part then, and sorting finds it sorted.
            self.pieces.into_iter().map(|piece| vec![piece]).collect()
        } else {
            deal(self.pieces, self.len, &mut self.spare)
        };
        if let Some(emptied) = &mut emptied {
            emptied.append(&mut self.spare);
        }
        InMemory { parts: parts.into_iter(), part: Vec::new(), next: 0, places: Places::default(), emptied }
    }
}

/// Adds `entry` to `open`, which becomes one of `pieces` when it is full; one of `spare` takes its place.
fn put(
    pieces: &mut Vec<Vec<PackedEntry>>,
    open: &mut Vec<PackedEntry>,
    spare: &mut Vec<Vec<PackedEntry>>,
    entry: PackedEntry,
) {
    if open.len() == open.capacity() {
        if open.len() < PIECE {
            // Few entries, as most CRLs have, take little memory.
            open.reserve_exact(if open.is_empty() { PIECE / 16 } else { PIECE - open.len() });
        } else {
            let next = spare.pop().unwrap_or_else(|| Vec::with_capacity(PIECE));
            pieces.push(std::mem::replace(open, next));
        }
    }
    open.push(entry);
}

/// Deals the entries out to parts that follow one another. Pieces that are dealt out are `spare` and filled again: the
/// entries are in memory once.
fn deal(
    pieces: Vec<Vec<PackedEntry>>,
    len: usize,
    spare: &mut Vec<Vec<PackedEntry>>,
) -> Vec<Vec<Vec<PackedEntry>>> {
    let count = (len / PART).next_power_of_two().min(MAX_PARTS);
    if count == 1 {
        return vec![pieces];
    }
    let step = (len / (count * SAMPLES)).max(1);
    let mut sample: Vec<u128> = pieces.iter().flatten().step_by(step).map(PackedEntry::front).collect();
    sample.sort_unstable();
    // Part n begins at this number; there is none for the first one. Behind the last: never.
    let mut begins = [u128::MAX; MAX_PARTS];
    for (n, begin) in begins.iter_mut().enumerate().take(count - 1) {
        *begin = sample.get((n + 1) * sample.len() / count).copied().unwrap_or(u128::MAX);
    }
    let mut parts: Vec<(Vec<Vec<PackedEntry>>, Vec<PackedEntry>)> = vec![Default::default(); count];
    for mut piece in pieces {
        for entry in piece.drain(..) {
            // The number of parts that begin at or before it, found in halves and without a jump that the
            // processor would have to guess.
            let (mut part, mut half) = (0, count / 2);
            while half > 0 {
                let is_behind = begins.get(part + half - 1).is_some_and(|begin| *begin <= entry.front());
                part += if is_behind { half } else { 0 };
                half /= 2;
            }
            if let Some((pieces, open)) = parts.get_mut(part) {
                put(pieces, open, spare, entry);
            }
        }
        spare.push(piece);
    }
    let close = |(mut pieces, open): (Vec<Vec<PackedEntry>>, Vec<PackedEntry>)| {
        pieces.push(open);
        pieces
    };
    parts.into_iter().map(close).collect()
}

/// Entries for which [`sort`] has a place each.
const FEW: usize = 64;

/// Where the entries of a part are dealt out once more: memory that is used again for each part.
#[derive(Debug, Default)]
struct Places {
    /// Where the next entry of each place goes.
    ends: Vec<u32>,
    dealt: Vec<PackedEntry>,
}

/// Sorts a part. Of serials that are spread evenly, as random ones are, each goes right to its place or next to it;
/// others are sorted by comparing them.
fn sort(part: &mut Vec<PackedEntry>, places: &mut Places) {
    let fronts = || part.iter().map(PackedEntry::front);
    let (Some(least), Some(most)) = (fronts().min(), fronts().max()) else { return };
    if part.len() < FEW || part.len() > 4 * PART || part.is_sorted() {
        return part.sort_unstable();
    }
    // Places for the highest bits in which the serials differ: for one to two entries each.
    let bits = part.len().ilog2();
    let shift = (u128::BITS - (most - least).leading_zeros()).saturating_sub(bits);
    let place = |entry: &PackedEntry| usize::try_from((entry.front() - least) >> shift).unwrap_or(usize::MAX);
    let Places { ends, dealt } = places;
    ends.clear();
    ends.resize(1 << bits, 0);
    for entry in part.iter() {
        if let Some(count) = ends.get_mut(place(entry)) {
            *count += 1;
        }
    }
    // With many in one place they are not spread evenly.
    if ends.iter().any(|count| *count as usize > FEW) {
        return part.sort_unstable();
    }
    let mut sum = 0;
    for end in ends.iter_mut() {
        sum += std::mem::replace(end, sum);
    }
    dealt.clear();
    dealt.resize(part.len(), PackedEntry::from_numbers([0; 2]));
    for entry in part.iter() {
        if let Some(next) = ends.get_mut(place(entry)) {
            if let Some(to) = dealt.get_mut(*next as usize) {
                *to = *entry;
            }
            *next += 1;
        }
    }
    std::mem::swap(part, dealt);
    // What is left is to change places with neighbours.
    for end in 1..part.len() {
        let mut at = end;
        while at > 0 && part.get(at) < part.get(at - 1) {
            part.swap(at, at - 1);
            at -= 1;
        }
    }
}

/// Entries in order.
#[derive(Debug)]
pub(super) struct InMemory {
    parts: std::vec::IntoIter<Vec<Vec<PackedEntry>>>,
    /// The part that is being given out, sorted.
    part: Vec<PackedEntry>,
    next: usize,
    places: Places,
    /// Pieces that were given out, where they are kept.
    emptied: Option<Vec<Vec<PackedEntry>>>,
}

impl InMemory {
    /// The memory of those that were given out.
    pub fn into_emptied(self) -> Vec<Vec<PackedEntry>> {
        self.emptied.unwrap_or_default()
    }
}

impl Iterator for InMemory {
    type Item = PackedEntry;

    fn next(&mut self) -> Option<PackedEntry> {
        loop {
            if let Some(entry) = self.part.get(self.next) {
                self.next += 1;
                return Some(*entry);
            }
            let pieces = self.parts.next()?;
            self.part.clear();
            for mut piece in pieces {
                self.part.append(&mut piece);
                if let Some(emptied) = self.emptied.as_mut().filter(|_| piece.capacity() >= PIECE) {
                    emptied.push(piece);
                }
            }
            sort(&mut self.part, &mut self.places);
            self.next = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::x509::{Revocation, SerialNumber, UnixTime};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_of_any_serials_are_sorted(
            serials in prop::collection::vec(any::<u64>(), 0..600),
            shift in 0..64u32,
            is_dense in any::<bool>(),
        ) {
            let revocation = Revocation { time: UnixTime::EPOCH, reason: None, invalidity: None };
            let of = |(n, serial): (usize, &u64)| if is_dense { n as u64 ^ 0x55 } else { serial >> shift };
            let entries = serials.iter().enumerate().map(of);
            let mut part: Vec<_> =
                entries.map(|serial| PackedEntry::new(SerialNumber::from(serial), &revocation)).collect();
            let mut expected = part.clone();
            expected.sort();
            sort(&mut part, &mut Places::default());
            prop_assert_eq!(part, expected);
        }
    }
}
