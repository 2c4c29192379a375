//! Why a certificate was revoked (RFC 5280 5.3.1).

use std::fmt;

/// `CRLReason`. Value 7 is not used by the standard and has no name here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CrlReason {
    Unspecified = 0,
    KeyCompromise = 1,
    CaCompromise = 2,
    AffiliationChanged = 3,
    Superseded = 4,
    CessationOfOperation = 5,
    CertificateHold = 6,
    RemoveFromCrl = 8,
    PrivilegeWithdrawn = 9,
    AaCompromise = 10,
}

impl CrlReason {
    /// Every reason, in order of value.
    pub const ALL: [Self; 10] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::RemoveFromCrl,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The reason with this ENUMERATED value.
    #[must_use]
    pub fn from_value(value: u8) -> Option<Self> {
        // No search: it is asked for each of the entries of a CRL, and for each row that is read.
        const OF_VALUE: [Option<CrlReason>; 11] = [
            Some(CrlReason::Unspecified),
            Some(CrlReason::KeyCompromise),
            Some(CrlReason::CaCompromise),
            Some(CrlReason::AffiliationChanged),
            Some(CrlReason::Superseded),
            Some(CrlReason::CessationOfOperation),
            Some(CrlReason::CertificateHold),
            None,
            Some(CrlReason::RemoveFromCrl),
            Some(CrlReason::PrivilegeWithdrawn),
            Some(CrlReason::AaCompromise),
        ];
        OF_VALUE.get(usize::from(value)).copied().flatten()
    }

    #[must_use]
    pub const fn value(self) -> u8 {
        self as u8
    }

    /// Its name in RFC 5280.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for CrlReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a CRL says of one certificate: since when, why, and since when its key is suspected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// `revocationDate` of the entry, exactly.
    pub time: super::UnixTime,
    /// `None` where the entry has no reasonCode or says `unspecified`, which RFC 5280 5.3.1 wants left out.
    pub reason: Option<CrlReason>,
    /// The `invalidityDate` extension (RFC 5280 5.3.2).
    pub invalidity: Option<super::UnixTime>,
}

impl Revocation {
    /// Whether it may be undone: only `certificateHold` may (RFC 5280 5.3.1).
    #[must_use]
    pub fn is_hold(&self) -> bool {
        self.reason == Some(CrlReason::CertificateHold)
    }

    /// Whether a delta CRL lifts a hold by it, so that it is no revocation at all (RFC 5280 5.3.1).
    #[must_use]
    pub fn is_removal(&self) -> bool {
        self.reason == Some(CrlReason::RemoveFromCrl)
    }

    /// Whether it can never be undone.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        !self.is_hold() && !self.is_removal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s5_3_1_seven_is_not_a_reason() {
        assert_eq!(CrlReason::from_value(7), None);
        assert_eq!(CrlReason::from_value(11), None);
        assert!(CrlReason::ALL.iter().all(|&reason| CrlReason::from_value(reason.value()) == Some(reason)));
    }
}
