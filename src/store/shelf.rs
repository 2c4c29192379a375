//! Rows at hand: what is looked up most, in memory, found in a fraction of the time that RocksDB takes.
//!
//! A look-up in RocksDB's block cache goes through some twenty places of memory: a table of files, two levels of
//! an index, the cache's own table twice, a block. With ten million cards none of them but the first is in a
//! cache of the processor. Here it is six. A *page* has all rows whose serial numbers begin alike, up to 256 of
//! them; a tree that parts serial numbers by four bits at each step leads to it. Whoever misses a page reads it from
//! RocksDB, in one short walk, and hangs it up.
//!
//! It is an accelerator and no more: a row that is found here is *believed by its reader only* (see
//! [`super::at_hand`]), and what is not found here is looked for in RocksDB. So nothing has to be taken away from here
//! before something is committed there.
//!
//! Pages have a budget. Once it is spent, those of the kind that weighs most give way: to any page of a kind that has less
//! than its share (a page of revocations serves some thousand cards, one of answers 150), and to one miss in [`RARELY`] of
//! the others. Which go is drawn: what is asked again is in the cache of answers, and of cards that are asked once
//! none is likelier than another. Steps of the tree stay: some 400 octets for 150 rows or more.
//!
//! Concurrency: readers take no lock. A page hangs by an atomic pointer, a step is set once. Two who miss the
//! same page both read it, and one of the two stays.

mod page;

pub use page::Rows;

use super::db::{Family, prefix_end};
use super::format::RowKey;
use crate::x509::SerialNumber;
use arc_swap::ArcSwapOption;
use page::Page;
use std::array::from_fn;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Once the budget is spent: a page takes some thirty times as long to read as a row.
const RARELY: u64 = 256;
/// Of look-ups that find no page, or one that is too old, and that RocksDB's memory might answer: how often somebody is sent
/// to read the page all the same. After a commit that may concern any serial number, or with a slow disk, most are
/// answered at once.
const NOW_AND_THEN: u64 = 8;
/// Places of trees: for some 80 issuers and as many series. Numbers of series are used up by new signers, some 50 a year; a
/// restart begins anew. Who finds no place goes without.
const TREES: usize = 256;
/// How many places are looked at for a tree.
const NEIGHBOURS: usize = 8;
/// Revocations, inventories, answers.
const KINDS: usize = 3;
/// The share of the budget below which a kind gets any page at once. Less than what each has when all three want more: else
/// each would go on taking from the others.
const SHARES: usize = 4;
/// What has to be free for another page to come in without another's going.
const ROOM: usize = 64 << 10;

/// Pages of rows, in memory.
#[derive(Debug)]
pub struct Shelf {
    budget: usize,
    page_rows: usize,
    /// What the pages of each kind weigh.
    pages: [AtomicUsize; KINDS],
    /// What the steps weigh, which stay.
    steps: AtomicUsize,
    trees: Box<[OnceLock<Tree>]>,
    /// Counts misses, and draws which pages go.
    dice: AtomicU64,
}

/// What the shelf knows of a row.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// It has the page, and this was read off it.
    Page(T),
    /// It does not have the page, and would take it.
    NoPage,
    /// No page of it can have the row.
    Nowhere,
}

/// Of one number: an issuer's inventory, or a series of answers.
#[derive(Debug)]
struct Tree {
    family: Family,
    number: u32,
    root: Step,
}

/// Serial numbers that begin alike, parted by their next four bits.
#[derive(Debug)]
struct Step {
    slots: [Slot; 16],
}

/// What follows: a further step, or else, perhaps, a page.
#[derive(Debug)]
struct Slot {
    step: OnceLock<Box<Step>>,
    page: ArcSwapOption<Page>,
}

/// Where a row is to be looked for.
enum Place<'a> {
    Slot(&'a Slot),
    /// Nobody has looked for any of its kind yet.
    NoTree,
    /// It ends where others go on, or there are too many trees.
    None,
}

/// Keys from `from` up to and without `to`.
#[derive(Debug, PartialEq, Eq)]
pub struct Range {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
}

impl Shelf {
    /// With pages of `page_rows` at the most, which weigh `budget` at the most.
    pub fn new(budget: usize, page_rows: usize) -> Self {
        Self {
            budget,
            page_rows,
            pages: from_fn(|_| AtomicUsize::new(0)),
            steps: AtomicUsize::new(0),
            trees: std::iter::repeat_with(OnceLock::new).take(TREES).collect(),
            dice: AtomicU64::new(0),
        }
    }

    /// Gives the stamp of the page of a row, and the row's value, if it has that row, to `read`.
    pub fn find<T>(
        &self,
        family: Family,
        number: u32,
        serial_number: &SerialNumber,
        read: impl FnOnce(u64, Option<&[u8]>) -> T,
    ) -> Found<T> {
        let octets = serial_number.as_bytes();
        let slot = match self.place(family, number, octets) {
            Place::Slot(slot) => slot,
            Place::NoTree => return Found::NoPage,
            Place::None => return Found::Nowhere,
        };
        let page = slot.page.load();
        page.as_deref().map_or(Found::NoPage, |page| Found::Page(read(page.stamp, page.find(octets))))
    }

