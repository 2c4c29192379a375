//! The threads that answer: one a core, each with its own single-threaded runtime and its own listener
//! on every address, so that nothing is shared between them but the snapshot (design: decision 2).

use super::AppError;
use super::handed_over::deal;
use super::records::{Records, WorkerRecords};
use crate::clock::Clock;
use crate::config::Server;
use crate::http::{Limits, OcspService, PublishedResponder, Shutdown, Tls, listen, serve_ocsp};
use crate::metrics::Metrics;
use crate::respond::Responder;
use crate::snapshot::Published;
use crate::usage::HAND_OVER_EVERY;
use std::fmt;
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
    /// Of the addresses in `server.tls`.
    pub tls: Option<Arc<Tls>>,
}

/// What is spoken on a listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Speaks {
    Http,
    /// With the TLS of `server.tls`.
    Https,
}

impl fmt::Display for Speaks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

/// A socket that listens.
type Listening = (TcpListener, Speaks);

/// Where clients come in.
pub(super) enum Entrance<'a> {
    /// Sockets of our own, one a worker, on each of its addresses.
    Own(&'a Server),
    /// Sockets that were [handed over](super::handed_over).
    HandedOver(Vec<Listening>),
}

impl Entrance<'_> {
    /// Each once.
    pub fn addresses(&self) -> Vec<(SocketAddr, Speaks)> {
        let mut addresses: Vec<_> = match self {
            Self::Own(server) => own(server).collect(),
            Self::HandedOver(sockets) => sockets
                .iter()
                .filter_map(|(socket, speaks)| Some((socket.local_addr().ok()?, *speaks)))
                .collect(),
        };
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// For each worker its sockets, all of which listen.
    fn open(self, count: usize) -> Result<Vec<Vec<Listening>>, AppError> {
        match self {
            Self::Own(server) => {
                let of_worker =
                    |_| own(server).map(|(address, speaks)| Ok((listen(address)?, speaks))).collect();
                (0..count).map(of_worker).collect()
            }
            Self::HandedOver(sockets) => deal(sockets, count)
                .map_err(|why| AppError::System { what: "a socket that was handed over", why }),
        }
    }
}

fn own(server: &Server) -> impl Iterator<Item = (SocketAddr, Speaks)> {
    let plain = server.listen.iter().map(|address| (*address, Speaks::Http));
    let secure = server.tls.iter().flat_map(|tls| &tls.listen);
    plain.chain(secure.map(|address| (*address, Speaks::Https)))
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
    let sockets = entrance.open(count)?;
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
        let listeners = listeners.into_iter().map(|(socket, speaks)| match speaks {
            Speaks::Http => (socket, None),
            Speaks::Https => (socket, answering.tls.clone()),
        });
        let records = records.of_worker(index);
        let service = match records.witness() {
            Some(witness) => service.witnessed_by(witness),
            None => service,
        };
        threads.push(spawn(
            &format!("worker {index}"),
            listeners.collect(),
            service,
            records,
            shutdown.clone(),
        )?);
    }
    Ok(threads)
}

fn spawn(
    name: &str,
    listeners: Vec<(TcpListener, Option<Arc<Tls>>)>,
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
