//! `ocsprey serve`: from a configuration to answers, and to a clean end.

#![expect(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "between the admin pages and the intake; no request for a status comes by"
)]

use super::bills::Bills;
use super::handed_over::HandedOver;
use super::intake::{Command, Intake, IntakeState, Ordered, Shared, Submitted};
use super::lookout::{self, Lookout};
use super::places::open_store;
use super::presigning::{RefreshOptions, Refresher};
use super::records::{Keeps, Records};
use super::supervisor::Supervisor;
use super::workers::{self, Answering, Entrance};
use super::{AppError, Fault, copies, explain, issuers, priority, status, tls, verifiers};
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{
    AdminService, AdminSources, Backlog, CrlIntake, Gate, IntakeFuture, Limits, Order, Refusal, Shutdown,
    Submission, Tls, listen, serve_admin,
};
use crate::ingest::Manner;
use crate::metrics::Metrics;
use crate::respond::Responder;
use crate::snapshot::{Published, Snapshot};
use crate::traces::Exporter;
use bytes::Bytes;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::SystemTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::MissedTickBehavior;

/// Serves until SIGTERM or SIGINT. `ready` is called once all listeners listen; CRLs may still be on
/// their way in.
///
/// # Errors
/// When serving cannot begin.
pub fn serve(config: &Config, ready: impl FnOnce()) -> Result<(), AppError> {
    let metrics = Arc::new(Metrics::new()?);
    let clock = Clock::System;
    let loaded = issuers::load(config, &metrics, &clock).map_err(AppError::Faults)?;
    let tls = config.server.tls.as_ref().map(tls::load).transpose().map_err(AppError::Faults)?;
    let tls = tls.map(|identity| Arc::new(Tls::new(identity)));
    let store = open_store(config)?;
    let configured = Arc::new(issuers::configured(config, loaded, &store)?);
    let first = Snapshot::build(Arc::clone(&configured), store.view()?)?;
    status::measure(&first, &metrics, store.size_bytes().unwrap_or(0));
    let registry = verifiers::registered(config, &configured, &store, None).map_err(AppError::Faults)?;
    let published = Arc::new(Published::new(first));
    let gate = registry.map(|registry| Arc::new(Gate::new(registry, Arc::clone(&published))));
    let shared = Arc::new(Shared {
        published,
        responder: Arc::new(Responder::with_cache(config.response.cache_size)),
        metrics: Arc::clone(&metrics),
        started_at: clock.now(),
        state: Mutex::new(IntakeState::default()),
        clock: clock.clone(),
        store,
        tls: tls.clone(),
        gate: gate.clone(),
        keeps: Keeps::of(config),
    });

    let count = workers::count(config.server.workers);
    let records = Records::start(config, &shared, count)?;
    let shutdown = Shutdown::new();
    let handed_over = HandedOver::of_environment()?;
    let (entrance, backlog) = entrance(handed_over.ocsp, handed_over.tls, config)?;
    let admin = Pages::open(handed_over.admin, config)?;
    let addresses = entrance.addresses();
    let answering = Answering {
        published: Arc::clone(&shared.published),
        responder: Arc::clone(&shared.responder),
        metrics,
        clock,
        limits: Limits { backlog, ..Limits::default() },
        gate,
        tls,
    };
    let workers = workers::start(entrance, count, &answering, &records, &shutdown)?;

    let (commands, inbox) = channel();
    let traces = config.telemetry.as_ref();
    let traces = traces.map(|to| Exporter::start(&to.traces, Arc::clone(&shared.metrics.traces))).transpose();
    let (tracer, exporter) =
        traces.map_err(|why| AppError::System { what: "the thread that sends traces", why })?.unzip();
    let intake = Intake::new(Arc::clone(&shared), config.clone(), configured, tracer);
    let intake = std::thread::Builder::new()
        .name("intake".to_owned())
        .spawn(move || {
            priority::lower();
            intake.run(&inbox);
        })
        .map_err(|why| AppError::System { what: "the intake's thread", why })?;
    let refresher = Refreshing::start(&shared, RefreshOptions::of(config))?;
    for (key, address) in &addresses {
        tracing::info!(%address, key, workers = count, "answering OCSP requests");
    }
    ready();
    let bills = Bills::of(config, &shared, records.questions());
    watch(admin, &shared, bills, &commands, &shutdown, Lookout::new(&shared, config))?;

    refresher.stop();
    // The listeners drain; then nobody is left who could ask the intake for anything.
    for worker in workers {
        worker.join().map_err(|_| AppError::Ended("a worker"))?;
    }
    refresher.join()?;
    // Who answered has handed over all that is to be kept of it.
    records.join()?;
    let _ = commands.send(Command::Stop);
    drop(commands);
    intake.join().map_err(|_| AppError::Ended("the intake"))?;
    if let Some(exporter) = exporter {
        exporter.end();
    }
    tracing::info!("ended");
    Ok(())
}

