//! A run: threads, progress, the tallies added up, the sample verified, the report.
//!
//! Called by `command`. Errors: [`RunError`].

use crate::drive::{self, Job};
use crate::plan::{Loop, Order};
use crate::processor::{self, Spent};
use crate::progress::{Counters, Progress};
use crate::report::{Cpu, FORMAT, Report, SerialsAsked, Spread, TimePoint, Verified};
use crate::schedule::Schedule;
use crate::stopwatch::now;
use crate::tally::Tally;
use crate::verify::Verifier;
use ocsprey::clock::Clock;
use std::collections::BTreeMap;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Barrier};
use std::time::Duration;

/// Between two looks at the counters.
const LOOK: Duration = Duration::from_millis(250);

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("{url}: {source} (is the responder running, and is this its OCSP listener?)")]
    Unreachable { url: String, source: io::Error },
    #[error(
        "{url}: not every connection could be opened: {source} (fewer --connections, or a higher ulimit -n)"
    )]
    Connections { url: String, source: io::Error },
    #[error("load threads: {0} (fewer --threads)")]
    Threads(io::Error),
    #[error("load threads: one ended without a result (this is a bug: please report it)")]
    Lost,
    #[error("memory: not enough for the histograms (fewer --threads)")]
    Memory,
    #[error("process {pid}: its CPU time cannot be read (is --server-pid right? it needs Linux)")]
    Processor { pid: u32 },
}

/// What is watched beside the load.
pub struct Watch {
    pub server_pid: Option<u32>,
    pub progress: Progress,
    /// The command line, for the report.
    pub arguments: Vec<String>,
}

/// Runs `job` to its end.
pub fn run(job: Job, mut watch: Watch) -> Result<Report, RunError> {
    let url = job.target.url.clone();
    let load = job.plan.load.clone();
    let wait = Duration::from_secs_f64(load.timeout_seconds);
    if load.keep_alive {
        // Otherwise the first request will tell: `openssl ocsp` never gets over a connection that is silent.
        TcpStream::connect_timeout(&job.target.address, wait)
            .map_err(|source| RunError::Unreachable { url: url.clone(), source })?;
    }
    let server_cpu = || match watch.server_pid {
        None => Ok(None),
        Some(pid) => Spent::by(&pid.to_string()).map(Some).ok_or(RunError::Processor { pid }),
    };
    server_cpu()?;
    let job = Arc::new(job);
    let counters = Arc::new(Counters::default());
    let barrier = Arc::new(Barrier::new(load.threads + 1));
    let (sender, receiver) = mpsc::channel();
    for number in 0..load.threads {
        let (job, counters, barrier) = (Arc::clone(&job), Arc::clone(&counters), Arc::clone(&barrier));
        let sender = sender.clone();
        let work = move || {
            // The receiver is there until every thread has sent.
            let _ = sender.send(drive::thread(&job, number, &barrier, &counters));
        };
        // A thread that does not start leaves the others at the barrier; the program ends all the same.
        std::thread::Builder::new().name(format!("load-{number}")).spawn(work).map_err(RunError::Threads)?;
    }
    drop(sender);
    barrier.wait();
    let (start, started_at) = (now(), Clock::System.now());
    let before = (server_cpu()?, Spent::by("self"));
    let mut whole = Tally::new(job.plan.seconds(), job.samples).ok_or(RunError::Memory)?;
    let mut left = load.threads;
    while left > 0 {
        match receiver.recv_timeout(LOOK) {
            Ok(Ok(tally)) => {
                whole.add(tally);
                left -= 1;
            }
            Ok(Err(source)) => return Err(RunError::Connections { url, source }),
            Err(RecvTimeoutError::Timeout) => {
                watch.progress.tell(now().saturating_duration_since(start), &counters);
            }
            Err(RecvTimeoutError::Disconnected) => return Err(RunError::Lost),
        }
    }
    let seconds = now().saturating_duration_since(start).as_secs_f64();
    let done = counters.answered.load(Ordering::Relaxed) + counters.failed.load(Ordering::Relaxed);
    let cpu = |before: Option<Spent>, after: Option<Spent>| {
        let seconds = after?.since(&before?);
        Some(Cpu { seconds, micros_a_request: seconds * 1e6 / done.max(1) as f64 })
    };
    let after = (server_cpu().unwrap_or(None), Spent::by("self"));
    let (server_cpu, generator_cpu) = (cpu(before.0, after.0), cpu(before.1, after.1));
    watch.progress.finish();
    let verified = verified(&job, &whole);
    let plan = job.plan.clone();
    let offered = (load.mode == Loop::Open).then(|| {
        let schedule = Schedule::new(&load.phases, load.most_requests);
        schedule.total() as f64 / schedule.length().as_secs_f64()
    });
    let certificates = whole.sent.saturating_mul(plan.request.certificates as u64);
    let listed = job.serials.len() as u64;
    Ok(Report {
        format: FORMAT,
        program: concat!("ocsprey-load ", env!("CARGO_PKG_VERSION")).into(),
        started_at: started_at.to_string(),
        machine: processor::machine(),
        arguments: watch.arguments,
        target: url,
        seconds,
        offered_a_second: offered,
        sent: whole.sent,
        answered: whole.answered,
        answers_a_second: whole.answered as f64 / seconds,
        octets_received: whole.octets,
        connections: whole.connections,
        reconnects: whole.reconnects,
        latency: Spread::of(&whole.latency),
        delay: Spread::of(&whole.delay),
        statuses: statuses(&whole),
        results: whole.results,
        errors: whole.errors.iter().map(|(kind, count)| (kind.name().to_owned(), *count)).collect(),
        wrong_answers: whole.errors.iter().filter(|(kind, _)| kind.is_wrong_answer()).map(|(_, n)| n).sum(),
        http_statuses: whole.http_statuses.iter().map(|(code, n)| (code.to_string(), *n)).collect(),
        verified,
        serials: SerialsAsked {
            listed,
            asked: certificates,
            each_once: plan.request.serials != Order::Zipf && certificates <= listed,
        },
        server_cpu,
        generator_cpu,
        seconds_a_point: whole.piece().as_secs_f64(),
        points: whole.points.iter().map(TimePoint::of).collect(),
        plan,
    })
}

fn statuses(whole: &Tally) -> BTreeMap<String, u64> {
    let mut statuses: BTreeMap<String, u64> =
        whole.statuses.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    statuses.insert("successful".into(), whole.successful);
    statuses
}

fn verified(job: &Job, whole: &Tally) -> Verified {
    let mut verifier = Verifier::new(job.issuer.clone());
    let mut verified = Verified { sampled: whole.samples.len() as u64, ..Verified::default() };
    for sample in &whole.samples {
        match verifier.verify(sample) {
            Ok(()) => verified.passed += 1,
            Err(fault) => *verified.faults.entry(fault.name().to_owned()).or_default() += 1,
        }
    }
    verified
}
