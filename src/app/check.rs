//! Everything that serving would need, looked at without serving: `ocsprey check`.

use super::{Fault, intake, issuers};
use crate::clock::Clock;
use crate::config::Config;
use crate::ingest::{Arrival, IngestOptions, Judge, Sources};
use crate::metrics::Metrics;
use crate::snapshot::Configured;
use crate::store::{IssuerNumber, Store, StoreError};
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

/// Says all that is wrong: keys, certificates, CRLs, the store, the ports.
///
/// Files that are named and not there are [`Config::unreadable_files`]'s to tell; they are passed over.
#[must_use]
pub fn check(config: &Config, clock: &Clock) -> Vec<Fault> {
    let mut faults = Vec::new();
    match Metrics::new() {
        Ok(metrics) => match issuers::load(config, &metrics, clock) {
            Ok(loaded) => {
                let number = |_: &[u8]| Ok::<_, Infallible>(IssuerNumber::UNKNOWN);
                let Ok(configured) = issuers::configured_with(config, loaded, number);
                faults.extend(check_crls(config, Arc::new(configured), clock));
            }
            Err(found) => faults.extend(found),
        },
        Err(why) => faults.push(Fault::new("metrics", why)),
    }
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
    let listeners = config.server.listen.iter().map(|address| ("server.listen", *address));
    for (key, address) in listeners.chain(config.admin.listen.map(|address| ("admin.listen", address))) {
        faults.extend(check_address(key, address, is_served));
    }
    faults
}

fn check_crls(config: &Config, configured: Arc<Configured>, clock: &Clock) -> Vec<Fault> {
    let judge = Judge::new(configured, std::env::temp_dir(), clock.clone(), IngestOptions::default());
    let mut sources = Sources::new(intake::sources_of(config), Duration::ZERO);
    let mut faults = Vec::new();
    for arrival in sources.look() {
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
        if let Arrival::Url(url) = &arrival {
            sources.settle(url, None);
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