/// Where OCSP requests come in, and what becomes at the end of clients that nobody has accepted.
fn entrance(
    plain: Vec<TcpListener>,
    tls: Vec<TcpListener>,
    config: &Config,
) -> Result<(Entrance<'_>, Backlog), AppError> {
    if plain.is_empty() && tls.is_empty() {
        return Ok((Entrance::Own(&config.server), Backlog::Take));
    }
    if !tls.is_empty() && config.server.tls.is_none() {
        let why = "the service manager handed a socket for TLS over, and there is no certificate for it";
        return Err(AppError::Faults(vec![Fault::new("server.tls", why)]));
    }
    let entrance = Entrance::HandedOver { plain, tls };
    let addresses = entrance.addresses();
    for (key, address) in config.server.listeners().filter(|named| !addresses.contains(named)) {
        tracing::warn!(key, %address, "the service manager handed other sockets over: nobody listens there");
    }
    Ok((entrance, Backlog::Leave))
}

/// The admin pages' socket, and how they are served.
struct Pages {
    listener: TcpListener,
    limits: Limits,
}

impl Pages {
    fn open(handed_over: Option<TcpListener>, config: &Config) -> Result<Option<Self>, AppError> {
        let body_octets = usize::try_from(config.admin.max_crl_size).unwrap_or(usize::MAX);
        let limits = |backlog| Limits { body_octets, backlog, ..Limits::admin() };
        if let Some(listener) = handed_over {
            return Ok(Some(Self { listener, limits: limits(Backlog::Leave) }));
        }
        let own = config.admin.listen.map(listen).transpose()?;
        Ok(own.map(|listener| Self { listener, limits: limits(Backlog::Take) }))
    }
}

