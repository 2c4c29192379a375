//! The entries that [`super::sort`] holds in memory, and how they come into order.
//!
//! Entries are kept in pieces, so that no list is ever copied to grow. Brought into order they are dealt
//! out to parts of some ten thousand, which a processor's second cache holds; a part is sorted when its turn
//! comes, and its memory is free again when the next one's has come.

use super::sort::Entry;

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
    pieces: Vec<Vec<Entry>>,
    /// The one that is being filled.
    open: Vec<Entry>,
    last: Option<Entry>,
    /// Whether they came in order.
    is_sorted: bool,
}

impl Default for Entries {
    fn default() -> Self {
        Self { len: 0, pieces: Vec::new(), open: Vec::new(), last: None, is_sorted: true }
    }
}

impl Entries {
    pub fn push(&mut self, entry: Entry) {
        self.is_sorted &= self.last.is_none_or(|last| last <= entry);
        self.last = Some(entry);
        self.len += 1;
        put(&mut self.pieces, &mut self.open, &mut Vec::new(), entry);
    }

    /// All of them, in order.
    pub fn sorted(mut self) -> InMemory {
        self.pieces.push(std::mem::take(&mut self.open));
        let parts = if self.is_sorted {
            // A piece is a part then, and sorting finds it sorted.
            self.pieces.into_iter().map(|piece| vec![piece]).collect()
        } else {
            deal(self.pieces, self.len)
        };
        InMemory { parts: parts.into_iter(), part: Vec::new(), next: 0 }
    }
}

/// Adds `entry` to `open`, which becomes one of `pieces` when it is full; one of `spare` takes its place.
fn put(pieces: &mut Vec<Vec<Entry>>, open: &mut Vec<Entry>, spare: &mut Vec<Vec<Entry>>, entry: Entry) {
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

/// Deals the entries out to parts that follow one another.
fn deal(pieces: Vec<Vec<Entry>>, len: usize) -> Vec<Vec<Vec<Entry>>> {
    let count = (len / PART).next_power_of_two().min(MAX_PARTS);
    if count == 1 {
        return vec![pieces];
    }
    let step = (len / (count * SAMPLES)).max(1);
    let mut sample: Vec<u128> = pieces.iter().flatten().step_by(step).map(|entry| entry.front).collect();
    sample.sort_unstable();
    // Part n begins at this number; there is none for the first one. Behind the last: never.
    let mut begins = [u128::MAX; MAX_PARTS];
    for (n, begin) in begins.iter_mut().enumerate().take(count - 1) {
        *begin = sample.get((n + 1) * sample.len() / count).copied().unwrap_or(u128::MAX);
    }
    let mut parts: Vec<(Vec<Vec<Entry>>, Vec<Entry>)> = vec![Default::default(); count];
    // Pieces that are dealt out are filled again: the entries are in memory once.
    let mut spare = Vec::new();
    for mut piece in pieces {
        for entry in piece.drain(..) {
            // The number of parts that begin at or before it, found in halves and without a jump that the
            // processor would have to guess.
            let (mut part, mut half) = (0, count / 2);
            while half > 0 {
                let is_behind = begins.get(part + half - 1).is_some_and(|begin| *begin <= entry.front);
                part += if is_behind { half } else { 0 };
                half /= 2;
            }
            if let Some((pieces, open)) = parts.get_mut(part) {
                put(pieces, open, &mut spare, entry);
            }
        }
        spare.push(piece);
    }
    let close = |(mut pieces, open): (Vec<Vec<Entry>>, Vec<Entry>)| {
        pieces.push(open);
        pieces
    };
    parts.into_iter().map(close).collect()
}

/// Entries in order.
#[derive(Debug)]
pub(super) struct InMemory {
    parts: std::vec::IntoIter<Vec<Vec<Entry>>>,
    /// The part that is being given out, sorted.
    part: Vec<Entry>,
    next: usize,
}

impl Iterator for InMemory {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            if let Some(entry) = self.part.get(self.next) {
                self.next += 1;
                return Some(*entry);
            }
            let pieces = self.parts.next()?;
            self.part.clear();
            for piece in pieces {
                self.part.extend_from_slice(&piece);
            }
            self.part.sort_unstable();
            self.next = 0;
        }
    }
}
