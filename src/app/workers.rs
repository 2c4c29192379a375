//! The threads that answer: one a core, each with its own single-threaded runtime and its own listener
//! on every address, so that nothing is shared between them but the snapshot (design: decision 2).

use super::AppError;
use super::handed_over::deal;
use super::records::{Records, WorkerRecords};
use crate::clock::Clock;
use crate::config::Server;
use crate::http::{
    Gate, Limits, OcspService, PublishedResponder, Shutdown, Tls, keep_watch, listen, serve_ocsp,
};
use crate::metrics::Metrics;
use crate::respond::Responder;
use crate::snapshot::Published;
use crate::usage::HAND_OVER_EVERY;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

/// How many workers a configured number means.
pub(super) fn count(configured: usize) -> usize {
    match configured {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        count => count,
    }
}

/// Threads of a worker that read the disk for requests: as many as keep a disk's queue full.
const DISK_THREADS: usize = 32;

/// What every worker answers from.
pub(super) struct Answering {
    pub published: Arc<Published>,
    pub responder: Arc<Responder>,
    pub metrics: Arc<Metrics>,
    pub clock: Clock,
    pub limits: Limits,
    /// Who may ask, where not everybody may.
    pub gate: Option<Arc<Gate>>,
    /// Of the addresses in `server.tls`.
    pub tls: Option<Arc<Tls>>,
}

/// A socket that listens, and the TLS that is spoken on it.
type Listening = (TcpListener, Option<Arc<Tls>>);

/// Where clients come in.
pub(super) enum Entrance<'a> {
    /// Sockets of our own, one a worker, on each of these addresses.
    Own(&'a Server),
    /// Sockets that were [handed over](super::handed_over).
    HandedOver { plain: Vec<TcpListener>, tls: Vec<TcpListener> },
}

impl Entrance<'_> {
    /// Each once, and what it is called in the configuration.
    pub fn addresses(&self) -> Vec<(&'static str, SocketAddr)> {
        let mut addresses: Vec<_> = match self {
            Self::Own(server) => server.listeners().collect(),
            Self::HandedOver { plain, tls } => {
                let named = |key, socket: &TcpListener| Some((key, socket.local_addr().ok()?));
                let plain = plain.iter().filter_map(|socket| named("server.listen", socket));
                plain.chain(tls.iter().filter_map(|socket| named("server.tls.listen", socket))).collect()
            }
        };
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// For each worker its sockets, all of which listen.
    fn open(self, count: usize, secure: Option<&Arc<Tls>>) -> Result<Vec<Vec<Listening>>, AppError> {
        match self {
            Self::Own(server) => {
                let of_worker = |_| {
                    let plain = server.listen.iter().map(|address| Ok((listen(*address)?, None)));
                    let tls = server.tls.iter().flat_map(|tls| &tls.listen);
                    let tls = tls.map(|address| Ok((listen(*address)?, secure.cloned())));
                    plain.chain(tls).collect()
                };
                (0..count).map(of_worker).collect()
            }
            Self::HandedOver { plain, tls } => {
                let failed = |why| AppError::System { what: "a socket that was handed over", why };
                let plain = deal(plain, count).map_err(failed)?.into_iter();
                let tls = deal(tls, count).map_err(failed)?;
                let with = |socket, tls: Option<&Arc<Tls>>| (socket, tls.cloned());
                let of_worker = |(plain, tls): (Vec<TcpListener>, Vec<TcpListener>)| {
                    let plain = plain.into_iter().map(|socket| with(socket, None));
                    plain.chain(tls.into_iter().map(|socket| with(socket, secure))).collect()
                };
                Ok(plain.zip(tls).map(of_worker).collect())
            }
        }
    }
}

/// Starts `count` workers. Every socket listens before the first thread starts: either all of it works or
/// nothing does.
///
/// # Errors
/// When an address cannot be listened on, or there is no thread to be had.
pub(super) fn start(
    entrance: Entrance<'_>,
    count: usize,
    answering: &Answering,
    records: &Records,
    shutdown: &Shutdown,
) -> Result<Vec<JoinHandle<()>>, AppError> {
    let sockets = entrance.open(count, answering.tls.as_ref())?;
    let mut threads = Vec::with_capacity(count);
    for (index, listeners) in sockets.into_iter().enumerate() {
        let answerer =
            PublishedResponder::new(Arc::clone(&answering.published), Arc::clone(&answering.responder));
        let service = OcspService::new(
            answerer,
            Arc::clone(&answering.metrics),
            answering.clock.clone(),
            answering.limits.clone(),
            answering.gate.clone(),
        );
        let records = records.of_worker(index);
        let service = match records.witness() {
            Some(witness) => service.witnessed_by(witness),
            None => service,
        };
        threads.push(spawn(&format!("worker {index}"), listeners, service, records, shutdown.clone())?);
    }
    Ok(threads)
}

fn spawn(
    name: &str,
    listeners: Vec<Listening>,
    service: OcspService<PublishedResponder>,
    records: WorkerRecords,
    shutdown: Shutdown,
) -> Result<JoinHandle<()>, AppError> {
    let (pressure, watched) = (service.pressure(), service.pressure());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(DISK_THREADS)
        .on_thread_park(move || pressure.rest())
        .build()
        .map_err(|why| AppError::System { what: "a worker's runtime", why })?;
    let run = move || {
        runtime.block_on(async {
            // It ends with the runtime.
            tokio::spawn(async move { keep_watch(&watched).await });
            let mut serving = tokio::task::JoinSet::new();
            for (listener, tls) in listeners {
                serving.spawn(serve_ocsp(listener, tls, service.clone(), shutdown.clone()));
            }
            let mut tick = tokio::time::interval(HAND_OVER_EVERY);
            loop {
                let ended = tokio::select! {
                    ended = serving.join_next() => ended,
                    _ = tick.tick(), if records.are_kept() => {
                        records.hand_over();
                        continue;
                    }
                };
                let Some(ended) = ended else { break };
                if let Ok(Err(why)) = ended {
                    tracing::error!(reason = %why, "a listener ended");
                    // Half a server would look like a whole one to whoever watches the process.
                    shutdown.ask();
                }
            }
        });
        // All that was answered has been counted.
        records.close();
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|why| AppError::System { what: "a worker's thread", why })
}
