//! The one pointer between the write side and the requests.

#![expect(clippy::disallowed_types, reason = "only the writer takes it, when it publishes")]

use super::Snapshot;
use arc_swap::{ArcSwap, Guard};
use std::sync::{Arc, Mutex, PoisonError};

/// The current [`Snapshot`]. Loading it takes no lock and waits for nobody.
#[derive(Debug)]
pub struct Published {
    current: ArcSwap<Snapshot>,
    /// Snapshots that requests may still hold. Freeing one frees a RocksDB snapshot and thousands of
    /// scopes, which must happen here and never at the end of somebody's request.
    retired: Mutex<Vec<Arc<Snapshot>>>,
}

impl Published {
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self { current: ArcSwap::from_pointee(snapshot), retired: Mutex::new(Vec::new()) }
    }

    /// The current snapshot.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// Makes `snapshot` current. Requests that began before finish with the one they loaded.
    pub fn publish(&self, snapshot: Snapshot) {
        let old = self.current.swap(Arc::new(snapshot));
        let mut retired = self.retired.lock().unwrap_or_else(PoisonError::into_inner);
        retired.push(old);
        // A count of one is ours alone: nobody can get hold of a retired snapshot any more.
        retired.retain(|snapshot| Arc::strong_count(snapshot) > 1);
    }
}
