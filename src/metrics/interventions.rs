//! What persons did to CRLs that are held: `crl_interventions_total`.

use super::families::Families;
use prometheus::{IntCounter, IntCounterVec};

/// The family, from which each issuer has its counters.
pub(super) struct Interventions(IntCounterVec);

/// What one issuer counts.
#[derive(Debug)]
pub struct InterventionCounters {
    /// Scopes retired.
    pub dropped: IntCounter,
    /// Scopes whose CRL was taken back.
    pub rolled_back: IntCounter,
    /// CRLs taken in past the guard.
    pub forced: IntCounter,
}

impl Interventions {
    pub fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        let family = families.counters(
            "crl_interventions_total",
            "What persons did to CRLs since the process began: dropped (a scope), rolled_back (a scope's CRL), forced (a \
             CRL past the guard).",
            &["issuer", "kind"],
        )?;
        Ok(Self(family))
    }

    pub fn of(&self, issuer: &str) -> InterventionCounters {
        let kind = |kind: &str| self.0.with_label_values(&[issuer, kind]);
        InterventionCounters {
            dropped: kind("dropped"),
            rolled_back: kind("rolled_back"),
            forced: kind("forced"),
        }
    }
}
