//! Which CRL scopes an answer may rest on, and for how long (design: decision 6).
//!
//! A scope is what one CRL speaks of: the names, kinds of certificates and reasons of its
//! issuingDistributionPoint, signed by one key. `good` rests on all the scopes that a serial number may
//! belong to: all of the issuer's, or, where the inventory names the distribution point, that one's.

use super::Issuer;
use crate::signing::digest;
use crate::store::{DistributionPointNumber, Layer, ScopeKey, ScopeNumber, ScopeRecord};
use crate::x509::crl::CertificateKinds;
use crate::x509::{Certificate, HashAlgorithm, UnixTime};
use std::collections::HashMap;
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
                "the CRLs together do not cover user certificates, CA certificates and all reasons",
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
}

/// What the rows under a scope's number count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// The time for which the CRL alone speaks.
    pub own: Window,
    /// The time for which it speaks together with the delta CRL in force, or that with it; the same as
    /// `own` where there is none.
    pub together: Window,
    pub layer: RoleLayer,
}

/// Which layer of a scope, and what the other one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleLayer {
    /// A complete CRL, and the delta CRL in force on top of it.
    Complete { delta: Option<ScopeNumber> },
    /// A delta CRL in force: newer than the complete one.
    Delta,
    /// A delta CRL that a complete one has overtaken: only what is permanent still counts.
    OvertakenDelta,
}

/// What reasons and kinds a group of scopes covers together.
#[derive(Debug, Clone, Copy, Default)]
struct Covered {
    /// Reason flags 1 to 8 (RFC 5280 4.2.1.13), for user and for CA certificates.
    user: u16,
    ca: u16,
}

/// Every reason that a CRL may be limited to: flag 0 is unused.
const ALL_REASONS: u16 = 0b1_1111_1110;

impl Covered {
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
    /// The scopes signed by the key of `certificate`, or, where it signed none, those of the issuer's
    /// other keys: after a rollover the new key speaks for the certificates of the old one.
    #[must_use]
    pub fn of_key(records: &[ScopeRecord], issuer: &Issuer, certificate: &Certificate) -> Self {
        let signing_key = digest(HashAlgorithm::Sha256, certificate.public_key().bits());
        let records = records.iter().filter(|record| record.issuer() == issuer.number);
        let of_issuer = scopes(records);
        // Not only the relevant ones: a certificate stays revoked whichever key said so.
        let by_number = roles(&of_issuer);
        let is_own = |scope: &Scope<'_>| scope.complete.crl.key.signing_key == signing_key.as_ref();
        let own: Vec<_> = of_issuer.iter().copied().filter(is_own).collect();
        let relevant = if own.is_empty() { of_issuer } else { own };
        Self { all: whole(&relevant, &issuer.scopes), by_distribution_point: points(&relevant), by_number }
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

    /// What the rows with this scope number count for.
    #[must_use]
    pub fn role(&self, number: ScopeNumber) -> Option<&Role> {
        self.by_number.get(&number)
    }
}

/// A complete CRL, and the delta CRL on top of it.
#[derive(Clone, Copy)]
struct Scope<'a> {
    complete: &'a ScopeRecord,
    delta: Option<&'a ScopeRecord>,
}

impl<'a> Scope<'a> {
    /// The delta CRL, where no complete one has overtaken it.
    fn delta_in_force(&self) -> Option<&'a ScopeRecord> {
        self.delta.filter(|delta| delta.crl.is_newer_than(&self.complete.crl))
    }

    /// Complete and delta CRL together say what a complete CRL of the delta's time would say (RFC 5280
    /// 5.2.4), until either runs out: going back to the complete one alone would undo revocations.
    fn window(&self) -> Window {
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

fn roles(scopes: &[Scope<'_>]) -> HashMap<ScopeNumber, Role> {
    let mut roles = HashMap::with_capacity(scopes.len());
    for scope in scopes {
        let (own, together) = (window(scope.complete), scope.window());
        let in_force = scope.delta_in_force().map(|delta| delta.number);
        let layer = RoleLayer::Complete { delta: in_force };
        roles.insert(scope.complete.number, Role { own, together, layer });
        if let Some(delta) = scope.delta {
            // What an overtaken delta CRL still says, it says for as long as the complete one lasts.
            let role = match in_force {
                Some(_) => Role { own: window(delta), together, layer: RoleLayer::Delta },
                None => Role { own, together, layer: RoleLayer::OvertakenDelta },
            };
            roles.insert(delta.number, role);
        }
    }
    roles
}

fn window(record: &ScopeRecord) -> Window {
    Window { this_update: record.crl.this_update, next_update: record.crl.next_update }
}

fn whole(scopes: &[Scope<'_>], policy: &ScopesPolicy) -> Result<Window, Coverage> {
    let all = scopes.iter().map(Scope::window).reduce(Window::and).ok_or(Coverage::Empty)?;
    let missing = match policy {
        ScopesPolicy::Discovered => None,
        ScopesPolicy::Count(want) => (scopes.len() < *want).then_some((scopes.len(), *want)),
        ScopesPolicy::Listed(points) => {
            let have = points
                .iter()
                .filter(|(point, _)| {
                    scopes.iter().any(|scope| scope.complete.crl.key.distribution_point == *point)
                })
                .count();
            (have < points.len()).then_some((have, points.len()))
        }
    };
    if let Some((have, want)) = missing {
        return Err(Coverage::Missing { have, want });
    }
    // A distribution point that is there must be there for every reason; the issuer as a whole must
    // be covered for both kinds of certificates.
    let mut together = Covered::default();
    for covered in covered_by_point(scopes).values() {
        let whole = |reasons: u16| reasons == 0 || reasons == ALL_REASONS;
        if !whole(covered.user) || !whole(covered.ca) {
            return Err(Coverage::Partial);
        }
        together.user |= covered.user;
        together.ca |= covered.ca;
    }
    if together.user == ALL_REASONS && together.ca == ALL_REASONS { Ok(all) } else { Err(Coverage::Partial) }
}

fn covered_by_point(scopes: &[Scope<'_>]) -> HashMap<Option<DistributionPointNumber>, Covered> {
    let mut points: HashMap<Option<DistributionPointNumber>, Covered> = HashMap::new();
    for scope in scopes {
        points.entry(scope.complete.distribution_point_number).or_default().add(scope.complete);
    }
    points
}

fn points(scopes: &[Scope<'_>]) -> HashMap<Option<DistributionPointNumber>, Window> {
    let covered = covered_by_point(scopes);
    let mut windows: HashMap<_, Window> = HashMap::new();
    for scope in scopes {
        let record = scope.complete;
        let point = record.distribution_point_number;
        // What an inventory lists are user certificates; one CRL for CAs more or less changes nothing.
        let speaks_of_users =
            matches!(record.crl.key.contains, CertificateKinds::All | CertificateKinds::User);
        if speaks_of_users && covered.get(&point).is_some_and(|covered| covered.user == ALL_REASONS) {
            let one = scope.window();
            windows.entry(point).and_modify(|window| *window = window.and(one)).or_insert(one);
        }
    }
    windows
}
