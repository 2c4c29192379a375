//! Why a CRL is not used.

use super::guard::Alarm;
use super::sort::SortError;
use crate::signing::VerifyError;
use crate::store::{ReplaceError, StoreError};
use crate::x509::AlgorithmError;
use crate::x509::UnixTime;
use crate::x509::crl::{ArmorError, CrlError};
use std::io;

/// Every reason for which a CRL is refused; what was held stays as it is.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    #[error("is not a CRL: {0}")]
    Armor(#[from] ArmorError),
    #[error("is not a CRL that may be used: {0}")]
    Crl(#[from] CrlError),
    #[error("is signed in a way that is not accepted: {0}")]
    Algorithm(#[from] AlgorithmError),
    /// RFC 5280 6.3.3 (f).
    #[error("is of another CA: its issuer is {found}, and no configured issuer has that name")]
    ForeignIssuer { found: String },
    /// RFC 5280 5.2.1.
    #[error(
        "is signed by another key of {issuer}: its authority key identifier is {found}, the configured CA has {expected}"
    )]
    ForeignKey { issuer: String, found: String, expected: String },
    /// RFC 5280 6.3.3 (f).
    #[error("the certificate of {issuer} does not allow its key to sign CRLs (keyUsage without cRLSign)")]
    KeyUsage { issuer: String },
    #[error(
        "carries a signature that does not verify with the key of {issuer}: it was changed, or another key made it"
    )]
    Signature { issuer: String },
    #[error("carries a signature that cannot be verified: {0}")]
    Unverifiable(VerifyError),
    /// RFC 5280 5.1.2.4.
    #[error("is from the future: thisUpdate is {this_update}, the clock says {now}")]
    Future { this_update: UnixTime, now: UnixTime },
    /// RFC 5280 5.1.2.5: "conforming CRL issuers MUST include nextUpdate".
    #[error("has no nextUpdate, so nobody knows when it runs out")]
    NoNextUpdate,
    #[error("ends before it begins: thisUpdate is {this_update}, nextUpdate {next_update}")]
    TimesCrossed { this_update: UnixTime, next_update: UnixTime },
    /// RFC 5280 5.2.3.
    #[error("is older than what is held: its CRL number is {offered}, the one held {held}")]
    NumberRolledBack { held: String, offered: String },
    #[error("is older than what is held: its thisUpdate is {offered}, the one held {held}")]
    TimeRolledBack { held: UnixTime, offered: UnixTime },
    /// RFC 5280 5.2.3: one number, one content.
    #[error(
        "has the CRL number {number} of the one that is held, but other content: ask the CA which is right"
    )]
    SameNumberOtherContent { number: String },
    /// The scope was retired by hand: its last CRL, or one before it, does not bring it back, nor does a delta CRL.
    #[error(
        "is of a scope that was retired (`ocsprey crl drop`), and no complete CRL newer than its last one: take it \
         out of the source"
    )]
    ScopeRetired,
    /// `ocsprey crl rollback` took it out of force.
    #[error(
        "was taken back by hand (`ocsprey crl rollback`): take it out of the source, or, if it is right after all, \
         `ocsprey crl ingest --force`"
    )]
    TakenBack,
    /// The held CRL has a number, this one has none.
    #[error("has no CRL number, but the one held has: {held}")]
    NumberMissing { held: String },
    /// RFC 5280 5.2.4: a delta CRL has a number of its own.
    #[error("is a delta CRL without a CRL number")]
    DeltaWithoutNumber,
    /// RFC 5280 5.2.4; applies once the complete CRL is there.
    #[error(
        "is a delta CRL from number {base} on, and no complete CRL of its scope is held (bring that first)"
    )]
    DeltaBeforeBase { base: String },
    #[error(
        "is a delta CRL from number {base} on, and the complete CRL held has the number {held} (bring the newer complete one first)"
    )]
    DeltaBaseTooNew { base: String, held: String },
    /// Believed, and too strange to be applied without a word from a person.
    #[error(transparent)]
    Guard(#[from] Alarm),
    /// RFC 5280 5.2.5, 6.3.3 (b)(1).
    #[error(
        "is of {issuer}, a CRL issuer that may speak for others, but does not say that it is indirect \
         (issuingDistributionPoint without indirectCRL)"
    )]
    NotIndirect { issuer: String },
    /// RFC 5280 6.3.3 (f).
    #[error("is signed by a certificate that is itself revoked on a CRL that is held")]
    SignerRevoked,
    #[error("speaks of attribute certificates only")]
    AttributeCertificates,
    #[error("cannot be sorted: {0}")]
    Sort(#[from] SortError),
    #[error("was not sorted at its entry {position}: please report this as a defect of ocsprey")]
    Unsorted { position: u64 },
    #[error("cannot be stored: {0}")]
    Store(#[from] StoreError),
}

impl From<ReplaceError<Self>> for Refused {
    fn from(why: ReplaceError<Self>) -> Self {
        match why {
            ReplaceError::Source(why) => why,
            ReplaceError::Store(why) => Self::Store(why),
            // The sorter's own promise was broken; nothing was written.
            ReplaceError::OutOfOrder { position } => Self::Unsorted { position },
        }
    }
}

impl Refused {
    pub(super) fn before_base(base: &[u8]) -> Self {
        Self::DeltaBeforeBase { base: super::judge::hexadecimal(base) }
    }

    /// One word for programs. Unlike the text it holds nothing of the CRL, nor of its source.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Armor(_) => "armor",
            Self::Crl(_) => "crl",
            Self::Algorithm(_) => "algorithm",
            Self::ForeignIssuer { .. } => "foreign_issuer",
            Self::ForeignKey { .. } => "foreign_key",
            Self::KeyUsage { .. } => "key_usage",
            Self::Signature { .. } => "signature",
            Self::Unverifiable(_) => "unverifiable",
            Self::Future { .. } => "future",
            Self::NoNextUpdate => "no_next_update",
            Self::TimesCrossed { .. } => "times_crossed",
            Self::NumberRolledBack { .. } => "number_rolled_back",
            Self::TimeRolledBack { .. } => "time_rolled_back",
            Self::SameNumberOtherContent { .. } => "same_number_other_content",
            Self::ScopeRetired => "scope_retired",
            Self::TakenBack => "taken_back",
            Self::NumberMissing { .. } => "number_missing",
            Self::DeltaWithoutNumber => "delta_without_number",
            Self::DeltaBeforeBase { .. } => "delta_before_base",
            Self::DeltaBaseTooNew { .. } => "delta_base_too_new",
            Self::Guard(Alarm::Shrunk { .. }) => "shrunk",
            Self::Guard(Alarm::MassRelease { .. }) => "mass_release",
            Self::Guard(Alarm::MassWithdrawal { .. }) => "mass_withdrawal",
            Self::NotIndirect { .. } => "not_indirect",
            Self::SignerRevoked => "signer_revoked",
            Self::AttributeCertificates => "attribute_certificates",
            Self::Sort(_) => "sort",
            Self::Unsorted { .. } => "unsorted",
            Self::Store(_) => "store",
        }
    }

    /// Whether the same octets may be accepted later: the fault is ours, the clock has to come up, or
    /// the CRL that a delta CRL builds on has to come first.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        self.is_ours()
            || matches!(
                self,
                Self::Future { .. } | Self::DeltaBeforeBase { .. } | Self::DeltaBaseTooNew { .. }
            )
    }

    /// Whether the fault is ours, not the CRL's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        match self {
            Self::Read(_) | Self::Sort(_) | Self::Unsorted { .. } | Self::Store(_) => true,
            Self::Armor(_)
            | Self::Crl(_)
            | Self::Algorithm(_)
            | Self::ForeignIssuer { .. }
            | Self::ForeignKey { .. }
            | Self::KeyUsage { .. }
            | Self::Signature { .. }
            | Self::Unverifiable(_)
            | Self::Future { .. }
            | Self::NoNextUpdate
            | Self::TimesCrossed { .. }
            | Self::NumberRolledBack { .. }
            | Self::TimeRolledBack { .. }
            | Self::SameNumberOtherContent { .. }
            | Self::ScopeRetired
            | Self::TakenBack
            | Self::NumberMissing { .. }
            | Self::DeltaWithoutNumber
            | Self::DeltaBeforeBase { .. }
            | Self::DeltaBaseTooNew { .. }
            | Self::Guard(_)
            | Self::NotIndirect { .. }
            | Self::SignerRevoked
            | Self::AttributeCertificates => false,
        }
    }
}
