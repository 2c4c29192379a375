//! Inventories, as the intake looks at them. A country's takes minutes to read, and no revocation waits for that: what
//! the intake is told is done after each chunk, and the sources are looked at as often as ever.

use super::{Command, Intake, LOOK_EVERY};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

impl Intake {
    /// Loads what is new of the inventories.
    pub(super) fn look_at_inventories(&mut self, commands: &Receiver<Command>) {
        let mut inventories = std::mem::take(&mut self.inventories);
        let (store, configured) = (Arc::clone(&self.shared.store), Arc::clone(&self.configured));
        let mut last_sweep = Instant::now();
        let loaded = inventories.load(
            &store,
            |_| {},
            || {
                while let Ok(command) = commands.try_recv() {
                    self.obey(command);
                }
                if !self.is_told_to_stop && last_sweep.elapsed() >= LOOK_EVERY {
                    self.sweep(commands);
                    self.publish_now();
                    last_sweep = Instant::now();
                }
                !self.is_told_to_stop && Arc::ptr_eq(&self.configured, &configured)
            },
        );
        for fault in loaded.err().into_iter().flatten() {
            tracing::error!(source = %fault.what, reason = %fault.why, "an inventory was not loaded");
            self.sources.settle(&fault.what, Some(fault.why));
        }
        if inventories.take_changed() {
            self.unpublished.get_or_insert_with(Instant::now);
        }
        // After a reload those of the new configuration are there already.
        if Arc::ptr_eq(&self.configured, &configured) {
            self.inventories = inventories;
        }
    }
}
