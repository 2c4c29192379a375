//! The memory cache: answers that were signed once and are asked for again (design: decisions 4 and 5).
//!
//! Called by [`super::Responder`] alone: [`AnswerCache::find`] before anything is decided, and
//! [`AnswerCache::keep`] with an answer that caches may share.
//!
//! **Which answer.** The key is what the answer repeats or depends on: the request's list, CertIDs as they
//! were asked, octet by octet, and which signatory answers it. The hash only says where to look; it is keyed
//! with secret octets of the process, so that nobody can aim at a place. When an answer ends is in [`kept`](super::kept).
//!
//! **Bounded.** Sets of [`WAYS`] places share out the configured octets. Each set keeps within its own share,
//! counted before an answer is put in, so that the sum never passes the limit, however many threads
//! put answers in; there is no list of all and no thread that tidies up.
//!
//! **Flood-proof.** While there is room, or an answer that has ended, everything that was signed is kept; what is
//! [`Cheap`](Worth::Cheap) to make again is kept when it is asked for again. An answer that
//! still counts gives way only to a request that was turned away before and came again: a
//! set remembers its last eight strangers. Who was asked for again since is passed over once. So random serial
//! numbers displace each other at most.
//!
//! **Concurrency.** One cache for all threads: cards are asked about once and again from another core, and a
//! cache a thread would divide the memory by the number of cores. A hit is one load of a pointer and one count; nobody waits. Two
//! threads that put into one set at once may displace one answer too many; that costs a signature. A tag
//! beside a pointer that another thread has just changed fails the comparison of the octets.

use super::kept::KeptAnswer;
use arc_swap::ArcSwapOption;
use std::array;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

/// Places of a set: one line of tags and one of pointers.
const WAYS: usize = 8;
/// Octets that a set keeps: about eight answers with an RSA-2048 signature, and all eight with a shorter one.
const SET_OCTETS: u32 = 7 << 10;
/// Octets beside request and answer: the entry, three allocations and what the allocator rounds up.
const ENTRY_OCTETS: usize = 320;
/// Strangers that a word remembers; a set has two words.
const SEEN: u32 = 4;

/// What an answer depends on, and where to look for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key<'a> {
    list: &'a [u8],
    signatory: usize,
    hash: u64,
}

/// What it costs to make an answer again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Worth {
    /// A signature.
    Dear,
    /// A look into the store, less than keeping costs.
    Cheap,
}

impl Key<'_> {
    /// The same number for the same request, as long as the process runs, and evenly spread.
    pub fn chance(&self) -> u32 {
        self.tag()
    }

    /// Where in a set to look first. Never 0, which stands for an empty place.
    #[expect(clippy::cast_possible_truncation, reason = "half of the hash")]
    fn tag(&self) -> u32 {
        self.hash as u32 | 1
    }

    fn is_of(&self, entry: &Entry) -> bool {
        entry.signatory == self.signatory && *entry.list == *self.list
    }
}

/// An answer with its key.
#[derive(Debug)]
struct Entry {
    list: Box<[u8]>,
    signatory: usize,
    answer: KeptAnswer,
    octets: u32,
    /// It was found since somebody last looked for a place.
    is_used: AtomicBool,
}

#[derive(Debug)]
#[repr(align(64))]
struct Set {
    tags: [AtomicU32; WAYS],
    /// Tags of the last strangers, 16 bits each, the latest lowest; even and odd ones apart.
    seen: [AtomicU64; 2],
    /// Of the entries, and of those about to be put in.
    octets: AtomicU32,
    entries: [ArcSwapOption<Entry>; WAYS],
}

/// What stands at a place.
enum Standing {
    Empty,
    /// It has ended, or it is what the newcomer replaces.
    Over,
    Used,
    Unused,
}

/// The cache. See the module's head.
#[derive(Debug)]
pub(super) struct AnswerCache {
    sets: Box<[Set]>,
    hashing: RandomState,
    /// Of all entries.
    octets: AtomicU64,
}

