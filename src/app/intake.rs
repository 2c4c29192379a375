//! The intake: one thread that takes in CRLs and inventories, reloads, and publishes.
//!
//! It is the only writer. It looks at the sources every [`LOOK_EVERY`], does what it is asked through
//! its channel in between ([`by_hand`]), and owns everything that changes with a reload. Requests never wait for it, and
//! it never waits for a server: URLs are fetched by threads of their own. What was refused is in
//! [`quarantine`](super::quarantine).

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the write side: it times its own work and shares its state with the status page, never with requests"
)]

mod by_hand;
mod inventory;
mod reload;
mod sweep;
mod traced;

use super::copies::Precautions;
use super::inventories::Inventories;
use super::partitions::Partitions;
use super::places::{scratch, sources_of};
use super::quarantine::Quarantine;
use super::records::Keeps;
use super::signer_life::SignerLife;
use crate::clock::Clock;
use crate::config::{Config, CrlSource};
use crate::http::{Gate, Order, QuarantineStatus, Refusal, Tls};
use crate::ingest::{
    Arrival, Ingest, IngestOptions, Judge, Manner, Outcome, Refused, Report, SourceReport, Sources,
};
use crate::metrics::{IssuerMetrics, Metrics};
use crate::respond::Responder;
use crate::snapshot::{Configured, Published, Snapshot};
use crate::store::{Store, StoreError};
use crate::traces::Tracer;
use crate::x509::UnixTime;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use sweep::Sweep;
use tokio::sync::oneshot;
use traced::Traces;

/// How often files and folders are looked at: a new CRL is seen after half of this on average.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long readiness waits for the first answers of URLs.
const FIRST_FETCHES: Duration = Duration::from_secs(10);
/// While many CRLs come in, how long the first of them may wait to be seen.
const PUBLISH_EVERY: Duration = Duration::from_millis(200);
/// How often what may pass (a full disk, a CRL from the future) is tried again.
const RETRY_EVERY: Duration = Duration::from_secs(30);
/// Partitions that went missing at once and are logged one by one.
const MOST_TOLD: usize = 20;

/// What a submitted CRL is called where files and URLs have names.
const SUBMITTED: &str = "the submitted CRL";

/// What the intake can be asked.
pub(super) enum Command {
    /// Take this CRL.
    Submit(Submitted),
    /// Do this with what is held.
    Order(Ordered),
    /// Read the configuration again.
    Reload,
    Stop,
}

/// A CRL that somebody brought.
pub(super) struct Submitted {
    pub crl: Bytes,
    pub manner: Manner,
    pub arrived: SystemTime,
    pub answer: oneshot::Sender<Result<serde_json::Value, Refusal>>,
}

/// What somebody ordered.
pub(super) struct Ordered {
    pub order: Order,
    pub answer: oneshot::Sender<Result<serde_json::Value, Refusal>>,
}

/// What the intake says of itself to the status page.
#[derive(Debug, Default)]
pub(super) struct IntakeState {
    /// Sources and why they cannot be used.
    pub problems: Vec<(String, String)>,
    pub sources: Vec<SourceReport>,
    pub quarantine: Vec<QuarantineStatus>,
    /// Partitions that are gone, of each issuer.
    pub missing: BTreeMap<String, Vec<String>>,
    /// The first look at all sources and inventories has ended.
    pub caught_up: bool,
    /// When a reload last changed nothing, and why; none once one has succeeded.
    pub refused_reload: Option<(UnixTime, Vec<String>)>,
    /// Below which folder backups go.
    pub backups: Option<PathBuf>,
}

/// What the rest of the process shares with the intake.
pub(super) struct Shared {
    pub store: Arc<Store>,
    pub published: Arc<Published>,
    /// Who answers, with the answers that it keeps.
    pub responder: Arc<Responder>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub state: Mutex<IntakeState>,
    /// Who may ask, where not everybody may.
    pub gate: Option<Arc<Gate>>,
    /// What the TLS listener shows.
    pub tls: Option<Arc<Tls>>,
    pub keeps: Keeps,
    pub started_at: UnixTime,
}