/// The refresher's thread, where there is one.
struct Refreshing {
    stop: Arc<AtomicBool>,
    /// Its end is dropped to wake the thread.
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Refreshing {
    fn start(shared: &Arc<Shared>, options: RefreshOptions) -> Result<Self, AppError> {
        let stop = Arc::new(AtomicBool::new(false));
        if options.threads == 0 {
            return Ok(Self { stop, running: None });
        }
        let (wake, ended) = channel();
        let refresher = Refresher::new(Arc::clone(shared), options, Arc::clone(&stop));
        let thread = std::thread::Builder::new()
            .name("refresher".to_owned())
            .spawn(move || refresher.run(&ended))
            .map_err(|why| AppError::System { what: "the refresher's thread", why })?;
        Ok(Self { stop, running: Some((wake, thread)) })
    }

    /// Has it leave off; it may still be writing what it has.
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn join(self) -> Result<(), AppError> {
        let Some((wake, thread)) = self.running else { return Ok(()) };
        drop(wake);
        thread.join().map_err(|_| AppError::Ended("the refresher"))
    }
}

/// Serves the admin pages and obeys signals, until the end is asked for and the pages have drained.
fn watch(
    admin: Option<Pages>,
    shared: &Arc<Shared>,
    bills: Bills,
    commands: &Sender<Command>,
    shutdown: &Shutdown,
    mut lookout: Lookout,
) -> Result<(), AppError> {
    let system = |what| move |why| AppError::System { what, why };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(system("the admin pages' runtime"))?;
    runtime.block_on(async {
        let pages = admin.map(|Pages { listener, limits }| {
            let service = AdminService::new(sources(shared, bills, commands, shutdown), limits);
            tokio::spawn(serve_admin(listener, service, shutdown.clone()))
        });
        let mut supervisor = Supervisor::of_environment();
        supervisor.tell("READY=1");
        let mut looks = tokio::time::interval(lookout::EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut hangup = signal(SignalKind::hangup()).map_err(system("SIGHUP"))?;
        let mut terminate = signal(SignalKind::terminate()).map_err(system("SIGTERM"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system("SIGINT"))?;
        loop {
            tokio::select! {
                _ = hangup.recv() => {
                    if commands.send(Command::Reload).is_err() {
                        return Err(AppError::Ended("the intake"));
                    }
                }
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = shutdown.asked() => break,
                () = supervisor.beat() => {}
                _ = looks.tick() => lookout.look(),
            }
        }
        tracing::info!("draining");
        supervisor.tell("STOPPING=1");
        shutdown.ask();
        if let Some(pages) = pages {
            // A page that panicked is no reason not to end cleanly.
            if let Ok(Err(why)) = pages.await {
                return Err(why.into());
            }
        }
        Ok(())
    })
}

fn sources(
    shared: &Arc<Shared>,
    bills: Bills,
    commands: &Sender<Command>,
    shutdown: &Shutdown,
) -> AdminSources {
    let of_status = Arc::clone(shared);
    let of_ready = Arc::clone(shared);
    let of_explain = Arc::clone(shared);
    let of_backup = Arc::clone(shared);
    let shutdown = shutdown.clone();
    AdminSources {
        metrics: Arc::clone(&shared.metrics),
        status: Arc::new(move || status::of_server(&of_status)),
        explain: Arc::new(move |serial| explain::explain(&of_explain, serial)),
        // Whoever gets an answer has seen that the process works.
        healthy: Arc::new(|| Ok(())),
        ready: Arc::new(move || {
            let mut reasons = status::not_ready(&of_ready);
            if shutdown.is_asked() {
                // So that whoever spreads requests sends them to others.
                reasons.push("the server is ending".to_owned());
            }
            if reasons.is_empty() { Ok(()) } else { Err(reasons) }
        }),
        backup: Arc::new(move |name| {
            let backups = of_backup.state().backups.clone();
            copies::back_up(&of_backup.store, backups.as_deref(), name)
        }),
        usage: Arc::new(move |question| bills.report(question)),
        log: Arc::new(crate::cli::log_filter),
        intake: Some(Arc::new(Inbox { commands: Mutex::new(commands.clone()) })),
    }
}

/// The way from the admin pages to the intake.
struct Inbox {
    commands: Mutex<Sender<Command>>,
}

impl Inbox {
    /// Sends a command that is answered through `waiting`.
    fn send(
        &self,
        command: Command,
        waiting: oneshot::Receiver<Result<serde_json::Value, Refusal>>,
    ) -> IntakeFuture {
        let sent = match self.commands.lock() {
            Ok(commands) => commands.send(command).is_ok(),
            Err(_) => false,
        };
        Box::pin(async move {
            let gone = || Refusal::Unavailable("the server is ending: ask it again later".to_owned());
            if !sent {
                return Err(gone());
            }
            waiting.await.unwrap_or_else(|_| Err(gone()))
        })
    }
}

impl CrlIntake for Inbox {
    fn submit(&self, crl: Bytes, submission: Submission) -> IntakeFuture {
        let (answer, waiting) = oneshot::channel();
        let manner = match submission {
            Submission::Guarded => Manner::Guarded,
            Submission::Forced => Manner::Forced,
            Submission::Rehearsed => Manner::Rehearsed,
        };
        let submitted = Submitted { crl, manner, arrived: SystemTime::now(), answer };
        self.send(Command::Submit(submitted), waiting)
    }

    fn order(&self, order: Order) -> IntakeFuture {
        let (answer, waiting) = oneshot::channel();
        self.send(Command::Order(Ordered { order, answer }), waiting)
    }
}
