//! The threads that answer: one a core, each with its own single-threaded runtime and its own listener
//! on every address, so that nothing is shared between them but the snapshot (design: decision 2).

use super::AppError;
use crate::clock::Clock;
use crate::http::{Limits, OcspService, PublishedResponder, Shutdown, keep_watch, listen, serve_ocsp};
use crate::metrics::Metrics;
use crate::respond::Responder;
use crate::snapshot::Published;
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
}

/// Starts `count` workers on all of `addresses`. Every socket listens before the first thread starts:
/// either all of it works or nothing does.
///
/// # Errors
/// When an address cannot be listened on, or there is no thread to be had.
pub(super) fn start(
    addresses: &[SocketAddr],
    count: usize,
    answering: &Answering,
    shutdown: &Shutdown,
) -> Result<Vec<JoinHandle<()>>, AppError> {
    let mut sockets = Vec::with_capacity(count);
    for _ in 0..count {
        let listeners: Result<Vec<TcpListener>, _> =
            addresses.iter().map(|address| listen(*address)).collect();
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
        threads.push(spawn(&format!("worker {index}"), listeners, service, shutdown.clone())?);
    }
    Ok(threads)
}

fn spawn(
    name: &str,
    listeners: Vec<TcpListener>,
    service: OcspService<PublishedResponder>,
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
            for listener in listeners {
                serving.spawn(serve_ocsp(listener, service.clone(), shutdown.clone()));
            }
            while let Some(ended) = serving.join_next().await {
                if let Ok(Err(why)) = ended {
                    tracing::error!(reason = %why, "a listener ended");
                    // Half a server would look like a whole one to whoever watches the process.
                    shutdown.ask();
                }
            }
        });
    };
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map_err(|why| AppError::System { what: "a worker's thread", why })
}
