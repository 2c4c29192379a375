//! What the store knows of a CRL scope, and the small numbers that stand for long names in its rows.
//!
//! A scope is what one CRL speaks of (RFC 5280 5.2.5): who signs it, its distribution point, the
//! kinds of certificates and the reasons it covers. Its entries are replaced as a whole.

pub use crate::x509::crl::CertificateKinds;
use crate::x509::{Revocation, UnixTime};
use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(super) u32);

        impl $name {
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number! {
    /// One per CA *name*: all key generations of a CA share it, as they share their serial numbers.
    IssuerNumber
}
impl IssuerNumber {
    /// Of no CA in any store: for looking at CRLs without one.
    pub const UNKNOWN: Self = Self(0);
}

number! {
    /// One per scope; never used again once its scope is gone.
    ScopeNumber
}
number! {
    /// One per distribution point name, so that an inventory can name one before its CRL is there.
    DistributionPointNumber
}

number! {
    /// One per series of pre-signed answers: whatever one key signs for one CA in one form of CertIDs.
    SeriesNumber
}

number! {
    /// One per id of a verifier that was ever registered: what is counted of it stays its own.
    VerifierNumber
}

/// Which of a scope's two CRLs. They are kept apart, because a delta CRL is cumulative from a complete one
/// and the next delta CRL takes its place alone (RFC 5280 5.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The complete CRL.
    Complete,
    /// The delta CRL on top of it.
    Delta,
}

/// What tells one scope from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeKey {
    pub issuer: IssuerNumber,
    /// SHA-256 of the public key (the BIT STRING's content) that signs the CRL.
    pub signing_key: [u8; 32],
    /// Canonical `fullName` octets of the distribution point; empty where the CRL names none.
    pub distribution_point: Vec<u8>,
    pub contains: CertificateKinds,
    /// `onlySomeReasons` as a mask, bit n for reason n; `None` where the CRL covers all reasons.
    pub reasons: Option<u16>,
    pub layer: Layer,
}

impl ScopeKey {
    /// What it is a scope of, whoever signs it.
    #[must_use]
    pub fn names(&self) -> ScopeNames<'_> {
        ScopeNames {
            distribution_point: &self.distribution_point,
            contains: self.contains,
            reasons: self.reasons,
        }
    }

    /// The same scope in another layer.
    #[must_use]
    pub fn of_layer(&self, layer: Layer) -> Self {
        Self { layer, ..self.clone() }
    }
}

/// The certificates and reasons that a scope is about (RFC 5280 5.2.5), whoever signs its CRLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ScopeNames<'a> {
    distribution_point: &'a [u8],
    contains: CertificateKinds,
    reasons: Option<u16>,
}

/// A CRL that is to become the state of its scope. The store adds the numbers and the counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRecordDraft {
    pub key: ScopeKey,
    /// The issuingDistributionPoint extension's DER as it stands; empty where there is none.
    pub idp: Vec<u8>,
    /// `cRLNumber`, big-endian without leading zeros; empty where there is none.
    pub crl_number: Vec<u8>,
    pub this_update: UnixTime,
    pub next_update: UnixTime,
    pub crl_sha256: [u8; 32],
    pub ingested_at: UnixTime,
}

/// Where the CRL's hash stands, in the record of a retired scope: no CRL will ever hash to it.
const RETIRED: [u8; 32] = *b"this scope was retired by hand..";

impl ScopeRecordDraft {
    /// What takes the place of this CRL when its scope is retired at `now`: no entries, for ever. The number
    /// stays, so that an older CRL does not come back; a newer one brings the scope back to life.
    #[must_use]
    pub fn retired(self, now: UnixTime) -> Self {
        Self { next_update: UnixTime::MAX, crl_sha256: RETIRED, ingested_at: now, ..self }
    }

    /// Whether its CRL number is higher. Both are big-endian without leading zeros, so that the longer
    /// one is the higher.
    #[must_use]
    pub fn is_newer_than(&self, other: &Self) -> bool {
        (self.crl_number.len(), &self.crl_number) > (other.crl_number.len(), &other.crl_number)
    }
}

/// The state of a scope: the CRL it was last replaced with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeRecord {
    pub number: ScopeNumber,
    /// `None` where the CRL names no distribution point.
    pub distribution_point_number: Option<DistributionPointNumber>,
    /// What the CRL said of itself.
    pub crl: ScopeRecordDraft,
    /// Entries in the CRL.
    pub entries: u64,
    /// Rows kept beyond the CRL: permanent revocations whose entry went away.
    pub retained: u64,
}

impl ScopeRecord {
    /// Whether the operator retired the scope: no CRL of it is expected any more, it covers nothing, and
    /// what is permanent on it is kept. See [`ScopeRecordDraft::retired`].
    #[must_use]
    pub fn is_retired(&self) -> bool {
        self.crl.crl_sha256 == RETIRED
    }

    #[must_use]
    pub fn issuer(&self) -> IssuerNumber {
        self.crl.key.issuer
    }
}

/// What one scope says of one serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRow {
    pub scope: ScopeNumber,
    pub revocation: Revocation,
    /// The entry went away from the CRL, the permanent revocation did not.
    pub retained: bool,
}