impl Shared {
    pub fn state(&self) -> std::sync::MutexGuard<'_, IntakeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the store as it stands now, under `configured`, what requests are answered from.
    pub fn publish(&self, configured: &Arc<Configured>) -> Result<(), StoreError> {
        // Nobody is answered from what a machine that stops could take back.
        self.store.sync()?;
        let snapshot = Snapshot::build(Arc::clone(configured), self.store.view()?)?;
        super::status::measure(&snapshot, &self.metrics, self.store.size_bytes().unwrap_or(0));
        self.published.publish(snapshot);
        Ok(())
    }
}

/// What became of an arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// It was taken in, or refused, and that was told.
    Done,
    /// It waits for another CRL, which may be on its way.
    PutOff,
}

/// How far a sweep of the sources came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Swept {
    ToTheEnd,
    Halfway,
}

/// The intake, owned by its thread.
pub(super) struct Intake {
    shared: Arc<Shared>,
    config: Config,
    configured: Arc<Configured>,
    ingest: Ingest,
    sources: Sources,
    inventories: Inventories,
    quarantine: Quarantine,
    partitions: Partitions,
    signer_life: SignerLife,
    precautions: Precautions,
    /// Something is in the store that is not published yet, since then.
    unpublished: Option<Instant>,
    /// How often that was tried in vain.
    tries: u32,
    /// The CRLs of it: whose, and when they arrived.
    unseen: Vec<(Arc<IssuerMetrics>, SystemTime)>,
    traces: Traces,
    started: (Instant, SystemTime),
    last_retry: Instant,
    retry: Vec<Arrival>,
    is_told_to_stop: bool,
}

impl Intake {
    /// Each CRL's trace goes to `tracer`, where there is one.
    pub fn new(
        shared: Arc<Shared>,
        config: Config,
        configured: Arc<Configured>,
        tracer: Option<Tracer>,
    ) -> Self {
        let ingest = ingest(&shared, &config, &configured);
        let clock = shared.clock.clone();
        let sources = Sources::new(sources_of(&config), config.fetch, scratch(&config), clock);
        let inventories = Inventories::of(&config, &configured);
        let precautions = Precautions::of(&config);
        shared.state().backups.clone_from(&config.store.backups);
        Self {
            shared,
            config,
            configured,
            ingest,
            sources,
            inventories,
            quarantine: Quarantine::default(),
            partitions: Partitions::default(),
            signer_life: SignerLife::default(),
            precautions,
            unpublished: None,
            tries: 0,
            unseen: Vec::new(),
            traces: Traces::new(tracer),
            started: (Instant::now(), SystemTime::now()),
            last_retry: Instant::now(),
            retry: Vec::new(),
            is_told_to_stop: false,
        }
    }

