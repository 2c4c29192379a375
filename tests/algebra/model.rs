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

pub const SCOPES: [Scope; 3] = [
    Scope(Generation::First, Some(Point::East)),
    Scope(Generation::First, Some(Point::West)),
    Scope(Generation::Second, None),
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
    /// Every permanent revocation that this scope ever told of.
    permanent: Entries,
}

impl Held {
    /// What the full CRL and the delta CRL together say.
    fn listed(&self) -> Entries {
        let mut listed = self.full.entries.clone();
        // 5.2.4: "the combination of a delta CRL plus an appropriate complete CRL"; F24: the delta is
        // cumulative from its base, so nothing of an earlier delta is left.
        for (serial, entry) in self.delta.iter().flat_map(|delta| &delta.entries) {
            if entry.is_removal() {
                listed.remove(serial);
            } else {
                listed.insert(*serial, *entry);
            }
        }
        listed
    }

    /// What is said of a certificate.
    fn entry(&self, serial: Serial) -> Option<Entry> {
        match (self.listed().get(&serial), self.permanent.get(&serial)) {
            // Design 7, traps 21 and 27: permanent means permanent, whether the entry leaves, is
            // removed or is called a hold.
            (_, Some(permanent)) => Some(*permanent),
            (listed, None) => listed.copied(),
        }
    }

    fn remember(&mut self) {
        self.permanent.extend(self.listed().into_iter().filter(|(_, entry)| !entry.is_hold()));
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
            let mut held = Held { full: crl.clone(), delta: None, permanent: Entries::new() };
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
        if !fits || !newer || crl.this_update < held.window().0 {
            return Verdict::Refused;
        }
        held.delta = Some(crl.clone());
        held.remember();
        Verdict::Applied
    }

    /// The scopes that may speak of a certificate of this key: `None` where one is missing.
    fn relevant(&self, serial: Serial, key: Generation) -> Option<BTreeSet<Scope>> {
        // F44: one name, two keys: both reach the same data; the CRLs of a key are those of its
        // certificates, unless it has signed none.
        let own: BTreeSet<_> = self.held.keys().copied().filter(|scope| scope.0 == key).collect();
        let own = if own.is_empty() { self.held.keys().copied().collect() } else { own };
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
        let lists = |held: &Held| held.entry(serial).is_some();
        relevant.extend(self.held.iter().filter(|(_, held)| lists(held)).map(|(scope, _)| *scope));
        (whole || !relevant.is_empty()).then_some(relevant)
    }

    pub fn ask(&self, serial: Serial, key: Generation, now: i64) -> Expected {
        let try_later = Expected { status: Status::TryLater, window: None };
        let Some(scopes) = self.relevant(serial, key) else { return try_later };
        let held: Vec<&Held> = scopes.iter().filter_map(|scope| self.held.get(scope)).collect();
        // Revoked where a CRL that is in force says so. Of several the permanent one counts, and of
        // several of those the first.
        let fresh = held.iter().filter(|held| held.is_fresh(now));
        let told = fresh.filter_map(|held| Some((held.entry(serial)?, held.window())));
        if let Some((entry, window)) = told.min_by_key(|(entry, _)| (entry.is_hold(), entry.date)) {
            return Expected { status: Status::Revoked(entry), window: Some(window) };
        }
        // Design 6, trap 29: good needs every scope that the serial may belong to, fresh.
        if !held.iter().all(|held| held.is_fresh(now)) {
            return try_later;
        }
        let windows = held.iter().map(|held| held.window());
        let window = windows.reduce(|(this, next), (a, b)| (this.min(a), next.min(b)));
        // Contract 3: with an inventory, what it does not list is unknown.
        let issued = self.inventory.as_ref().is_none_or(|issued| issued.contains_key(&serial));
        Expected { status: if issued { Status::Good } else { Status::Unknown }, window }
    }
}
