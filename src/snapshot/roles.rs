//! What the rows of a scope count for, and for how long: those of the complete CRL, and of the delta CRL on top of it.
//!
//! A revocation counts whichever scope it stands in, also one that `good` does not rest on. What is permanent counts
//! for ever; a hold as long as somebody may still release it:
//!
//! - Of a scope in force, until its CRLs run out.
//! - Of one whose CRLs others have taken the place of (RFC 5280 5.2.4, a newer complete CRL; and a newer key), never: what
//!   these do not list was released. What is permanent counts as long as what took the place, as if it were kept
//!   beyond that CRL; and until the CRL runs out that said it.
//! - Of one that nobody goes on with, because it was retired or its signer is not configured any more, until its CRL runs
//!   out, and then nothing is known. What is permanent does not run out.

use super::scopes::{Scope, Window, window};
use super::signers::Next;
use crate::store::ScopeNumber;
use crate::x509::UnixTime;
use std::collections::HashMap;

/// What the rows under a scope's number count for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Role {
    /// The time for which what is permanent is known.
    pub own: Window,
    /// The time for which the CRL speaks together with the delta CRL in force, or that with it: for a hold.
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
    /// Only what is permanent still counts: a delta CRL that a complete one has overtaken, or either of an old key whose
    /// CRLs a newer one goes on with.
    Overtaken,
}

/// The roles of an issuer's scopes. `next` is what takes the place of some of them, `all` the window of the issuer as
/// a whole, where it has one.
pub(super) fn roles(
    scopes: &[Scope<'_>],
    next: &HashMap<ScopeNumber, Next<'_>>,
    all: Option<Window>,
) -> HashMap<ScopeNumber, Role> {
    let mut roles = HashMap::with_capacity(scopes.len());
    for scope in scopes {
        let number = scope.complete.number;
        let (complete, delta) = match next.get(&number) {
            _ if scope.complete.is_retired() => left(scope, all),
            Some(Next::Nobody) => left(scope, all),
            Some(Next::Scope(next)) => overtaken(scope, next),
            None => in_force(scope, window(scope.complete), scope.window()),
        };
        roles.insert(number, complete);
        if let Some(record) = scope.delta {
            roles.insert(record.number, delta);
        }
    }
    roles
}

/// Of the complete and the delta CRL of a scope. `permanent` is for what is permanent on the delta CRL in force.
fn in_force(scope: &Scope<'_>, own: Window, permanent: Window) -> (Role, Role) {
    let together = scope.window();
    let delta = scope.delta_in_force().map(|delta| delta.number);
    let of_delta = match delta {
        Some(_) => Role { own: permanent, together, layer: RoleLayer::Delta },
        // What an overtaken delta CRL still says, it says for as long as the complete one lasts.
        None => Role { own, together, layer: RoleLayer::Overtaken },
    };
    (Role { own, together, layer: RoleLayer::Complete { delta } }, of_delta)
}

/// What is permanent is as well known as what the other scopes say.
fn left(scope: &Scope<'_>, all: Option<Window>) -> (Role, Role) {
    let own = window(scope.complete);
    let this_update = all.map_or(own.this_update, |all| all.this_update.max(own.this_update));
    let own = Window { this_update, next_update: UnixTime::MAX };
    in_force(scope, own, own)
}

fn overtaken(scope: &Scope<'_>, next: &Scope<'_>) -> (Role, Role) {
    let (own, next) = (window(scope.complete), window(next.complete));
    let own = Window {
        this_update: own.this_update.max(next.this_update),
        next_update: own.next_update.max(next.next_update),
    };
    let role = Role { own, together: own, layer: RoleLayer::Overtaken };
    (role, role)
}
