//! The places that a configuration names, as the write side takes them: where CRLs come from, where the store is.

use super::working_store_options;
use crate::config::{Config, CrlSource};
use crate::ingest::Source;
use crate::store::{Store, StoreError};
use std::path::PathBuf;
use std::sync::Arc;

/// Beside the rows, because there is room for CRLs.
pub(super) fn scratch(config: &Config) -> PathBuf {
    config.store.path.clone()
}

/// The sources of all issuers; one that two of them name is looked at once.
pub(super) fn sources_of(config: &Config) -> Vec<Source> {
    let mut sources: Vec<Source> = Vec::new();
    for source in config.issuers.iter().flat_map(|issuer| &issuer.crls) {
        let source = match source {
            CrlSource::File(path) => Source::File(path.clone()),
            CrlSource::Folder(path) => Source::Folder(path.clone()),
            CrlSource::Url(url) => Source::Url(url.clone()),
        };
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// Opens the store of a configuration for writing.
///
/// # Errors
/// As [`Store::open`].
pub(super) fn open_store(config: &Config) -> Result<Arc<Store>, StoreError> {
    Store::open(&config.store.path, &working_store_options(config)).map(Arc::new)
}
