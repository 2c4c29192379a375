//! Which CRL an answer's thisUpdate is of, as far as one can say: see the head of `mod.rs`.

use super::record::Source;
use crate::snapshot::{Generation, Snapshot};
use crate::store::{Epoch, IssuerNumber};
use crate::x509::UnixTime;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// The CRLs in force, by issuer and thisUpdate. Made anew when others are in force.
#[derive(Default)]
pub struct Sources {
    of: Option<(Generation, Epoch)>,
    by_time: HashMap<(IssuerNumber, UnixTime), Source>,
}

impl Sources {
    /// Of the CRLs in `snapshot`.
    pub fn look(&mut self, snapshot: &Snapshot) {
        let of = Some((snapshot.generation(), snapshot.view().epoch()));
        if self.of == of {
            return;
        }
        self.of = of;
        self.by_time.clear();
        for scope in snapshot.view().scopes() {
            match self.by_time.entry((scope.issuer(), scope.crl.this_update)) {
                Entry::Vacant(place) => {
                    let crl_number = scope.crl.crl_number.clone();
                    place.insert(Source::One { scope: scope.number.get(), crl_number });
                }
                Entry::Occupied(mut place) => {
                    place.insert(Source::Several);
                }
            }
        }
    }

    pub fn find(&self, issuer: IssuerNumber, this_update: UnixTime) -> Source {
        self.by_time.get(&(issuer, this_update)).cloned().unwrap_or(Source::None)
    }
}
