//! `ocsprey crl drop`: a scope is retired, in the store of a running server or in one at rest.
//!
//! What is kept and why is in `ingest/retire`; here are the copy before it, the words and the note.

use super::copies::Precautions;
use super::interventions::{self, Intervention};
use crate::http::{DropOrder, InterventionStatus};
use crate::ingest::{Manner, NotRetired, retire};
use crate::store::{IssuerNumber, Store};
use crate::x509::UnixTime;
use serde_json::{Value, json};

/// Retires what `order` names, of the CA with this number. A copy of the store comes first: always where it is
/// forced, because holds that are released come back from nowhere else.
///
/// # Errors
/// Why nothing was retired; after an error of the store a part may be.
pub(super) fn drop_scope(
    store: &Store,
    precautions: &mut Precautions,
    issuer: IssuerNumber,
    order: &DropOrder,
    now: UnixTime,
) -> Result<Value, NotRetired> {
    let DropOrder { issuer: name, scope, force } = order;
    let manner = if *force { Manner::Forced } else { Manner::Guarded };
    let retired = retire(store, issuer, scope, *force, now, || precautions.before(store, manner, now))?;
    let detail = format!("{} permanent revocations kept, {} holds released", retired.kept, retired.released);
    let about = InterventionStatus {
        issuer: name.clone(),
        scope: scope.clone(),
        detail,
        ..InterventionStatus::default()
    };
    interventions::note(store, Intervention::Dropped, about, now);
    Ok(json!({
        "issuer": name,
        "scope": scope,
        "outcome": "dropped",
        "kept": retired.kept,
        "released": retired.released,
    }))
}
