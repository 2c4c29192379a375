//! What RFC 5280 section 5 and the design say of CRLs, on plain maps: no store, no DER, no cleverness.
//!
//! Written from the documents and not from the code, so that the two can disagree. Each rule stands
//! below the clause that it comes from. Times are seconds since 1970.

use ocsprey::x509::CrlReason;
use std::collections::{BTreeMap, BTreeSet};

/// How far thisUpdate may be ahead of the clock.
pub const SKEW: i64 = 300;

/// A key generation of the CA, by age.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Generation {
    First,
    Second,
}

/// A distribution point that a CRL or an inventory names. No CRL of `Nowhere` ever comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Point {
    East,
    West,
    Nowhere,
}

/// Design 6: a CRL belongs to (issuer key, issuingDistributionPoint).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scope(pub Generation, pub Option<Point>);

/// Of the east both keys sign CRLs: the second may go on with those of the first.
pub const SCOPES: [Scope; 4] = [
    Scope(Generation::First, Some(Point::East)),
    Scope(Generation::First, Some(Point::West)),
    Scope(Generation::Second, None),
    Scope(Generation::Second, Some(Point::East)),
];

/// A serial number, by its place among those that are asked about.
pub type Serial = usize;

/// An entry of a CRL. No reason and `unspecified` are one thing (5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    pub date: i64,
    pub reason: Option<CrlReason>,
}

impl Entry {
    fn is_hold(self) -> bool {
        self.reason == Some(CrlReason::CertificateHold)
    }

    fn is_removal(self) -> bool {
        self.reason == Some(CrlReason::RemoveFromCrl)
    }
}

pub type Entries = BTreeMap<Serial, Entry>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crl {
    pub scope: Scope,
    pub number: u64,
    /// BaseCRLNumber: this is a delta CRL.
    pub base: Option<u64>,
    pub this_update: i64,
    pub next_update: i64,
    pub entries: Entries,
}

/// What becomes of a CRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Applied,
    Unchanged,
    Refused,
}

/// Which certificates were issued, and of which distribution point.
pub type Inventory = BTreeMap<Serial, Option<Point>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Good,
    Revoked(Entry),
    Unknown,
    TryLater,
}

/// An answer, and for how long at most: from the oldest thisUpdate to the nearest nextUpdate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub status: Status,
    pub window: Option<(i64, i64)>,
}

/// What is held of one scope.
#[derive(Debug, Clone)]
struct Held {
    full: Crl,
    delta: Option<Crl>,
    /// thisUpdate of the last delta CRL, also when it was overtaken: nothing goes back behind it.
    delta_time: i64,
    /// Every permanent revocation that a full CRL of this scope ever told of, and a delta CRL.
    kept_full: Entries,
    kept_delta: Entries,
}

/// How directly something is said; the first counts before the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Delta,
    Complete,
    History,
}

/// What one CRL says of a certificate, and from when to when.
#[derive(Debug, Clone, Copy)]
struct Told {
    entry: Entry,
    rank: Rank,
    window: (i64, i64),
}

impl Held {
    /// The number and time of the newest CRL, full or delta.
    fn newest(&self) -> (u64, i64) {
        let newest = self.delta.as_ref().unwrap_or(&self.full);
        (newest.number, newest.this_update)
    }

    /// What is said of a certificate once the CRLs of a newer key go on: F42, what is not permanent was released; trap
    /// 21, the rest is known as long as either full CRL is in force.
    fn told_before(&self, serial: Serial, next: &Self) -> Vec<Told> {
        let both = [&self.full, &next.full];
        let this_update = both.map(|full| full.this_update).into_iter().max().unwrap();
        let next_update = both.map(|full| full.next_update).into_iter().max().unwrap();
        let kept = [&self.kept_full, &self.kept_delta].into_iter().filter_map(|kept| kept.get(&serial));
        let window = (this_update, next_update);
        kept.map(|entry| Told { entry: *entry, rank: Rank::History, window }).collect()
    }

    /// What is said of a certificate: how directly, and for how long.
    fn told(&self, serial: Serial) -> Vec<Told> {
        let both = self.window();
        let own = (self.full.this_update, self.full.next_update);
        let of_delta = self.delta.as_ref().and_then(|delta| delta.entries.get(&serial));
        // 5.3.1: removeFromCRL lifts a hold, that of the complete CRL below it.
        let is_lifted = |entry: &Entry| entry.is_hold() && of_delta.is_some_and(|entry| entry.is_removal());
        let of_full = self.full.entries.get(&serial).filter(|entry| !is_lifted(entry));
        let of_delta = of_delta.filter(|entry| !entry.is_removal());
        // What cannot be undone needs no delta CRL beside it; a hold does. What an overtaken delta CRL
        // said lasts as long as the complete one.
        let full_window = |entry: &Entry| if entry.is_hold() { both } else { own };
        let kept_window = if self.delta.is_some() { both } else { own };
        let told = |entry: Option<&Entry>, rank, window: &dyn Fn(&Entry) -> (i64, i64)| {
            entry.map(|entry| Told { entry: *entry, rank, window: window(entry) })
        };
        // 6.3.3 (i), (j): the delta CRL is searched first, then the complete one; and last what only
        // earlier ones said: design 7, traps 21 and 27, permanent means permanent, whether the entry
        // leaves, is removed or is called a hold.
        let all = [
            told(of_delta, Rank::Delta, &|_| both),
            told(of_full, Rank::Complete, &full_window),
            told(self.kept_full.get(&serial), Rank::History, &|_| own),
            told(self.kept_delta.get(&serial), Rank::History, &|_| kept_window),
        ];
        all.into_iter().flatten().collect()
    }