/// How long a permanent revocation is kept once its entry is not in the CRL any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Retention {
    /// For good: permanent means permanent.
    #[default]
    WithoutEnd,
    /// Until a CRL comes whose thisUpdate is more than so many seconds behind that of the first one
    /// which did not list it. Told by the CRLs' own times, so that no clock takes a revocation away.
    Seconds(i64),
}

/// What a replacement did to the rows of its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeChange {
    /// Serial numbers that the scope did not list before.
    pub added: u64,
    /// Entries with another date or reason than before, and retained ones that came back.
    pub changed: u64,
    /// Entries that were on hold and went away: no longer revoked.
    pub released: u64,
    /// Entries of a delta CRL that lift a hold and did not before: among `added` and `changed`.
    pub lifted: u64,
    /// Permanent entries that went away (or are said to be on hold now): still revoked.
    pub retained: u64,
    /// Rows that were retained for as long as they are to be: no longer revoked.
    pub expired: u64,
    /// Rows that stand as before, those retained earlier among them.
    pub unchanged: u64,
    /// Entries in the CRL.
    pub entries: u64,
    /// Rows kept beyond the CRL after this change, all told.
    pub retained_in_all: u64,
}

impl ScopeChange {
    /// Whether any status differs from before.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.added == 0 && self.changed == 0 && self.released == 0 && self.retained == 0 && self.expired == 0
    }
}

/// The rows of one serial number. Up to [`Rows::INLINE`] of them take no heap: a serial is
/// usually on one CRL, on two or three while partitions or key generations change.
#[derive(Clone)]
pub struct Rows {
    inline: [StatusRow; Rows::INLINE],
    len: usize,
    /// All rows, once there are more than fit inline.
    spilled: Vec<StatusRow>,
}

impl Rows {
    pub const INLINE: usize = 4;

    const FILLER: StatusRow = StatusRow {
        scope: ScopeNumber(0),
        revocation: Revocation { time: UnixTime::EPOCH, reason: None, invalidity: None },
        retained: false,
    };

    /// No rows: no scope revokes the serial number.
    #[must_use]
    pub const fn none() -> Self {
        Self { inline: [Self::FILLER; Self::INLINE], len: 0, spilled: Vec::new() }
    }

    /// Adds a row at the end.
    pub fn push(&mut self, row: StatusRow) {
        match self.inline.get_mut(self.len) {
            Some(place) if self.spilled.is_empty() => *place = row,
            _ => {
                if self.spilled.is_empty() {
                    self.spilled.extend_from_slice(&self.inline);
                }
                self.spilled.push(row);
            }
        }
        self.len += 1;
    }

    /// Makes `row` the row of `scope`, in its place in the order of scopes; takes it away, if `None`.
    pub(super) fn set(&mut self, scope: ScopeNumber, row: Option<StatusRow>) {
        let others = std::mem::replace(self, Self::none());
        let others = others.iter().filter(|other| other.scope != scope);
        let (before, after): (Vec<_>, Vec<_>) = others.partition(|other| other.scope < scope);
        for row in before.into_iter().chain(row.as_ref()).chain(after) {
            self.push(*row);
        }
    }

    #[must_use]
    pub fn as_slice(&self) -> &[StatusRow] {
        if self.spilled.is_empty() { self.inline.get(..self.len).unwrap_or(&[]) } else { &self.spilled }
    }
}

impl std::ops::Deref for Rows {
    type Target = [StatusRow];

    fn deref(&self) -> &[StatusRow] {
        self.as_slice()
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Rows {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for Rows {}

/// What the inventory of an issuer says of a serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inventoried {
    /// It is not listed: never issued, as far as the inventory goes.
    Unlisted,
    /// It was issued.
    Listed,
    /// It was issued, and this distribution point's CRL is the one that would revoke it.
    InScope(DistributionPointNumber),
}

/// How complete the inventory of an issuer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InventoryState {
    /// None was ever loaded.
    Absent,
    /// The first load is under way or was cut short: a serial that is not listed may well be issued.
    Partial { rows: u64 },
    /// Every load that began the inventory was finished.
    Complete { rows: u64 },
}

impl InventoryState {
    #[must_use]
    pub fn rows(self) -> u64 {
        match self {
            Self::Absent => 0,
            Self::Partial { rows } | Self::Complete { rows } => rows,
        }
    }
}

/// What an inventory load did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InventoryLoad {
    /// Serial numbers that were not listed before.
    pub added: u64,
    /// Serial numbers that were listed, as given (or given now without a distribution point).
    pub already_there: u64,
    /// Serial numbers that were listed with another distribution point, or none.
    pub moved: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_keep_their_order_inline_and_beyond() {
        let mut rows = Rows::none();
        assert!(rows.is_empty());
        for count in 1..=9u32 {
            rows.push(StatusRow { scope: ScopeNumber(count), ..Rows::FILLER });
            let scopes: Vec<u32> = rows.iter().map(|row| row.scope.get()).collect();
            assert_eq!(scopes, (1..=count).collect::<Vec<_>>());
        }
    }
}
