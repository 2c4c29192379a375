//! What a reload cannot change: sockets that stand, memory that was taken.

use super::presigning::RefreshOptions;
use crate::config::Config;

/// Says which settings of `after` wait for a restart, because another one is in force since `before`.
pub(super) fn tell_fixed(before: &Config, after: &Config) {
    let fixed = [
        ("server.listen", !after.server.listeners().eq(before.server.listeners())),
        ("server.workers", after.server.workers != before.server.workers),
        ("verifiers", after.verifiers.is_some() != before.verifiers.is_some()),
        ("admin.listen", after.admin != before.admin),
        ("store.path", after.store.path != before.store.path),
        ("store.cache_size", after.store.cache_size != before.store.cache_size),
        ("response.refresh_threads", RefreshOptions::of(after) != RefreshOptions::of(before)),
        ("audit", after.audit != before.audit),
        ("usage", after.usage != before.usage),
        ("telemetry", after.telemetry != before.telemetry),
        ("response.cache_size", after.response.cache_size != before.response.cache_size),
    ];
    for (key, _) in fixed.iter().filter(|(_, changed)| *changed) {
        tracing::warn!(key, "this setting changes only with a restart");
    }
}
