//! Which CRL scopes an answer may rest on, and for how long (design: decision 6).
//!
//! A scope is what one CRL speaks of: the names, kinds of certificates and reasons of its
//! issuingDistributionPoint, signed by one key. `good` rests on all the scopes that a serial number may
//! belong to: all of the issuer's, or, where the inventory names the distribution point, that one's.
//! Whose CRLs count for the certificates of which key is [`signers`](super::signers)' matter, and what is still
//! revoked by each of them [`roles`](super::roles)'.

use super::Issuer;
use super::references::{CrlReference, CrlReferences, References, Source};
use super::roles::{Role, roles};
use super::signers::Ranked;
use crate::store::{DistributionPointNumber, Layer, ScopeKey, ScopeNumber, ScopeRecord};
use crate::x509::crl::CertificateKinds;
use crate::x509::{Certificate, UnixTime, each_general_name};
use std::collections::{HashMap, HashSet};
use std::fmt;

/// Which scopes must be there before an issuer answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopesPolicy {
    /// Those that came so far, one at least.
    Discovered,
    /// So many.
    Count(usize),
    /// One for each of these distribution points, in canonical form, and the text they were read from.
    Listed(Vec<(Vec<u8>, String)>),
}

/// What kinds of certificates the issuer issues, and its CRLs must cover together before it says `good`. It
/// cannot be told from CRLs: one of onlyContainsUserCerts leaves open whether there is, or should be, another
/// for CA certificates. So the operator says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Covers {
    /// Both.
    #[default]
    All,
    /// It never issued a CA certificate.
    User,
    /// A root: it issues CA certificates only.
    Ca,
}

/// The time for which a status is known: from the oldest thisUpdate to the nearest nextUpdate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub this_update: UnixTime,
    pub next_update: UnixTime,
}

impl Window {
    fn and(self, other: Self) -> Self {
        Self {
            this_update: self.this_update.min(other.this_update),
            next_update: self.next_update.min(other.next_update),
        }
    }

    /// Whether it may still be answered from.
    #[must_use]
    pub fn is_fresh(&self, now: UnixTime) -> bool {
        now < self.next_update
    }
}

/// Why `good` cannot be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// No CRL is loaded.
    Empty,
    /// Fewer scopes than configured.
    Missing { have: usize, want: usize },
    /// The scopes leave out certificates of a kind, or reasons.
    Partial,
    /// The nearest nextUpdate has passed.
    Expired { since: UnixTime },
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no CRL is loaded"),
            Self::Missing { have, want } => write!(f, "{have} of {want} CRL scopes are loaded"),
            Self::Partial => f.write_str(
                "the CRLs together do not cover all reasons for user and for CA certificates (if it issues \
                 only one of the two, set covers)",
            ),
            Self::Expired { since } => write!(f, "a CRL ran out at {since}"),
        }
    }
}

/// The scopes that matter for one CA key.
#[derive(Debug, Clone)]
pub struct ScopeSet {
    all: Result<Window, Coverage>,
    /// Where user certificates are covered for all reasons. `None`: the CRLs without a distribution
    /// point, which speak of every certificate, whatever distribution point it names (RFC 5280 5.2.5).
    by_distribution_point: HashMap<Option<DistributionPointNumber>, Window>,
    by_number: HashMap<ScopeNumber, Role>,
    missing: Vec<String>,
    /// `None` where no answer names a CRL.
    references: Option<Box<References>>,
}

/// What reasons and kinds a group of scopes covers together.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Covered {
    /// Reason flags 1 to 8 (RFC 5280 4.2.1.13), for user and for CA certificates.
    user: u16,
    ca: u16,
}

/// Every reason that a CRL may be limited to: flag 0 is unused.
const ALL_REASONS: u16 = 0b1_1111_1110;

impl Covers {
    fn wants(self, kinds: CertificateKinds) -> bool {
        match kinds {
            CertificateKinds::All => true,
            CertificateKinds::User => self != Self::Ca,
            CertificateKinds::Ca => self != Self::User,
            CertificateKinds::Attribute => false,
        }
    }

    pub(super) fn is_met_by(self, covered: Covered) -> bool {
        (self == Self::Ca || covered.user == ALL_REASONS) && (self == Self::User || covered.ca == ALL_REASONS)
    }
}

impl Covered {
    /// What these scopes cover together.
    pub(super) fn by<'a, 'b: 'a>(scopes: impl IntoIterator<Item = &'a Scope<'b>>) -> Self {
        let mut covered = Self::default();
        for scope in scopes {
            covered.add(scope.complete);
        }
        covered
    }

    fn add(&mut self, record: &ScopeRecord) {
        let reasons = record.crl.key.reasons.map_or(ALL_REASONS, |reasons| reasons & ALL_REASONS);
        match record.crl.key.contains {
            CertificateKinds::All => {
                self.user |= reasons;
                self.ca |= reasons;
            }
            CertificateKinds::User => self.user |= reasons,
            CertificateKinds::Ca => self.ca |= reasons,
            CertificateKinds::Attribute => {}
        }
    }
}