impl AnswerCache {
    /// Of `octets` at the most, its own places included. `None` when that is not enough for one set.
    pub fn new(octets: u64) -> Option<Self> {
        let count = usize::try_from(octets / (u64::from(SET_OCTETS) + size_of::<Set>() as u64)).ok()?;
        let sets: Box<[Set]> = std::iter::repeat_with(Set::new).take(count).collect();
        (count > 0).then(|| Self { sets, hashing: RandomState::new(), octets: AtomicU64::new(0) })
    }

    /// Octets of what is kept.
    pub fn octets(&self) -> u64 {
        self.octets.load(Ordering::Relaxed)
    }

    pub fn key<'a>(&self, list: &'a [u8], signatory: usize) -> Key<'a> {
        let mut hasher = self.hashing.build_hasher();
        hasher.write(list);
        hasher.write_usize(signatory);
        Key { list, signatory, hash: hasher.finish() }
    }

    /// What `read` makes of the answer for `key`; `None` when there is none that it takes.
    pub fn find<R>(&self, key: &Key<'_>, read: impl Fn(&KeptAnswer) -> Option<R>) -> Option<R> {
        let set = self.set(key)?;
        let tag = key.tag();
        for (known, entry) in set.tags.iter().zip(&set.entries) {
            if known.load(Ordering::Relaxed) != tag {
                continue;
            }
            let entry = entry.load();
            if let Some(entry) = entry.as_deref()
                && key.is_of(entry)
                && let Some(found) = read(&entry.answer)
            {
                // Written once and not every time: the line stays with all cores that read it.
                if !entry.is_used.load(Ordering::Relaxed) {
                    entry.is_used.store(true, Ordering::Relaxed);
                }
                return Some(found);
            }
        }
        None
    }

    /// Keeps what `answer` makes, if there is room or the request came before. `counts` says whether an answer still does.
    pub fn keep(
        &self,
        key: &Key<'_>,
        kept_octets: usize,
        worth: Worth,
        counts: impl Fn(&KeptAnswer) -> bool,
        answer: impl FnOnce() -> KeptAnswer,
    ) {
        let Some(set) = self.set(key) else { return };
        let Ok(octets) = u32::try_from(ENTRY_OCTETS + key.list.len() + kept_octets) else { return };
        if octets > SET_OCTETS / 2 {
            return;
        }
        if worth == Worth::Cheap && !set.has_seen(key.tag()) {
            return;
        }
        let Some((place, came_before)) = self.make_room(set, key, octets, counts) else { return };
        let entry = Entry {
            list: key.list.into(),
            signatory: key.signatory,
            answer: answer(),
            octets,
            // Else the next newcomer would take the place of this one, who has proved as much.
            is_used: AtomicBool::new(came_before),
        };
        self.octets.fetch_add(u64::from(octets), Ordering::Relaxed);
        self.put(set, place, Some(entry));
        if let Some(tag) = set.tags.get(place) {
            tag.store(key.tag(), Ordering::Release);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "less than a usize was multiplied")]
    fn set(&self, key: &Key<'_>) -> Option<&Set> {
        // The high bits choose the set, the low ones the tag.
        let at = (u128::from(key.hash) * self.sets.len() as u128) >> 64;
        self.sets.get(at as usize)
    }

    /// A place for `octets`, which are counted as taken then, and whether the request is known to have come
    /// before; `None` when what is there has the better right.
    fn make_room(
        &self,
        set: &Set,
        key: &Key<'_>,
        octets: u32,
        counts: impl Fn(&KeptAnswer) -> bool,
    ) -> Option<(usize, bool)> {
        // Whether the others still count is not asked while there is room: each is a few lines of memory away.
        if let Some(place) = set.vacant(key.tag())
            && set.reserve(octets)
        {
            return Some((place, false));
        }
        let mut standings = array::from_fn::<_, WAYS, _>(|place| set.standing(place, key, &counts));
        for (place, standing) in standings.iter_mut().enumerate() {
            if matches!(standing, Standing::Over) {
                self.put(set, place, None);
                *standing = Standing::Empty;
            }
        }
        let empty = |standings: &[Standing]| standings.iter().position(|one| matches!(one, Standing::Empty));
        if let Some(place) = empty(&standings)
            && set.reserve(octets)
        {
            return Some((place, false));
        }
        if !set.has_seen(key.tag()) {
            return None;
        }
        // Twice round from a place that differs from key to key: those found since keep theirs the first time.
        let start = usize::from(key.hash.to_le_bytes()[1]);
        for step in 0..2 * WAYS {
            let place = (start + step) % WAYS;
            let standing = standings.get_mut(place)?;
            match standing {
                Standing::Used => {
                    *standing = Standing::Unused;
                    set.unuse(place);
                    continue;
                }
                Standing::Unused => {
                    self.put(set, place, None);
                    *standing = Standing::Empty;
                }
                Standing::Empty | Standing::Over => {}
            }
            if let Some(place) = empty(&standings)
                && set.reserve(octets)
            {
                return Some((place, true));
            }
        }
        None
    }

    /// Puts `entry` at a place, and counts out what stood there.
    fn put(&self, set: &Set, place: usize, entry: Option<Entry>) {
        let Some(slot) = set.entries.get(place) else { return };
        if let (None, Some(tag)) = (&entry, set.tags.get(place)) {
            tag.store(0, Ordering::Relaxed);
        }
        if let Some(old) = slot.swap(entry.map(Arc::new)) {
            set.octets.fetch_sub(old.octets, Ordering::Relaxed);
            self.octets.fetch_sub(u64::from(old.octets), Ordering::Relaxed);
        }
    }
}

