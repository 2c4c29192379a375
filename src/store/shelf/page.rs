//! Pages of a [`Shelf`](super::Shelf): rows with neighbouring serial numbers, each found by one look into a table.

/// Octets of its rows, at the most; a row is let in while there are fewer.
const MOST_OCTETS: usize = 128 << 10;
/// A place in the table that leads nowhere.
const NOWHERE: u32 = u32::MAX;
/// The bits of a place that say where the row is; the others are of its hash. No row begins at the last of them, so that
/// none is taken for [`NOWHERE`].
const OFFSET: u32 = (1 << 20) - 1;

/// Rows on their way into a page.
#[derive(Debug)]
pub struct Rows {
    most: usize,
    /// Each row: octets of its serial number u8, of its value u16, both.
    octets: Vec<u8>,
    /// Hash and offset of each.
    places: Vec<(Hash, u32)>,
}

impl Rows {
    pub fn new(most: usize) -> Self {
        Self { most, octets: Vec::new(), places: Vec::new() }
    }

    pub fn clear(&mut self) {
        self.octets.clear();
        self.places.clear();
    }

    /// Adds a row; `false`, and nothing added, where there are too many for a page.
    #[must_use]
    pub fn add(&mut self, serial_number: &[u8], value: &[u8]) -> bool {
        let (Ok(length), Ok(value_length), Ok(offset)) =
            (u8::try_from(serial_number.len()), u16::try_from(value.len()), u32::try_from(self.octets.len()))
        else {
            return false;
        };
        if self.places.len() >= self.most || self.octets.len() >= MOST_OCTETS {
            return false;
        }
        self.octets.push(length);
        self.octets.extend_from_slice(&value_length.to_le_bytes());
        self.octets.extend_from_slice(serial_number);
        self.octets.extend_from_slice(value);
        self.places.push((hash(serial_number), offset));
        true
    }
}

/// Some rows, and nothing that changes.
#[derive(Debug)]
pub struct Page {
    /// What its rows were read at, in the words of whoever reads them.
    pub stamp: u64,
    /// Places in the table, less one: they are a power of two.
    mask: u32,
    /// The table, a u32 for each place, then the rows.
    octets: Box<[u8]>,
}

impl Page {
    pub fn new(stamp: u64, rows: &Rows) -> Self {
        // Two thirds full at the most.
        let places = (rows.places.len() * 3 / 2 + 1).next_power_of_two();
        let mask = u32::try_from(places - 1).unwrap_or(0);
        let mut table = vec![NOWHERE; places];
        for (hash, offset) in &rows.places {
            let mut index = hash.index;
            while let Some(place) = table.get_mut((index & mask) as usize) {
                if *place == NOWHERE {
                    *place = hash.tag() | offset;
                    break;
                }
                index = index.wrapping_add(1);
            }
        }
        let mut octets = Vec::with_capacity(places * 4 + rows.octets.len());
        octets.extend(table.into_iter().flat_map(u32::to_le_bytes));
        octets.extend_from_slice(&rows.octets);
        Self { stamp, mask, octets: octets.into_boxed_slice() }
    }

    /// The value of a serial number's row.
    pub fn find(&self, serial_number: &[u8]) -> Option<&[u8]> {
        let hash = hash(serial_number);
        let (table, rows) = self.octets.split_at_checked((self.mask as usize + 1) * 4)?;
        let mut index = hash.index;
        // The table has a place that leads nowhere, so that this ends.
        loop {
            let (place, _) = table.get((index & self.mask) as usize * 4..)?.split_first_chunk::<4>()?;
            let place = u32::from_le_bytes(*place);
            if place == NOWHERE {
                return None;
            }
            if place & !OFFSET == hash.tag() {
                let ([length, low, high], row) =
                    rows.get((place & OFFSET) as usize..)?.split_first_chunk::<3>()?;
                let (found, row) = row.split_at_checked(usize::from(*length))?;
                if found == serial_number {
                    return row.get(..usize::from(u16::from_le_bytes([*low, *high])));
                }
            }
            index = index.wrapping_add(1);
        }
    }

    /// What it takes of the memory.
    pub fn weight(&self) -> usize {
        // With the count of those who hold it, and what the allocator rounds up.
        self.octets.len() + self.octets.len() / 16 + 48
    }
}

/// Where to begin in a table, and what is compared before the row is.
#[derive(Debug, Clone, Copy)]
struct Hash {
    index: u32,
    mark: u32,
}

impl Hash {
    /// The bits that stand beside an offset.
    fn tag(self) -> u32 {
        self.mark & !OFFSET
    }
}

/// Serial numbers are drawn at random or counted: both ends of them are looked at.
fn hash(serial_number: &[u8]) -> Hash {
    let word = |octets: &[u8]| octets.iter().fold(0, |word, octet| word << 8 | u64::from(*octet));
    let (head, tail) = serial_number.split_at(serial_number.len().saturating_sub(8));
    let head = head.last_chunk::<8>().map_or_else(|| word(head), |head| u64::from_be_bytes(*head));
    let tail = tail.first_chunk::<8>().map_or_else(|| word(tail), |tail| u64::from_be_bytes(*tail));
    let mixed = (head.wrapping_mul(0xff51_afd7_ed55_8ccd) ^ tail).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let [a, b, c, d, e, f, g, h] = (mixed ^ mixed >> 32).to_be_bytes();
    Hash { index: u32::from_be_bytes([e, f, g, h]), mark: u32::from_be_bytes([a, b, c, d]) }
}