impl ScopeSet {
    /// The scopes that count for the certificates of the issuer's key in `certificate`. `points` are the
    /// names of all distribution points that anybody ever named, with their numbers.
    #[must_use]
    pub fn of_key(
        records: &[ScopeRecord],
        points: &[(DistributionPointNumber, Vec<u8>)],
        issuer: &Issuer,
        certificate: &Certificate,
        references: CrlReferences,
    ) -> Self {
        let records = records.iter().filter(|record| record.issuer() == issuer.number);
        let of_issuer = scopes(records);
        let ranked = Ranked::of(&of_issuer, issuer);
        let mut relevant = ranked.relevant(issuer.covers, certificate);
        let is_any = !relevant.is_empty();
        relevant.retain(|scope| issuer.covers.wants(scope.complete.crl.key.contains));
        let named = Named::of(&relevant);
        let missing = named.missing(&issuer.scopes);
        let all = match whole(&relevant, &named, issuer, missing.len()) {
            Err(Coverage::Empty) if is_any => Err(Coverage::Partial),
            all => all,
        };
        // Not only the relevant ones: a certificate stays revoked whichever key said so.
        let by_number = roles(&of_issuer, &ranked.succession(), all.ok());
        let speaking = speaking(&relevant, &named, points, issuer.covers);
        let references = match references {
            CrlReferences::Omit => None,
            CrlReferences::NameOfRevoked => Some(References::new(&of_issuer)),
            CrlReferences::NameOfAll => {
                let at_points = speaking.iter().map(|(point, scopes)| (*point, &scopes[..]));
                Some(References::new(&of_issuer).of_good(&relevant, at_points))
            }
        };
        Self {
            all,
            by_distribution_point: windows(&speaking),
            by_number,
            missing,
            references: references.map(Box::new),
        }
    }

    /// The distribution points, for people, that are listed in the configuration and have no CRL.
    #[must_use]
    pub fn missing_points(&self) -> &[String] {
        &self.missing
    }

    /// What a serial number that may be in any scope can be answered from.
    ///
    /// # Errors
    /// Why it cannot be answered at `now`.
    pub fn whole(&self, now: UnixTime) -> Result<Window, Coverage> {
        let window = self.all?;
        if window.is_fresh(now) { Ok(window) } else { Err(Coverage::Expired { since: window.next_update }) }
    }

    /// What a serial number of this distribution point can be answered from: the point's own CRL, or,
    /// where none came that covers it, one that speaks of all points. `None` when there is neither, or
    /// when it has run out.
    #[must_use]
    pub fn at_point(&self, point: DistributionPointNumber, now: UnixTime) -> Option<Window> {
        let windows = &self.by_distribution_point;
        let window = windows.get(&Some(point)).or_else(|| windows.get(&None));
        window.copied().filter(|window| window.is_fresh(now))
    }

    /// The CRL that an answer resting on `source` names; `None` where it names none.
    #[must_use]
    pub fn reference(&self, source: Source) -> Option<&CrlReference> {
        self.references.as_ref()?.get(source)
    }

    /// Whether any answer names a CRL.
    #[must_use]
    pub fn has_references(&self) -> bool {
        self.references.is_some()
    }

    /// What the rows with this scope number count for.
    #[must_use]
    pub fn role(&self, number: ScopeNumber) -> Option<&Role> {
        self.by_number.get(&number)
    }
}

/// A complete CRL, and the delta CRL on top of it.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub complete: &'a ScopeRecord,
    pub delta: Option<&'a ScopeRecord>,
}

impl<'a> Scope<'a> {
    /// The delta CRL, where no complete one has overtaken it.
    pub(super) fn delta_in_force(&self) -> Option<&'a ScopeRecord> {
        self.delta.filter(|delta| delta.crl.is_newer_than(&self.complete.crl))
    }

    /// The CRL with the highest number.
    pub(super) fn newest(&self) -> &'a ScopeRecord {
        self.delta_in_force().unwrap_or(self.complete)
    }

    /// Complete and delta CRL together say what a complete CRL of the delta's time would say (RFC 5280
    /// 5.2.4), until either runs out: going back to the complete one alone would undo revocations.
    pub(super) fn window(&self) -> Window {
        let own = window(self.complete);
        match self.delta_in_force().map(window) {
            Some(delta) => {
                Window { this_update: delta.this_update, next_update: own.next_update.min(delta.next_update) }
            }
            None => own,
        }
    }
}

/// Pairs the records of one issuer. A delta CRL without its complete one cannot come in, and counts for
/// nothing.
fn scopes<'a>(records: impl Iterator<Item = &'a ScopeRecord>) -> Vec<Scope<'a>> {
    let (complete, deltas): (Vec<_>, Vec<_>) =
        records.partition(|record| record.crl.key.layer == Layer::Complete);
    let deltas: HashMap<ScopeKey, &ScopeRecord> =
        deltas.into_iter().map(|record| (record.crl.key.of_layer(Layer::Complete), record)).collect();
    let pair = |complete: &'a ScopeRecord| Scope { complete, delta: deltas.get(&complete.crl.key).copied() };
    complete.into_iter().map(pair).collect()
}