    /// Works until it is told to stop, or nobody is left who could tell it.
    pub fn run(mut self, commands: &Receiver<Command>) {
        loop {
            self.look(commands);
            self.publish_now();
            if self.is_told_to_stop {
                return;
            }
            // A server that hangs says nothing of what the store has: it is waited for a little, not for long.
            if !self.sources.is_waiting() || self.started.0.elapsed() >= FIRST_FETCHES {
                self.shared.state().caught_up = true;
            }
            match commands.recv_timeout(LOOK_EVERY) {
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Stop => self.is_told_to_stop = true,
            Command::Reload => self.reload(),
            Command::Submit(submitted) => self.take_submitted(submitted),
            Command::Order(ordered) => self.carry_out(ordered),
        }
    }

    /// Takes what is new at the sources. Commands wait for no more than the CRL that is being taken in, or
    /// 100,000 entries of an inventory.
    fn look(&mut self, commands: &Receiver<Command>) {
        self.look_at_inventories(commands);
        if self.is_told_to_stop || self.sweep(commands) == Swept::Halfway {
            return;
        }
        let Self { quarantine, partitions, sources, .. } = self;
        quarantine.keep(|source| source == SUBMITTED || sources.knows(source));
        partitions.keep(|arrival| sources.knows(arrival));
        // What was taken in counts as held only once it is published; only a look to its end has seen all.
        self.publish_now();
        self.look_for_gone();
        self.look_at_signers();
        self.show();
    }

    /// Takes in the CRLs that are new, and does meanwhile what it is told.
    fn sweep(&mut self, commands: &Receiver<Command>) -> Swept {
        if self.last_retry.elapsed() >= RETRY_EVERY {
            self.last_retry = Instant::now();
            for arrival in std::mem::take(&mut self.retry) {
                self.sources.retry(&arrival);
            }
        }
        let mut sweep = Sweep::begin(|| self.sources.look());
        while let Some(arrival) = sweep.next() {
            if self.take(&arrival, sweep.may_put_off(&arrival)) == Taken::PutOff {
                sweep.put_off(arrival);
            }
            if self.unpublished.is_some_and(|since| since.elapsed() >= PUBLISH_EVERY) {
                self.publish_now();
            }
            match commands.try_recv() {
                // The arrivals that are left belong to the sources of before; the next look has them.
                Ok(command @ (Command::Stop | Command::Reload)) => {
                    self.obey(command);
                    return Swept::Halfway;
                }
                Ok(command) => self.obey(command),
                Err(_) => {}
            }
            sweep.look_now_and_then(|| self.sources.look());
        }
        Swept::ToTheEnd
    }

    /// Says which partitions are gone, once.
    fn look_for_gone(&mut self) {
        if !self.partitions.take_changed() {
            return;
        }
        let snapshot = self.shared.published.load();
        for (issuer, new) in self.partitions.look(&snapshot, &self.config) {
            for scope in new.iter().take(MOST_TOLD) {
                tracing::error!(issuer, scope, "a partition is gone: no source has a CRL of it any more");
            }
            if new.len() > MOST_TOLD {
                tracing::error!(issuer, count = new.len(), "so many partitions are gone in all");
            }
        }
    }

    fn look_at_signers(&mut self) {
        let snapshot = self.shared.published.load();
        for (issuer, reason) in self.signer_life.due(&snapshot, self.shared.clock.now()) {
            tracing::warn!(issuer, reason, "an OCSP signer is to be renewed");
        }
    }

    /// Tells the status page and the metrics how it stands with the sources.
    fn show(&self) {
        for metrics in self.shared.metrics.issuers().iter() {
            let refused = self.quarantine.count_of(metrics.name());
            metrics.crl_refused.set(i64::try_from(refused).unwrap_or(i64::MAX));
            let missing = self.partitions.missing().get(metrics.name()).map_or(0, Vec::len);
            metrics.crl_scopes_missing.set(i64::try_from(missing).unwrap_or(i64::MAX));
        }
        let mut state = self.shared.state();
        state.problems = self.sources.problems();
        state.sources = self.sources.reports();
        state.quarantine = self.quarantine.list();
        state.missing.clone_from(self.partitions.missing());
    }

    fn take(&mut self, arrival: &Arrival, may_put_off: bool) -> Taken {
        let started = Instant::now();
        let mut arrived = SystemTime::now();
        let mut steps = self.traces.steps(Manner::Guarded);
        let outcome = match self.sources.open(arrival) {
            Ok(None) => {
                self.sources.conclude(arrival, Ok(None));
                return Taken::Done;
            }
            Ok(Some(content)) => {
                // What lay there before the process began came with its beginning.
                arrived = content.arrived.max(self.started.1);
                self.take_precautions(Manner::Guarded, &mut steps);
                self.ingest.refresh_timed(content, Manner::Guarded, &mut steps)
            }
            Err(why) => Err(Refused::Read(why)),
        };
        // URLs have a schedule of their own.
        if let (Err(why), Arrival::File(_)) = (&outcome, arrival)
            && why.may_pass()
        {
            if may_put_off && !why.is_ours() {
                self.sources.retry(arrival);
                return Taken::PutOff;
            }
            self.retry.push(arrival.clone());
        }
        self.trace(Some(arrival), steps, (started, Instant::now()), &outcome);
        self.tell(&arrival.to_string(), &outcome, started, arrived);
        self.sources.conclude(arrival, outcome.as_ref().map(Some));
        Taken::Done
    }

    /// Logs and counts what became of a CRL, and puts a refused one into quarantine.
    fn tell(&mut self, name: &str, outcome: &Result<Report, Refused>, started: Instant, arrived: SystemTime) {
        let elapsed = started.elapsed();
        match outcome {
            Ok(report) => {
                self.quarantine.release(name);
                if name == SUBMITTED {
                    self.partitions.submit(report);
                } else {
                    self.partitions.bring(name, report);
                }
                for (issuer, outcome) in report.outcomes() {
                    let metrics = self.shared.metrics.issuer(issuer);
                    metrics.crl_ingest_duration.observe(elapsed.as_secs_f64());
                    match outcome {
                        Outcome::Rehearsed(..) => {}
                        Outcome::Unchanged | Outcome::Overtaken => metrics.crl_ingests.unchanged.inc(),
                        Outcome::Applied(change) => {
                            metrics.crl_ingests.applied.inc();
                            self.unpublished.get_or_insert_with(Instant::now);
                            self.unseen.push((metrics, arrived));
                            tracing::info!(
                                source = name,
                                issuer,
                                scope = report.scope,
                                delta = report.is_delta,
                                number = crate::cli::decimal(&report.crl_number),
                                entries = change.entries,
                                added = change.added,
                                changed = change.changed,
                                released = change.released,
                                retained = change.retained,
                                expired = change.expired,
                                seconds = elapsed.as_secs_f64(),
                                "a CRL was taken in"
                            );
                        }
                    }
                }
            }
            Err(why) => {
                // Whose it is may be unknown: it counts for every issuer whose sources may bring it.
                let issuers = self.shared.metrics.issuers();
                let mut owners = Vec::new();
                for metrics in issuers.iter().filter(|one| self.is_source_of(name, one.name())) {
                    let counter = if why.is_ours() {
                        &metrics.crl_ingests.failed
                    } else {
                        &metrics.crl_ingests.refused
                    };
                    counter.inc();
                    owners.push(metrics.name().to_owned());
                }
                if !why.is_ours() {
                    self.quarantine.refuse(name, self.shared.clock.now(), why.to_string(), owners);
                }
                tracing::error!(source = name, reason = %why, "a CRL was refused; what was held stays in force");
            }
        }
    }

    /// Whether `name` comes from a source of this issuer. A submitted CRL may be anybody's.
    fn is_source_of(&self, name: &str, issuer: &str) -> bool {
        let owners = |named: &CrlSource| match named {
            CrlSource::File(path) => path.display().to_string() == name,
            CrlSource::Folder(folder) => std::path::Path::new(name).starts_with(folder),
            CrlSource::Url(url) => url == name,
        };
        let known = self.config.issuers.iter().any(|one| one.crls.iter().any(owners));
        !known || self.config.issuer(issuer).is_some_and(|one| one.crls.iter().any(owners))
    }

    fn publish_now(&mut self) {
        if self.unpublished.is_none() {
            return;
        }
        let began = Instant::now();
        match self.shared.publish(&self.configured) {
            Ok(()) => {
                self.traces.published(began, Instant::now());
                self.unpublished = None;
                self.tries = 0;
                let now = SystemTime::now();
                for (metrics, arrived) in self.unseen.drain(..) {
                    // A clock that was put back is no reason for a negative time.
                    let took = now.duration_since(arrived).unwrap_or_default();
                    metrics.crl_visible.observe(took.as_secs_f64());
                }
            }
            // The first, the second, the fourth, … failure: a disk may be full for hours.
            Err(why) => {
                self.tries = self.tries.saturating_add(1);
                if self.tries.is_power_of_two() {
                    let count = self.tries;
                    tracing::error!(count, reason = %why, "the new state cannot be published; trying again");
                }
            }
        }
    }
}

fn ingest(shared: &Shared, config: &Config, configured: &Arc<Configured>) -> Ingest {
    let judge = Judge::new(
        configured.issuers.iter().map(Into::into),
        scratch(config),
        shared.clock.clone(),
        IngestOptions::default(),
    );
    Ingest::new(Arc::clone(&shared.store), judge).guarded_by(config.guard).in_groups()
}
