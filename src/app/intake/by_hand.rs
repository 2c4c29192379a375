//! What persons have the intake do: take a CRL that they bring, take one back, retire a scope.
//!
//! All of it on the intake's thread, so that nothing else writes meanwhile, and visible in every answer before
//! it is reported.

use super::super::copies::backup_named;
use super::super::interventions;
use super::super::retiring::drop_scope;
use super::super::rollback::{NotTakenBack, Source, take_back};
use super::{Intake, Ordered, SUBMITTED, Submitted};
use crate::http::{DropOrder, Order, Refusal, RollbackOrder};
use crate::ingest::{Arrival, Manner, Report};
use crate::snapshot::{Configured, Issuer};
use crate::store::{ScopeKey, StoreError};
use serde_json::{Value, json};
use std::io::Cursor;
use std::sync::Arc;
use std::time::Instant;

/// Sources that a report names, and scopes that the log does.
const MOST_NAMED: usize = 20;

impl Intake {
    pub(super) fn take_submitted(&mut self, submitted: Submitted) {
        let result = self.submit(&submitted);
        let result = self.seen(result);
        // Whoever asked may be gone; the CRL is in all the same.
        let _ = submitted.answer.send(result);
    }

    pub(super) fn carry_out(&mut self, ordered: Ordered) {
        let result = match &ordered.order {
            Order::Drop(order) => self.drop_scope(order),
            Order::RollBack(order) => self.roll_back(order),
        };
        let result = self.seen(result);
        let _ = ordered.answer.send(result);
    }

    /// On the disk and visible before it is reported.
    fn seen(&mut self, result: Result<Value, Refusal>) -> Result<Value, Refusal> {
        self.publish_now();
        self.show();
        match self.unpublished {
            None => result,
            Some(_) => result.and_then(|_| {
                let why = "the store has it, and answers do not show it yet: the log says why";
                Err(Refusal::Unavailable(why.to_owned()))
            }),
        }
    }

    fn submit(&mut self, submitted: &Submitted) -> Result<Value, Refusal> {
        let started = Instant::now();
        let mut steps = self.traces.steps(submitted.manner);
        self.take_precautions(submitted.manner, &mut steps);
        // Whoever brought it throws it away once it is reported, which is not before `seen` had it on the disk. A
        // disk that refuses then leaves it unpublished, and to be published: not forgotten.
        let outcome = self.ingest.refresh_timed(Cursor::new(&submitted.crl), submitted.manner, &mut steps);
        if submitted.manner != Manner::Rehearsed {
            self.trace(None, steps, (started, Instant::now()), &outcome);
            self.tell(SUBMITTED, &outcome, started, submitted.arrived);
        }
        if let Ok(report) = &outcome
            && report.is_applied()
        {
            if submitted.manner == Manner::Forced {
                self.tell_forced(report);
            }
            self.look_at_refused();
        }
        match outcome {
            Ok(report) => Ok(super::super::status::report_json(&report, started.elapsed())),
            Err(why) if why.is_ours() => Err(Refusal::Unavailable(why.to_string())),
            Err(why) => Err(Refusal::Unacceptable(format!("the CRL {why}"))),
        }
    }

    /// What stands refused at its source may be right now: with another look that ends.
    fn look_at_refused(&mut self) {
        for name in self.quarantine.sources() {
            self.sources.retry(&Arrival::File(name.into()));
            self.sources.retry(&Arrival::Url(name.to_owned()));
        }
    }

    fn tell_forced(&self, report: &Report) {
        let issuer = &report.issuer_name;
        tracing::warn!(issuer, scope = report.scope, "a CRL was taken in without asking the guard");
        self.shared.metrics.issuer(issuer).interventions.forced.inc();
        interventions::note_forced(&self.shared.store, report, self.shared.clock.now());
    }