    fn remember(&mut self) {
        let permanent = |crl: &Crl| -> Vec<(Serial, Entry)> {
            let entries = crl.entries.iter().map(|(serial, entry)| (*serial, *entry));
            entries.filter(|(_, entry)| !entry.is_hold() && !entry.is_removal()).collect()
        };
        self.kept_full.extend(permanent(&self.full));
        self.kept_delta.extend(self.delta.iter().flat_map(permanent));
    }

    /// F26: of a base and a delta the delta's times count, and neither may have run out.
    fn window(&self) -> (i64, i64) {
        let this_update = self.delta.as_ref().map_or(self.full.this_update, |delta| delta.this_update);
        let next = self.delta.iter().map(|delta| delta.next_update);
        (this_update, next.fold(self.full.next_update, i64::min))
    }

    /// Trap 38, RFC 6960 2.4: nothing is known from nextUpdate on.
    fn is_fresh(&self, now: i64) -> bool {
        now < self.window().1
    }
}

#[derive(Debug, Clone)]
pub struct Model {
    held: BTreeMap<Scope, Held>,
    pub inventory: Option<Inventory>,
}

impl Model {
    pub fn new(inventory: Option<Inventory>) -> Self {
        Self { held: BTreeMap::new(), inventory }
    }

    /// The full CRL of a scope.
    pub fn full(&self, scope: Scope) -> Option<&Crl> {
        self.held.get(&scope).map(|held| &held.full)
    }

    pub fn take(&mut self, crl: &Crl, now: i64) -> Verdict {
        // Trap 26: "thisUpdate in the future beyond the allowed skew: refused".
        if crl.this_update > now + SKEW {
            return Verdict::Refused;
        }
        if crl.base.is_some() {
            return self.take_delta(crl);
        }
        // 5.3.1: removeFromCRL "MUST only appear in delta CRLs" (F25).
        if crl.entries.values().any(|entry| entry.is_removal()) {
            return Verdict::Refused;
        }
        let Some(held) = self.held.get_mut(&crl.scope) else {
            let mut held = Held {
                full: crl.clone(),
                delta: None,
                delta_time: i64::MIN,
                kept_full: Entries::new(),
                kept_delta: Entries::new(),
            };
            held.remember();
            self.held.insert(crl.scope, held);
            return Verdict::Applied;
        };
        // Trap 26: "equal number and bytes: nothing to do".
        if held.full == *crl {
            return Verdict::Unchanged;
        }
        // 5.2.3: monotonically increasing, for a given scope and CRL issuer (F16, F17, F19); F20: a
        // higher number with an older thisUpdate is a rollback as well.
        if crl.number <= held.full.number || crl.this_update < held.full.this_update {
            return Verdict::Refused;
        }
        // F20, and 5.2.3: one sequence of numbers for complete and delta CRLs, so one of times.
        let overtakes = held.delta.as_ref().is_some_and(|delta| delta.number <= crl.number);
        if overtakes && crl.this_update < held.delta_time {
            return Verdict::Refused;
        }
        // F27: a new complete CRL supersedes older deltas. F29: of this scope only. Trap 26: also when
        // its nextUpdate passed, as history.
        held.delta = held.delta.take().filter(|delta| delta.number > crl.number);
        held.full = crl.clone();
        held.remember();
        Verdict::Applied
    }

    fn take_delta(&mut self, crl: &Crl) -> Verdict {
        // F21, F23: a delta without a base of its own scope and key is nothing.
        let Some(held) = self.held.get_mut(&crl.scope) else {
            return Verdict::Refused;
        };
        // Trap 26, as for full CRLs.
        if held.delta.as_ref() == Some(crl) {
            return Verdict::Unchanged;
        }
        // 5.2.4 (c): the base's number is at least BaseCRLNumber and lower than the delta's.
        let fits = crl.base.is_some_and(|base| held.full.number >= base) && held.full.number < crl.number;
        let newer = held.delta.as_ref().is_none_or(|delta| delta.number < crl.number);
        // 5.2.3, F20: one sequence of numbers for both, so one of times.
        let held_times = [held.full.this_update, held.delta_time];
        if !fits || !newer || held_times.iter().any(|held| crl.this_update < *held) {
            return Verdict::Refused;
        }
        held.delta_time = crl.this_update;
        held.delta = Some(crl.clone());
        held.remember();
        Verdict::Applied
    }

