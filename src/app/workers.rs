//! The threads that answer: one a core, each with its own single-threaded runtime and its own listener
//! on every address, so that nothing is shared between them but the snapshot (design: decision 2).

use super::AppError;
use super::records::{Records, WorkerRecords};
use crate::clock::Clock;
use crate::config::Server;
use crate::http::{Limits, OcspService, PublishedResponder, Shutdown, Tls, listen, serve_ocsp};
use crate::metrics::Metrics;
use crate::respond::Responder;
use crate::snapshot::Published;
use crate::usage::HAND_OVER_EVERY;
use std::net::TcpListener;
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
    /// Of the addresses in `server.tls`.
    pub tls: Option<Arc<Tls>>,
}

/// A socket that listens, and the TLS that is spoken on it.
type Listening = (TcpListener, Option<Arc<Tls>>);

/// Starts `count` workers on all addresses of `server`. Every socket listens before the first thread starts:
/// either all of it works or nothing does.
///
/// # Errors
/// When an address cannot be listened on, or there is no thread to be had.
pub(super) fn start(
    server: &Server,
    count: usize,
    answering: &Answering,
    records: &Records,
    shutdown: &Shutdown,
) -> Result<Vec<JoinHandle<()>>, AppError> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        let plain = server.listen.iter().map(|address| Ok((listen(*address)?, None)));
        let secure = server.tls.iter().flat_map(|tls| &tls.listen);
        let secure = secure.map(|address| Ok((listen(*address)?, answering.tls.clone())));
        let listeners: Result<Vec<Listening>, AppError> = plain.chain(secure).collect();
        sockets.push(listeners?);
    }
    let mut threads = Vec::with_capacity(count);
    for (index, listeners) in sockets.into_iter().enumerate() {
        let answerer =
            PublishedResponder::new(Arc::clone(&answering.published), Arc::clone(&answering.responder));
        let service = OcspService::new(
            answerer,
            Arc::clone(&answering.metrics),
            answering.clock.clone(),
            answering.limits.clone(),
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
    let pressure = service.pressure();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(DISK_THREADS)
        .on_thread_park(move || pressure.rest())
        .build()
        .map_err(|why| AppError::System { what: "a worker's runtime", why })?;
    let run = move || {
        runtime.block_on(async {
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
