//! Everything that serving would need, looked at without serving: `ocsprey check`.

#![expect(
    clippy::disallowed_methods,
    reason = "checking writes nothing beside the store; what does not fit into memory goes to the system's temporary folder"
)]

use super::issuers::LoadedIssuer;
use super::{Fault, issuers, places, signer_life, tls, verifiers};
use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::{IngestOptions, Judge, Sources};
use crate::metrics::Metrics;
use crate::store::{Store, StoreError};
use std::net::{SocketAddr, TcpListener};

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// With any of these nothing is served.
    pub faults: Vec<Fault>,
    /// What will be wrong before long.
    pub warnings: Vec<Fault>,
}

/// Says all that is wrong: keys, certificates, CRLs, the store, the ports.
///
/// Files that are named and not there are [`Config::unreadable_files`]'s to tell; they are passed over.
#[must_use]
pub fn check(config: &Config, clock: &Clock) -> Findings {
    let Findings { mut faults, mut warnings } = Findings::default();
    match Metrics::new() {
        Ok(metrics) => match issuers::load(config, &metrics, clock) {
            Ok(loaded) => warnings.extend(ending_signers(&loaded, clock)),
            Err(found) => faults.extend(found),
        },
        Err(why) => faults.push(Fault::new("metrics", why)),
    }
    if let Some(config) = &config.server.tls {
        faults.extend(tls::load(config).err().unwrap_or_default());
        let (over, soon) = tls::ends(config, clock.now());
        faults.extend(over);
        warnings.extend(soon);
    }
    let (wrong, soon) = verifiers::check(config, clock);
    faults.extend(wrong);
    warnings.extend(soon);
    faults.extend(check_crls(config, clock));
    faults.extend(config.audit.as_ref().and_then(|audit| super::audit_key(&audit.key).err()));
    let mut is_served = false;
    match Store::open_read_only(&config.store.path, &super::store_options()) {
        Ok(store) => {
            drop(store);
            // Only whoever could write it knows that nobody else does.
            is_served = matches!(
                Store::open(&config.store.path, &super::store_options()),
                Err(StoreError::InUse { .. })
            );
        }
        Err(StoreError::Missing { .. }) => {}
        Err(why) => faults.push(Fault::new("store.path", why)),
    }
    let listeners = config.server.listeners();
    for (key, address) in listeners.chain(config.admin.listen.map(|address| ("admin.listen", address))) {
        faults.extend(check_address(key, address, is_served));
    }
    Findings { faults, warnings }
}

fn ending_signers(loaded: &[LoadedIssuer], clock: &Clock) -> Vec<Fault> {
    let now = clock.now();
    let keys = loaded.iter().flat_map(|issuer| issuer.keys.iter().map(move |key| (&issuer.name, key)));
    let fault = |name, why| Fault::new(format!("issuer \"{name}\" signer"), why);
    keys.flat_map(|(name, key)| signer_life::endings(key, now).map(move |why| fault(name, why))).collect()
}

fn check_crls(config: &Config, clock: &Clock) -> Vec<Fault> {
    let authorities = issuers::authorities(config);
    if authorities.iter().any(|authority| authority.keys.is_empty()) {
        // A CA certificate is missing, which was told: all its CRLs would only seem to be foreign.
        return Vec::new();
    }
    let scratch = std::env::temp_dir();
    let judge = Judge::new(authorities, scratch.clone(), clock.clone(), IngestOptions::default());
    let mut sources = Sources::new(places::sources_of(config), config.fetch, scratch, clock.clone());
    let mut faults = Vec::new();
    for arrival in sources.look_and_wait() {
        let content = match sources.open(&arrival) {
            Ok(Some(content)) => content,
            Ok(None) => continue,
            Err(why) => {
                faults.push(Fault::new(&arrival, why));
                continue;
            }
        };
        match judge.judge(content) {
            Ok(judged) if judged.report().next_update <= clock.now() => {
                let why = format!(
                    "ran out at {}: answers that depend on it would be tryLater (get a newer one from the CA)",
                    judged.report().next_update
                );
                faults.push(Fault::new(&arrival, why));
            }
            Ok(_) => {}
            Err(why) => faults.push(Fault::new(&arrival, format!("the CRL {why}"))),
        }
    }
    faults
}

/// A plain socket, without SO_REUSEPORT: with it, two servers could both have the port.
fn check_address(key: &str, address: SocketAddr, is_served: bool) -> Option<Fault> {
    match TcpListener::bind(address) {
        Ok(_) => None,
        // A server runs on this very store: it is the one that has the port.
        Err(why) if why.kind() == std::io::ErrorKind::AddrInUse && is_served => None,
        Err(why) if why.kind() == std::io::ErrorKind::AddrInUse => Some(Fault::new(
            key,
            format!(
                "port {} of {} is in use by another program (stop it, or name another port)",
                address.port(),
                address.ip()
            ),
        )),
        Err(why) => Some(Fault::new(key, format!("cannot listen on {address}: {why}"))),
    }
}
