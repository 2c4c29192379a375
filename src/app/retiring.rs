//! `ocsprey crl drop`: a scope is retired, in the store of a running server or in one at rest.
//!
//! What is kept and why is in `ingest/retire`; here are the copy before it, the words and the note.

use super::copies::Precautions;
use super::interventions::{self, Intervention};
use crate::http::{DropOrder, InterventionStatus};
use crate::ingest::{Manner, NotRetired, Whose, retire, signer_name};
use crate::snapshot::{CrlSigner, CrlSigners, Issuer};
use crate::store::{ScopeKey, Store};
use crate::x509::UnixTime;
use serde_json::{Value, json};

/// Retires what `order` names, of this CA. A copy of the store comes first: always where it is forced, because holds
/// that are released come back from nowhere else. The report, and what was retired.
///
/// # Errors
/// Why nothing was retired; after an error of the store a part may be.
pub(super) fn drop_scope(
    store: &Store,
    precautions: &mut Precautions,
    issuer: &Issuer,
    order: &DropOrder,
    now: UnixTime,
) -> Result<(Value, Vec<ScopeKey>), NotRetired> {
    let DropOrder { issuer: name, scope, signer, force } = order;
    let manner = if *force { Manner::Forced } else { Manner::Guarded };
    let meant = (scope.as_str(), Whose::read(signer.as_deref()));
    let retired = retire(store, issuer, meant, *force, now, || precautions.before(store, manner, now))?;
    let signers = CrlSigners::of(issuer);
    let staying = signers_json(&retired.staying, &signers);
    let mut detail =
        format!("{} permanent revocations kept, {} holds released", retired.kept, retired.released);
    for one in &staying {
        let stays = one["signer"].as_str().unwrap_or_default();
        detail.push_str(&format!("; what {stays} signed stays"));
    }
    let about = InterventionStatus {
        issuer: name.clone(),
        scope: scope.clone(),
        detail,
        ..InterventionStatus::default()
    };
    interventions::note(store, Intervention::Dropped, about, now);
    let report = json!({
        "issuer": name,
        "scope": scope,
        "outcome": "dropped",
        "kept": retired.kept,
        "released": retired.released,
        "retired": signers_json(&retired.scopes, &signers),
        "staying": staying,
    });
    Ok((report, retired.scopes))
}

/// Who signed these, each once.
fn signers_json(keys: &[ScopeKey], signers: &CrlSigners) -> Vec<Value> {
    let mut all: Vec<_> = keys.iter().map(|key| (signers.find(&key.signing_key), signer_name(key))).collect();
    all.sort();
    all.dedup();
    let one = |(by, name): (Option<CrlSigner>, String)| {
        let is = match by {
            Some(CrlSigner::Key(0)) => "the newest key",
            Some(CrlSigner::Key(_)) => "an older key",
            Some(CrlSigner::CrlIssuer) => "another CRL issuer",
            None => "a key that is not configured",
        };
        json!({ "signer": name, "is": is })
    };
    all.into_iter().map(one).collect()
}
