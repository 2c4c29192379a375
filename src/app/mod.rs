//! The life of a serving process, and the commands that work on its parts.
//!
//! [`serve`] opens the store, loads keys ([`issuers`]), publishes a first snapshot, starts the workers
//! ([`workers`]) and the intake ([`intake`]), and then waits for signals: SIGHUP reloads, SIGTERM and
//! SIGINT drain. [`check`] looks at everything that this would need; [`offline`] takes CRLs and
//! inventories in while nobody serves; [`copies`] copies the store, and [`rollback`] goes back to copies.
//!
//! What is wrong is told as [`Fault`]s: all of it, one line each.

mod bills;
mod check;
mod copies;
mod drill;
mod explain;
mod handed_over;
mod intake;
mod interventions;
mod inventories;
mod issuers;
mod lookout;
mod offline;
mod partitions;
mod places;
mod presigning;
mod priority;
mod quarantine;
mod records;
mod restart;
mod retiring;
mod rollback;
mod samples;
mod serve;
mod signer_life;
mod status;
mod supervisor;
mod tls;
mod verifiers;
mod workers;

pub use bills::usage_report;
pub use check::{Findings, check};
pub use copies::{back_up_store, restore_store, take_back_in_store, verify_store};
pub use drill::{DrillReport, drill};
pub use offline::{Ingested, Step, ingest_crls, load_inventory, prepare, retire_scope, status_of_store};
pub use presigning::{PresignReport, presign};
pub use records::audit_key;
pub use rollback::NotTakenBack;
pub use serve::serve;
pub use verifiers::list as list_verifiers;

use crate::audit::AuditError;
use crate::cli::InventoryError;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::ListenError;
use crate::metrics::MetricsError;
use crate::signing::SignError;
use crate::store::{RestoreError, StoreError, StoreOptions};
use std::fmt;
use std::path::Path;

/// One thing that is in the way, in the words of the one who has to move it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What it is about: a file, or `issuer "name" key`.
    pub what: String,
    pub why: String,
}

impl Fault {
    fn new(what: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self { what: what.to_string(), why: why.to_string() }
    }

    fn of_file(path: &Path, why: impl fmt::Display) -> Self {
        Self::new(path.display(), why)
    }
}

/// `WHAT: WHY`, on one line.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// Why the process cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The configuration, or the files it names: exit code 2.
    #[error("{}", .0.first().map_or_else(String::new, Fault::to_string))]
    Faults(Vec<Fault>),
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A backup was not put in the place of the store.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// An inventory cannot be read to its end.
    #[error(transparent)]
    Entries(InventoryError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the metrics cannot be set up: {0}")]
    Metrics(#[from] MetricsError),
    /// Its message begins with what it is about.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// A key did not sign beforehand.
    #[error("an OCSP signer: {0}")]
    Presign(SignError),
    /// A thread or a runtime could not be had.
    #[error("{what}: {why}")]
    System { what: &'static str, why: std::io::Error },
    #[error("a part of the server ended by itself: {0}")]
    Ended(&'static str),
}

/// What will be wrong with the registry of verifiers before long, or is not as somebody may have meant it.
#[must_use]
pub fn check_verifiers(config: &Config, clock: &Clock) -> Vec<Fault> {
    verifiers::check(config, clock).1
}

/// How the store is opened by whoever looks at it for a moment.
fn store_options() -> StoreOptions {
    StoreOptions::default()
}

/// How the store is opened by whoever works with it.
fn working_store_options(config: &Config) -> StoreOptions {
    let cache_bytes = usize::try_from(config.store.cache_size).unwrap_or(usize::MAX);
    StoreOptions { cache_bytes, ..StoreOptions::default() }
}