    /// Whether a page may come in at once: there is room, or those of its kind have less than their share.
    pub fn has_room(&self, family: Family) -> bool {
        let pages = self.pages.get(kind(family)).map_or(usize::MAX, |octets| octets.load(Ordering::Relaxed));
        let is_free = self.octets().saturating_add(ROOM) <= self.budget;
        (is_free || pages.saturating_add(ROOM) <= self.budget / SHARES) && !self.has_too_many_steps()
    }

    /// They take a fiftieth, but in an inventory that was made for taking more.
    fn has_too_many_steps(&self) -> bool {
        self.steps.load(Ordering::Relaxed) > self.budget / 4
    }

    /// Whether whoever misses a page now is to read it.
    pub fn wants_page(&self, family: Family) -> bool {
        self.has_room(family) || self.budget > ROOM && self.throw().is_multiple_of(RARELY)
    }

    /// What all of it weighs.
    pub fn octets(&self) -> usize {
        let pages = self.pages.iter().map(|octets| octets.load(Ordering::Relaxed));
        pages.fold(self.steps.load(Ordering::Relaxed), usize::saturating_add)
    }

    /// Whether who might be answered otherwise is to read a page now.
    pub fn sends_somebody(&self) -> bool {
        self.throw().is_multiple_of(NOW_AND_THEN)
    }

    /// Hangs up the page on which a row is, or would be. `read` adds all rows of a range, until one does not
    /// fit, and says whether all did.
    pub fn put<E>(
        &self,
        (family, number): (Family, u32),
        serial_number: &SerialNumber,
        stamp: u64,
        mut read: impl FnMut(&Range, &mut Rows) -> Result<bool, E>,
    ) -> Result<(), E> {
        let octets = serial_number.as_bytes();
        let Some(mut step) = self.make_tree(family, number) else { return Ok(()) };
        let mut rows = Rows::new(self.page_rows);
        for depth in 0.. {
            // A serial number that ends where others go on has no page.
            let Some(slot) = step.slot(octets, depth) else { break };
            if let Some(next) = slot.step.get() {
                step = next;
                continue;
            }
            // Somebody with a later view was here.
            if slot.page.load().as_ref().is_some_and(|page| page.stamp > stamp) {
                break;
            }
            rows.clear();
            if read(&Range::of(number, octets, depth), &mut rows)? {
                self.hang(family, slot, Some(Page::new(stamp, &rows)));
                break;
            }
            if self.has_too_many_steps() {
                break;
            }
            if slot.step.set(Box::default()).is_ok() {
                self.steps.fetch_add(size_of::<Step>(), Ordering::Relaxed);
            }
            // After the step is there: see `hang`.
            self.hang(family, slot, None);
            let Some(next) = slot.step.get() else { break };
            step = next;
        }
        Ok(())
    }

    /// Takes down the page on which a row is.
    pub fn take_down(&self, family: Family, number: u32, serial_number: &SerialNumber) {
        if let Place::Slot(slot) = self.place(family, number, serial_number.as_bytes()) {
            self.hang(family, slot, None);
        }
    }

    /// Takes down all pages that may have rows from `from` on and before `to`, places between serial numbers.
    pub fn take_down_between(&self, family: Family, number: u32, from: &[u8], to: &[u8]) {
        let mut trees = self.places(family, number).map_while(OnceLock::get);
        if let Some(tree) = trees.find(|tree| tree.is_of(family, number)) {
            let bits =
                |octets: &[u8]| octets.iter().flat_map(|octet| [octet >> 4, octet & 0xf]).collect::<Vec<_>>();
            self.take_down_of(family, &tree.root, &mut Vec::new(), (&bits(from), &bits(to)));
        }
    }

    /// The same of a step, to which `path` leads; all in groups of four bits.
    fn take_down_of(&self, family: Family, step: &Step, path: &mut Vec<u8>, (from, to): (&[u8], &[u8])) {
        for (bits, slot) in (0..16).zip(&step.slots) {
            path.push(bits);
            // What begins so is neither all before the one nor all behind the other.
            if path.as_slice() >= from.get(..path.len()).unwrap_or(from)
                && path.as_slice() <= to.get(..path.len()).unwrap_or(to)
            {
                match slot.step.get() {
                    Some(next) => self.take_down_of(family, next, path, (from, to)),
                    None => self.hang(family, slot, None),
                }
            }
            path.pop();
        }
    }