pub(super) fn window(record: &ScopeRecord) -> Window {
    Window { this_update: record.crl.this_update, next_update: record.crl.next_update }
}

/// Scopes by the single names of their distribution points. A CRL is one of a certificate's distribution
/// point if any of its names is any of that point's (RFC 5280 6.3.3 (b)(2)(i)).
struct Named<'a> {
    by_name: HashMap<&'a [u8], Vec<usize>>,
    /// CRLs that name no distribution point.
    unnamed: Vec<usize>,
}

impl<'a> Named<'a> {
    fn of(scopes: &[Scope<'a>]) -> Self {
        let mut named = Self { by_name: HashMap::with_capacity(scopes.len()), unnamed: Vec::new() };
        for (index, scope) in scopes.iter().enumerate() {
            let point = &scope.complete.crl.key.distribution_point;
            if point.is_empty() {
                named.unnamed.push(index);
            }
            for name in each_general_name(point) {
                named.by_name.entry(name).or_default().push(index);
            }
        }
        named
    }

    /// The places of the scopes of a distribution point with these names; of those without one, if
    /// there are none.
    fn at(&self, point: &[u8]) -> Vec<usize> {
        if point.is_empty() {
            return self.unnamed.clone();
        }
        let mut places: Vec<usize> =
            each_general_name(point).filter_map(|name| self.by_name.get(name)).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    fn missing(&self, policy: &ScopesPolicy) -> Vec<String> {
        let ScopesPolicy::Listed(points) = policy else { return Vec::new() };
        let is_missing = |point: &&(Vec<u8>, String)| self.at(&point.0).is_empty();
        points.iter().filter(is_missing).map(|(_, text)| text.clone()).collect()
    }
}

fn whole(
    scopes: &[Scope<'_>],
    named: &Named<'_>,
    issuer: &Issuer,
    missing: usize,
) -> Result<Window, Coverage> {
    let all = scopes.iter().map(Scope::window).reduce(Window::and).ok_or(Coverage::Empty)?;
    match &issuer.scopes {
        ScopesPolicy::Discovered => {}
        ScopesPolicy::Count(want) => {
            // One that two keys sign is one.
            let have =
                scopes.iter().map(|scope| scope.complete.crl.key.names()).collect::<HashSet<_>>().len();
            if have < *want {
                return Err(Coverage::Missing { have, want: *want });
            }
        }
        ScopesPolicy::Listed(points) => {
            if missing > 0 {
                return Err(Coverage::Missing { have: points.len() - missing, want: points.len() });
            }
        }
    }
    // A distribution point that is there must be there for every reason; the issuer as a whole must
    // be covered for the kinds of certificates that it issues.
    let points: HashSet<&[u8]> =
        scopes.iter().map(|scope| scope.complete.crl.key.distribution_point.as_slice()).collect();
    for point in points {
        let covered = Covered::by(named.at(point).iter().filter_map(|place| scopes.get(*place)));
        let whole = |reasons: u16| reasons == 0 || reasons == ALL_REASONS;
        if !whole(covered.user) || !whole(covered.ca) {
            return Err(Coverage::Partial);
        }
    }
    if issuer.covers.is_met_by(Covered::by(scopes)) { Ok(all) } else { Err(Coverage::Partial) }
}

/// The scopes of one distribution point.
type AtPoint<'a> = (Option<DistributionPointNumber>, Vec<Scope<'a>>);

/// What speaks of the certificates that an inventory lists, where it covers them for all reasons.
fn speaking<'a>(
    scopes: &[Scope<'a>],
    named: &Named<'_>,
    points: &[(DistributionPointNumber, Vec<u8>)],
    covers: Covers,
) -> Vec<AtPoint<'a>> {
    // What an inventory lists are user certificates, but for a root's.
    let listed = if covers == Covers::Ca { Covers::Ca } else { Covers::User };
    let none = std::iter::once((None, &[][..]));
    let all = points.iter().map(|(number, names)| (Some(*number), names.as_slice())).chain(none);
    let at_point = |(number, names): (Option<DistributionPointNumber>, &[u8])| {
        let places = named.at(names);
        let at_point = places.iter().filter_map(|place| scopes.get(*place));
        // One CRL for the other kind more or less changes nothing.
        let speaking: Vec<_> =
            at_point.filter(|scope| listed.wants(scope.complete.crl.key.contains)).copied().collect();
        listed.is_met_by(Covered::by(&speaking)).then_some((number, speaking))
    };
    all.filter_map(at_point).collect()
}

fn windows(speaking: &[AtPoint<'_>]) -> HashMap<Option<DistributionPointNumber>, Window> {
    let window =
        |(point, scopes): &AtPoint<'_>| Some((*point, scopes.iter().map(Scope::window).reduce(Window::and)?));
    speaking.iter().filter_map(window).collect()
}
