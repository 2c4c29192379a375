//! What persons did to CRLs that are held, past what CRLs say of themselves: scopes dropped, CRLs taken back
//! or forced past the guard.
//!
//! Noted in the store by whoever does it, server or command, and shown by every status: the next shift and the
//! process after a restart see it as well. The note is written after the work. A crash in between loses the note,
//! not the work; the log has it too. It knows names of issuers and scopes, and no serial number.

use crate::http::InterventionStatus;
use crate::ingest::{EVERYTHING, Report};
use crate::store::{Store, StoreError};
use crate::x509::UnixTime;

/// Those that are kept.
const MOST: usize = 20;
/// The name of the note.
const NOTE: &str = "interventions";

/// The kinds, as statuses name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intervention {
    Dropped,
    RolledBack,
    Forced,
}

impl Intervention {
    const fn word(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::RolledBack => "rolled back",
            Self::Forced => "forced",
        }
    }
}

/// Notes an intervention. That it cannot be noted is logged, and undoes nothing.
pub(super) fn note(store: &Store, what: Intervention, about: InterventionStatus, now: UnixTime) {
    let noted = list(store).and_then(|mut all| {
        all.push(InterventionStatus { at: now.to_string(), what: what.word().to_owned(), ..about });
        let old = all.len().saturating_sub(MOST);
        let json = serde_json::to_vec(all.get(old..).unwrap_or_default()).unwrap_or_default();
        store.set_note(NOTE, &json)
    });
    if let Err(why) = noted {
        tracing::error!(reason = %why, "an intervention cannot be noted in the store");
    }
}

/// Notes that a CRL was taken in past the guard.
pub(super) fn note_forced(store: &Store, report: &Report, now: UnixTime) {
    let scope = if report.scope.is_empty() { EVERYTHING } else { &report.scope };
    let about = InterventionStatus {
        issuer: report.issuer_name.clone(),
        scope: scope.to_owned(),
        detail: format!("the CRL of {} was taken in past the guard", report.this_update),
        ..InterventionStatus::default()
    };
    note(store, Intervention::Forced, about, now);
}

/// The newest last.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn list(store: &Store) -> Result<Vec<InterventionStatus>, StoreError> {
    let octets = store.note(NOTE)?.unwrap_or_default();
    // Written by a release that says more, or says it otherwise: the notes begin anew.
    Ok(serde_json::from_slice(&octets).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_outlive_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let about = |scope: usize| InterventionStatus {
            issuer: "auth".to_owned(),
            scope: scope.to_string(),
            ..InterventionStatus::default()
        };
        {
            let store = Store::open(folder.path(), &super::super::store_options()).unwrap();
            assert_eq!(list(&store).unwrap(), []);
            for scope in 0..MOST + 5 {
                note(&store, Intervention::Dropped, about(scope), UnixTime::from_seconds(0));
            }
            note(&store, Intervention::Forced, about(99), UnixTime::from_seconds(60));
        }
        let store = Store::open_read_only(folder.path(), &super::super::store_options()).unwrap();
        let all = list(&store).unwrap();
        assert_eq!((all.len(), all[0].scope.as_str()), (MOST, "6"));
        let newest = all.last().unwrap();
        assert_eq!(
            (newest.what.as_str(), newest.at.as_str(), newest.scope.as_str()),
            ("forced", "1970-01-01T00:01:00Z", "99")
        );
    }
}
