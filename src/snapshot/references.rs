//! Which CRL an answer names (RFC 6960 4.4.2), where the operator wants it named.
//!
//! Built with each snapshot, so that a reference is always that of the CRL in force; asked by `respond` for every
//! certificate. Encoded once for each CRL: an answer only copies it.
//!
//! Rules:
//! - A revocation names the CRL that lists it: of a delta CRL and its complete one the one whose entry decided. What
//!   is on no CRL in force any more, because it is kept beyond one, names none.
//! - `good` names a CRL only where it rests on that one alone: no partition by reasons, no delta CRL beside it.
//! - A URL is given where the CRL's distribution point has one, and never of a delta CRL: at that URL the complete
//!   one is to be had.

use super::scopes::Scope;
use crate::asn1::{Reader, tag};
use crate::ocsp::CrlId;
use crate::store::{DistributionPointNumber, Layer, ScopeNumber, ScopeRecord};
use crate::x509::each_general_name;
use std::collections::HashMap;
use std::sync::Arc;

/// Which answers name the CRL that they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrlReferences {
    /// None does.
    #[default]
    Omit,
    /// Those that say revoked, as RFC 6960 4.4.2 has it.
    NameOfRevoked,
    /// Those that say good, too, where one CRL says it.
    NameOfAll,
}

/// What an answer about one certificate rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// No CRL that could be named.
    Unnamed,
    /// An entry in the CRL of this scope.
    Entry(ScopeNumber),
    /// No entry in any CRL.
    Whole,
    /// No entry in the CRLs of this distribution point.
    Point(DistributionPointNumber),
}

/// One whole extension in DER, as each answer that names the CRL repeats it.
pub type CrlReference = Arc<[u8]>;

/// The references of one CA key.
#[derive(Debug, Clone, Default)]
pub(super) struct References {
    by_scope: HashMap<ScopeNumber, CrlReference>,
    whole: Option<CrlReference>,
    /// For each distribution point that can be answered for, and for those that only CRLs without one cover.
    by_point: HashMap<Option<DistributionPointNumber>, Option<CrlReference>>,
}

impl References {
    /// To all CRLs in force.
    pub fn new(scopes: &[Scope<'_>]) -> Self {
        let complete = scopes.iter().map(|scope| scope.complete).filter(|record| !record.is_retired());
        let deltas = scopes.iter().filter_map(Scope::delta_in_force);
        let named = complete.chain(deltas).filter_map(|record| Some((record.number, reference(record)?)));
        Self { by_scope: named.collect(), ..Self::default() }
    }

    /// Has `good` name a CRL, too. The arguments are what it rests on: all of the CA, and of each point.
    pub fn of_good<'a, 'b: 'a>(
        mut self,
        relevant: &[Scope<'b>],
        points: impl Iterator<Item = (Option<DistributionPointNumber>, &'a [Scope<'b>])>,
    ) -> Self {
        self.whole = self.sole(relevant);
        self.by_point = points.map(|(point, speaking)| (point, self.sole(speaking))).collect();
        self
    }

    pub fn get(&self, source: Source) -> Option<&CrlReference> {
        match source {
            Source::Unnamed => None,
            Source::Entry(scope) => self.by_scope.get(&scope),
            Source::Whole => self.whole.as_ref(),
            // As the window of a point is found.
            Source::Point(point) => {
                self.by_point.get(&Some(point)).or_else(|| self.by_point.get(&None))?.as_ref()
            }
        }
    }

    fn sole(&self, scopes: &[Scope<'_>]) -> Option<CrlReference> {
        match scopes {
            [only] if only.delta_in_force().is_none() => self.by_scope.get(&only.complete.number).cloned(),
            _ => None,
        }
    }
}

fn reference(record: &ScopeRecord) -> Option<CrlReference> {
    let crl = &record.crl;
    let is_complete = crl.key.layer == Layer::Complete;
    let id = CrlId {
        url: is_complete.then(|| url(&crl.key.distribution_point)).flatten(),
        number: (!crl.crl_number.is_empty()).then_some(&crl.crl_number[..]),
        time: Some(crl.this_update),
    };
    id.extension().map(Arc::from)
}

/// The first URI of a distribution point.
fn url(point: &[u8]) -> Option<&[u8]> {
    const URI: u8 = tag::context(6);
    each_general_name(point).find_map(|name| {
        let name = Reader::new(name).element().ok()?;
        (name.tag == URI && name.content.is_ascii()).then_some(name.content)
    })
}
