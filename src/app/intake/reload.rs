//! SIGHUP: the whole configuration anew, with keys, verifiers, TLS and sources. It is built aside; whatever is wrong
//! with it leaves everything as it was, and is told.

use super::super::copies::Precautions;
use super::super::inventories::Inventories;
use super::super::partitions::Partitions;
use super::super::places::sources_of;
use super::super::signer_life::SignerLife;
use super::super::{Fault, issuers, restart, tls, verifiers};
use super::{Intake, ingest};
use crate::config::Config;
use std::sync::Arc;

impl Intake {
    /// All of the new configuration, or none of it.
    pub(super) fn reload(&mut self) {
        let refused = match self.try_reload() {
            Ok(()) => {
                tracing::info!(file = %self.config.file.display(), "the configuration was reloaded");
                None
            }
            Err(faults) => {
                for fault in &faults {
                    tracing::error!(what = %fault.what, reason = %fault.why, "nothing was reloaded");
                }
                Some((self.shared.clock.now(), faults.iter().map(Fault::to_string).collect()))
            }
        };
        self.shared.state().refused_reload = refused;
    }

    fn try_reload(&mut self) -> Result<(), Vec<Fault>> {
        let file = self.config.file.clone();
        let failed = |why: &dyn std::fmt::Display| vec![Fault::of_file(&file, why)];
        let config = Config::load(&file).map_err(|why| {
            why.lines().into_iter().map(|line| Fault::new("configuration", line)).collect::<Vec<_>>()
        })?;
        restart::tell_fixed(&self.config, &config);
        let loaded = issuers::load(&config, &self.shared.metrics, &self.shared.clock)?;
        let identity = config.server.tls.as_ref().map(tls::load).transpose()?;
        let configured =
            issuers::configured(&config, loaded, &self.shared.store).map_err(|why| failed(&why))?;
        let configured = Arc::new(configured);
        let before = self.shared.gate.as_ref().map(|gate| gate.registry());
        let registry = verifiers::registered(&config, &configured, &self.shared.store, before.as_deref())?;
        self.shared.publish(&configured).map_err(|why| failed(&why))?;
        if let (Some(gate), Some(registry)) = (&self.shared.gate, registry) {
            gate.replace(registry);
        }
        if let (Some(tls), Some(identity)) = (&self.shared.tls, identity) {
            tls.replace(identity);
        }
        self.ingest = ingest(&self.shared, &config, &configured);
        self.sources = self.sources.replaced(sources_of(&config), config.fetch);
        self.inventories = Inventories::of(&config, &configured);
        // Everything is looked at again, and brought again.
        self.partitions = Partitions::default();
        self.signer_life = SignerLife::default();
        self.precautions = Precautions::of(&config);
        self.shared.state().backups.clone_from(&config.store.backups);
        self.retry.clear();
        self.config = config;
        self.configured = configured;
        Ok(())
    }
}