    /// The scope of the newer key that goes on with the CRLs of this one (5.2.3: a CRL issuer is a name, with one
    /// sequence of numbers for each scope): with a higher number, and no earlier.
    fn next(&self, scope: Scope) -> Option<Scope> {
        let next = Scope(Generation::Second, scope.1);
        let ((old, before), (new, after)) = (self.held.get(&scope)?.newest(), self.held.get(&next)?.newest());
        (scope.0 == Generation::First && new > old && after >= before).then_some(next)
    }

    /// What is said of a certificate by what is held of a scope.
    fn told(&self, scope: Scope, serial: Serial) -> Vec<Told> {
        let Some(held) = self.held.get(&scope) else { return Vec::new() };
        match self.next(scope).and_then(|next| self.held.get(&next)) {
            Some(next) => held.told_before(serial, next),
            None => held.told(serial),
        }
    }

    /// The CRLs that count for certificates of this key.
    fn of_key(&self, key: Generation) -> BTreeSet<Scope> {
        let held = |key| self.held.keys().copied().filter(move |scope: &Scope| scope.0 == key);
        let own: BTreeSet<_> = held(key).collect();
        let others = |scope: &Scope| match key {
            // F44: one name, two keys: both reach the same data; the CRLs of a key are those of its
            // certificates, unless it has signed none.
            _ if own.is_empty() => true,
            // A new key that signed one partition has not made the others vanish; one that signed everything has.
            Generation::Second => {
                let is_own = |point| own.contains(&Scope(key, point));
                scope.0 == Generation::First && !is_own(None) && !is_own(scope.1)
            }
            Generation::First => false,
        };
        let others = self.held.keys().copied().filter(others);
        own.iter().copied().chain(others).map(|scope| self.next(scope).unwrap_or(scope)).collect()
    }

    /// The scopes that may speak of a certificate of this key: `None` where one is missing.
    fn relevant(&self, serial: Serial, key: Generation) -> Option<BTreeSet<Scope>> {
        let own = self.of_key(key);
        // Design 6: "where the inventory names the scope of a serial, that one"; trap 28: "a full CRL
        // without IDP covers all", so it stands in.
        let hint = self.inventory.as_ref().and_then(|issued| issued.get(&serial).copied().flatten());
        let of = |point| own.iter().copied().filter(|scope| scope.1 == point).collect::<BTreeSet<_>>();
        let mut relevant = match hint {
            None => own,
            Some(point) => {
                let named = of(Some(point));
                if named.is_empty() { of(None) } else { named }
            }
        };
        // F30: nothing is known where a scope is missing.
        let whole = !relevant.is_empty();
        // Whoever lists a serial has something to say of it.
        let lists = |scope: &Scope| !self.told(*scope, serial).is_empty();
        relevant.extend(self.held.keys().copied().filter(lists));
        (whole || !relevant.is_empty()).then_some(relevant)
    }

    /// The right answers: more than one where several CRLs say equally much.
    pub fn ask(&self, serial: Serial, key: Generation, now: i64) -> Vec<Expected> {
        let try_later = vec![Expected { status: Status::TryLater, window: None }];
        let Some(scopes) = self.relevant(serial, key) else { return try_later };
        let held: Vec<&Held> = scopes.iter().filter_map(|scope| self.held.get(scope)).collect();
        // Revoked where a CRL that is in force says so (trap 38). Of several the permanent one counts,
        // then what is said most directly, then the first.
        let told = scopes.iter().flat_map(|scope| self.told(*scope, serial));
        let (fresh, stale): (Vec<_>, Vec<_>) = told.partition(|told| now < told.window.1);
        let weight = |told: &Told| (told.entry.is_hold(), told.rank, told.entry.date);
        if let Some(gravest) = fresh.iter().map(weight).min() {
            let same = fresh.iter().filter(|told| weight(told) == gravest);
            let answer =
                |told: &Told| Expected { status: Status::Revoked(told.entry), window: Some(told.window) };
            return same.map(answer).collect();
        }
        // What was revoked when last heard of is not good.
        if !stale.is_empty() {
            return try_later;
        }
        // Design 6, trap 29: good needs every scope that the serial may belong to, fresh.
        if !held.iter().all(|held| held.is_fresh(now)) {
            return try_later;
        }
        let windows = held.iter().map(|held| held.window());
        let window = windows.reduce(|(this, next), (a, b)| (this.min(a), next.min(b)));
        // Contract 3: with an inventory, what it does not list is unknown.
        let issued = self.inventory.as_ref().is_none_or(|issued| issued.contains_key(&serial));
        vec![Expected { status: if issued { Status::Good } else { Status::Unknown }, window }]
    }
}