    /// Where the page of a row is, or would be.
    fn place(&self, family: Family, number: u32, serial_number: &[u8]) -> Place<'_> {
        for place in self.places(family, number) {
            match place.get() {
                Some(tree) if tree.is_of(family, number) => return tree.root.place(serial_number),
                Some(_) => {}
                None => return Place::NoTree,
            }
        }
        Place::None
    }

    /// Where a tree may stand.
    fn places(&self, family: Family, number: u32) -> impl Iterator<Item = &OnceLock<Tree>> {
        let start = (number as usize).wrapping_mul(KINDS).wrapping_add(kind(family));
        (0..NEIGHBOURS).filter_map(move |next| self.trees.get(start.wrapping_add(next) % TREES))
    }

    fn make_tree(&self, family: Family, number: u32) -> Option<&Step> {
        for place in self.places(family, number) {
            let tree = place.get_or_init(|| Tree { family, number, root: Step::default() });
            if tree.is_of(family, number) {
                return Some(&tree.root);
            }
        }
        None
    }

    /// Puts a page, or none, in the place of what hangs there.
    fn hang(&self, family: Family, slot: &Slot, page: Option<Page>) {
        let Some(octets) = self.pages.get(kind(family)) else { return };
        let weight = page.as_ref().map_or(0, Page::weight);
        let forget = |page: Option<Arc<Page>>| {
            if let Some(page) = page {
                octets.fetch_sub(page.weight(), Ordering::Relaxed);
            }
        };
        // However the dice fell.
        let page = page.filter(|_| self.make_room(weight));
        let weight = if page.is_some() { weight } else { 0 };
        octets.fetch_add(weight, Ordering::Relaxed);
        forget(slot.page.swap(page.map(Arc::new)));
        // Somebody parted it meanwhile: nobody would find the page, or take it down.
        if weight > 0 && slot.step.get().is_some() {
            forget(slot.page.swap(None));
        }
    }

    /// Whether there is room, which it makes.
    fn make_room(&self, weight: usize) -> bool {
        for _ in 0..64 {
            if self.octets().saturating_add(weight) <= self.budget {
                return true;
            }
            self.take_any_down();
        }
        false
    }

    /// Goes up a tree at random, of the kind whose pages weigh most, and takes down what it comes to.
    fn take_any_down(&self) {
        let mut dice = self.throw();
        let mut roll = |most: u64| {
            dice = mix(dice);
            usize::try_from(dice % most).unwrap_or(0)
        };
        let weights = self.pages.iter().map(|octets| octets.load(Ordering::Relaxed));
        let Some((heaviest, _)) = weights.enumerate().max_by_key(|(_, weight)| *weight) else { return };
        let start = roll(TREES as u64);
        let mut trees = (start..start + TREES).filter_map(|place| self.trees.get(place % TREES)?.get());
        let Some(tree) = trees.find(|tree| kind(tree.family) == heaviest) else { return };
        let mut step = Some(&tree.root);
        while let Some(slots) = step.map(|step| &step.slots) {
            let start = roll(16);
            let mut places = (start..start + 16).filter_map(|place| slots.get(place % 16));
            let Some(slot) = places.find(|slot| slot.step.get().is_some() || slot.page.load().is_some())
            else {
                return;
            };
            step = slot.step.get().map(|next| &**next);
            if step.is_none() {
                self.hang(tree.family, slot, None);
            }
        }
    }

    fn throw(&self) -> u64 {
        self.dice.fetch_add(1, Ordering::Relaxed)
    }
}

impl Tree {
    fn is_of(&self, family: Family, number: u32) -> bool {
        self.number == number && self.family == family
    }
}

impl Default for Step {
    fn default() -> Self {
        Self { slots: from_fn(|_| Slot { step: OnceLock::new(), page: ArcSwapOption::empty() }) }
    }
}

impl Step {
    fn place(&self, serial_number: &[u8]) -> Place<'_> {
        let mut step = self;
        for depth in 0.. {
            let Some(slot) = step.slot(serial_number, depth) else { break };
            match slot.step.get() {
                Some(next) => step = next,
                None => return Place::Slot(slot),
            }
        }
        Place::None
    }

    fn slot(&self, serial_number: &[u8], depth: usize) -> Option<&Slot> {
        let octet = serial_number.get(depth / 2)?;
        self.slots.get(usize::from(if depth.is_multiple_of(2) { octet >> 4 } else { octet & 0xf }))
    }
}

impl Range {
    /// The keys of `number` that begin as `serial_number` does, with one more group of four bits than `depth`.
    fn of(number: u32, serial_number: &[u8], depth: usize) -> Self {
        let mut from = number.to_be_bytes().to_vec();
        from.extend_from_slice(serial_number.get(..=depth / 2).unwrap_or(serial_number));
        let mut last = from.clone();
        if depth.is_multiple_of(2)
            && let (Some(first), Some(last)) = (from.last_mut(), last.last_mut())
        {
            // Of the last octet four bits only: from all others 0 to all others 1.
            *first &= 0xf0;
            *last |= 0x0f;
        }
        // Nothing follows the very last number.
        let to = prefix_end(&last).unwrap_or_else(|| vec![0xff; RowKey::LONGEST + 1]);
        Self { from, to }
    }
}

/// Where the weight of a family's pages is counted.
fn kind(family: Family) -> usize {
    match family {
        Family::Status => 0,
        Family::Inventory => 1,
        _ => 2,
    }
}

fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number ^ number >> 27
}

#[cfg(test)]
mod tests;