    fn drop_scope(&mut self, order: &DropOrder) -> Result<Value, Refusal> {
        let (started, configured) = (Instant::now(), Arc::clone(&self.configured));
        let issuer = issuer_of(&configured, &order.issuer)?;
        let (store, now) = (&self.shared.store, self.shared.clock.now());
        let dropped = drop_scope(store, &mut self.precautions, issuer, order, now);
        // After an error of the store a part may be done.
        self.unpublished.get_or_insert(started);
        let (mut report, keys) = dropped.map_err(|why| {
            let refusal = if why.is_theirs() { Refusal::Unacceptable } else { Refusal::Unavailable };
            refusal(why.to_string())
        })?;
        let DropOrder { issuer, scope, .. } = order;
        let (kept, released) = (report["kept"].as_u64(), report["released"].as_u64());
        tracing::warn!(issuer, scope, kept, released, "a CRL scope was dropped by hand");
        self.shared.metrics.issuer(issuer).interventions.dropped.inc();
        report["sources"] = self.look_again(&keys.iter().collect::<Vec<_>>());
        report["seconds"] = json!(started.elapsed().as_secs_f64());
        Ok(report)
    }

    fn roll_back(&mut self, order: &RollbackOrder) -> Result<Value, Refusal> {
        let (started, number) = (Instant::now(), issuer_of(&self.configured, &order.issuer)?.number);
        let backups = self.config.store.backups.as_deref();
        let named = order.from.as_ref().map(|name| backup_named(backups, name)).transpose()?;
        let source = match &named {
            Some(path) => Source::This(path),
            None => Source::Newest(self.precautions.folder()),
        };
        let taken = take_back(&self.shared.store, number, order, source, self.shared.clock.now());
        // After an error of the store some scopes may have gone back.
        self.unpublished.get_or_insert(started);
        let (mut report, keys) = taken.map_err(|why| match why {
            NotTakenBack::NoSuchScope
            | NotTakenBack::NothingBefore
            | NotTakenBack::Same
            | NotTakenBack::Store(StoreError::Missing { .. } | StoreError::NotACopy { .. }) => {
                Refusal::Unacceptable(why.to_string())
            }
            NotTakenBack::Store(why) => Refusal::Unavailable(why.to_string()),
        })?;
        let (issuer, from) = (&order.issuer, report["from"].as_str());
        for scope in report["scopes"].as_array().into_iter().flatten().take(MOST_NAMED) {
            let (scope, number) = (scope["scope"].as_str(), scope["taken_back"]["crl_number"].as_str());
            tracing::warn!(issuer, scope, number, from, "a CRL was taken back by hand");
        }
        let count = keys.len() as u64;
        if keys.len() > MOST_NAMED {
            tracing::warn!(issuer, count, from, "so many CRLs were taken back by hand in all");
        }
        self.shared.metrics.issuer(issuer).interventions.rolled_back.inc_by(count);
        self.look_at_refused();
        report["sources"] = self.look_again(&keys.iter().collect::<Vec<_>>());
        report["seconds"] = json!(started.elapsed().as_secs_f64());
        Ok(report)
    }

    /// Has the sources looked at again whose CRLs are of these scopes: what lies there is refused now, and
    /// whoever gave the order shall hear of it today, not after the next restart. Their names.
    fn look_again(&mut self, keys: &[&ScopeKey]) -> Value {
        let names = self.partitions.forget(keys);
        for name in &names {
            self.sources.retry(&Arrival::File(name.into()));
            self.sources.retry(&Arrival::Url(name.clone()));
        }
        names.into_iter().take(MOST_NAMED).collect()
    }
}

fn issuer_of<'a>(configured: &'a Configured, name: &str) -> Result<&'a Issuer, Refusal> {
    let issuer = configured.issuers.iter().find(|issuer| issuer.name == name);
    issuer.ok_or_else(|| Refusal::Unacceptable(format!("there is no issuer \"{name}\" in the configuration")))
}