impl Set {
    fn new() -> Self {
        Self {
            tags: array::from_fn(|_| AtomicU32::new(0)),
            seen: array::from_fn(|_| AtomicU64::new(0)),
            octets: AtomicU32::new(0),
            entries: array::from_fn(|_| ArcSwapOption::empty()),
        }
    }

    /// An empty place, unless `tag` stands at another: that may be what the newcomer replaces.
    fn vacant(&self, tag: u32) -> Option<usize> {
        let tags = self.tags.each_ref().map(|tag| tag.load(Ordering::Relaxed));
        if tags.contains(&tag) { None } else { tags.iter().position(|tag| *tag == 0) }
    }

    fn standing(&self, place: usize, key: &Key<'_>, counts: impl Fn(&KeptAnswer) -> bool) -> Standing {
        let Some(slot) = self.entries.get(place) else { return Standing::Used };
        match slot.load().as_deref() {
            None => Standing::Empty,
            Some(entry) if key.is_of(entry) || !counts(&entry.answer) => Standing::Over,
            Some(entry) if entry.is_used.load(Ordering::Relaxed) => Standing::Used,
            Some(_) => Standing::Unused,
        }
    }

    fn unuse(&self, place: usize) {
        if let Some(slot) = self.entries.get(place)
            && let Some(entry) = slot.load().as_deref()
        {
            entry.is_used.store(false, Ordering::Relaxed);
        }
    }

    /// Takes `octets` of the set's share, or nothing where that is too much.
    fn reserve(&self, octets: u32) -> bool {
        let taken = self.octets.fetch_add(octets, Ordering::Relaxed);
        let fits = taken.checked_add(octets).is_some_and(|sum| sum <= SET_OCTETS);
        if !fits {
            self.octets.fetch_sub(octets, Ordering::Relaxed);
        }
        fits
    }

    /// Whether a stranger with this tag was here lately. It is remembered from now on.
    fn has_seen(&self, tag: u32) -> bool {
        let tag = u64::from(tag >> 16);
        let [even, odd] = &self.seen;
        let word = if tag % 2 == 0 { even } else { odd };
        let seen = word.load(Ordering::Relaxed);
        if (0..SEEN).any(|at| seen >> (16 * at) & 0xffff == tag) {
            return true;
        }
        // Two at once may forget one of them: it comes again.
        word.store(seen << 16 | tag, Ordering::Relaxed);
        false
    }
}
