//! The load itself: what one thread does.
//!
//! Called by `run`, once a thread. A thread has one runtime and its connections; each connection takes
//! the next ticket, sends, waits, counts. In a closed loop there is always a next ticket. In an open loop
//! a pacer gives them out when they are due, whatever became of those before; one that finds no free
//! connection waits, and its latency counts from when it was due, so that a responder that stalls cannot
//! hide how many it kept waiting (no coordinated omission).
//!
//! The pacer sleeps until shortly before a ticket is due and spins from there, because the runtime's timer
//! counts in milliseconds: give this program a core of its own. How late it was is counted.
//! Invariants: it ends: after the last ticket, and one timeout later at the latest nothing more is sent.

use crate::answer::{Judgement, judge};
use crate::plan::{Loop, Plan, Waits};
use crate::progress::Counters;
use crate::request::{CertIdPrefix, Heads, Method, NONCE_LEN, Nonce, spoil};
use crate::schedule::Schedule;
use crate::serials::{Picker, Serials};
use crate::stopwatch::{nanoseconds, now};
use crate::tally::{ErrorKind, Tally};
use crate::target::Target;
use crate::transport::{Channel, Room, Transport};
use crate::verify::Sample;
use crate::wire::{Reply, WireError};
use ocsprey::clock::Clock;
use ocsprey::x509::{Certificate, HashAlgorithm};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::task::{LocalSet, yield_now};
use tokio::time::{sleep, timeout};

/// How long before a ticket is due the pacer stops sleeping: the timer's coarseness, and some.
const SPIN: Duration = Duration::from_micros(2_500);

/// What all threads of a run are given.
pub struct Job {
    pub plan: Plan,
    pub target: Target,
    pub transport: Transport,
    pub issuer: Certificate,
    pub serials: Serials,
    /// Successful answers that are kept and verified.
    pub samples: usize,
}

/// Runs thread `number` of the plan: connects, waits at `barrier` for the others, loads.
///
/// # Errors
/// When there is no runtime, no memory, or not every connection.
pub fn thread(
    job: &Arc<Job>,
    number: usize,
    barrier: &Barrier,
    counters: &Arc<Counters>,
) -> io::Result<Tally> {
    let runtime = Builder::new_current_thread().enable_io().enable_time().build();
    // Nobody may be left waiting at the barrier, so errors are looked at behind it.
    let connected = runtime.and_then(|runtime| {
        let channels = runtime.block_on(connect_all(job, number));
        channels.map(|channels| (runtime, channels))
    });
    barrier.wait();
    let (runtime, channels) = connected?;
    let lane = Lane::new(job, number, counters).ok_or(io::ErrorKind::OutOfMemory)?;
    let lane = Rc::new(lane);
    let local = LocalSet::new();
    let streams = job.plan.load.streams;
    let lanes = channels.len();
    for (index, channel) in channels.into_iter().enumerate() {
        if channel.is_some() && index % streams == 0 {
            lane.tally.borrow_mut().connections += 1;
        }
        local.spawn_local(Rc::clone(&lane).serve(index, channel));
    }
    if job.plan.load.mode == Loop::Open {
        local.spawn_local(Rc::clone(&lane).pace());
    }
    if job.plan.load.waits == Waits::Awake {
        local.spawn_local(Rc::clone(&lane).stay_awake(lanes));
    }
    runtime.block_on(local);
    lane.count_never_sent();
    // Its tasks have ended, so nobody else holds it.
    Ok(Rc::into_inner(lane).ok_or(io::ErrorKind::Other)?.tally.into_inner())
}

/// The share of `whole` that thread `number` of `threads` takes.
fn share(whole: usize, threads: usize, number: usize) -> usize {
    whole / threads + usize::from(number < whole % threads)
}

/// Connections are opened before the time counts; without keep-alive each request opens its own. One
/// entry for each request that may be out at a time.
async fn connect_all(job: &Job, number: usize) -> io::Result<Vec<Option<Channel>>> {
    let load = &job.plan.load;
    let mut channels = Vec::new();
    for own in 0..share(load.connections, load.threads, number) {
        let first = if load.keep_alive {
            let wait = Duration::from_secs_f64(load.timeout_seconds);
            let turn = own * load.threads + number;
            Some(timeout(wait, job.transport.open(turn)).await??)
        } else {
            None
        };
        for _ in 1..load.streams {
            channels.push(first.as_ref().and_then(Channel::share));
        }
        channels.push(first);
    }
    Ok(channels)
}

/// A request to be sent.
#[derive(Clone, Copy)]
struct Ticket {
    /// Of the whole run.
    number: u64,
    due: Instant,
}

/// One thread's state, shared by its connections.
struct Lane {
    job: Arc<Job>,
    counters: Arc<Counters>,
    thread: u64,
    threads: u64,
    schedule: Schedule,
    heads: Heads,
    prefixes: Vec<CertIdPrefix>,
    picker: Picker,
    start: Instant,
    /// Nothing is sent after this.
    stop: Instant,
    timeout: Duration,
    /// Tickets of this thread that the pacer gave out, and those that a connection took.
    released: Cell<u64>,
    taken: Cell<u64>,
    pacing: Cell<bool>,
    /// Connections that will send no more.
    ended: Cell<usize>,
    wake: Notify,
    tally: RefCell<Tally>,
}

/// What one connection works with.
struct Desk {
    /// Whose connection the next one is, where several clients take turns.
    turn: usize,
    channel: Option<Channel>,
    chance: SmallRng,
    /// Indices of the serials that are asked about.
    asked: Vec<usize>,
    nonce: Option<Nonce>,
    hash: usize,
    method: Method,
    der: Vec<u8>,
    room: Room,
}

impl Lane {
    fn new(job: &Arc<Job>, number: usize, counters: &Arc<Counters>) -> Option<Self> {
        let load = &job.plan.load;
        let timeout = Duration::from_secs_f64(load.timeout_seconds);
        let seconds = job.plan.seconds();
        let start = now();
        let end = start + Duration::from_secs_f64(seconds);
        let mix = &job.plan.request;
        Some(Self {
            job: Arc::clone(job),
            counters: Arc::clone(counters),
            thread: number as u64,
            threads: load.threads as u64,
            schedule: Schedule::new(&load.phases, load.most_requests),
            heads: Heads::new(&job.target, load.keep_alive),
            prefixes: HashAlgorithm::ALL.map(|hash| CertIdPrefix::new(hash, &job.issuer)).to_vec(),
            picker: Picker::new(mix.serials, mix.zipf_exponent, job.serials.len()),
            start,
            // What is due has until then to find a connection.
            stop: if load.mode == Loop::Open { end + timeout } else { end },
            timeout,
            released: Cell::new(0),
            taken: Cell::new(0),
            pacing: Cell::new(load.mode == Loop::Open),
            ended: Cell::new(0),
            wake: Notify::new(),
            tally: RefCell::new(Tally::new(seconds, share(job.samples, load.threads, number))?),
        })
    }

    /// Number `own` of this thread, counted over all threads: they take turns.
    fn number(&self, own: u64) -> u64 {
        own * self.threads + self.thread
    }

    /// Gives out the tickets of an open loop, each when it is due.
    async fn pace(self: Rc<Self>) {
        let mut next = 0;
        while let Some(due) = self.schedule.due(self.number(next)) {
            let due = self.start + due;
            loop {
                let ahead = due.saturating_duration_since(now());
                if ahead.is_zero() {
                    break;
                } else if ahead > SPIN {
                    sleep(ahead.saturating_sub(SPIN)).await;
                } else {
                    yield_now().await;
                }
            }
            next += 1;
            self.released.set(next);
            self.wake.notify_one();
            if now() > self.stop {
                break;
            }
        }
        self.pacing.set(false);
        self.wake.notify_waiters();
    }

    /// The next ticket, when there is one; `None` when there will be none.
    async fn ticket(&self) -> Option<Ticket> {
        loop {
            let own = self.taken.get();
            let number = self.number(own);
            match self.job.plan.load.mode {
                Loop::Closed => {
                    let now = now();
                    if now >= self.stop || number >= self.job.plan.load.most_requests {
                        return None;
                    }
                    self.taken.set(own + 1);
                    return Some(Ticket { number, due: now });
                }
                Loop::Open if own < self.released.get() => {
                    if now() >= self.stop {
                        return None;
                    }
                    self.taken.set(own + 1);
                    let due = self.start + self.schedule.due(number)?;
                    return Some(Ticket { number, due });
                }
                Loop::Open => {
                    // One thread: nothing changes between this look and the wait.
                    if !self.pacing.get() {
                        return None;
                    }
                    self.wake.notified().await;
                }
            }
        }
    }

    /// One connection, from its first ticket to its last.
    async fn serve(self: Rc<Self>, index: usize, channel: Option<Channel>) {
        let lane = (self.thread << 32) | index as u64;
        let seed = self.job.plan.load.seed ^ lane.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut desk = Desk {
            turn: index,
            channel,
            chance: SmallRng::seed_from_u64(seed),
            asked: Vec::new(),
            nonce: None,
            hash: 0,
            method: Method::Post,
            der: Vec::new(),
            room: Room::default(),
        };
        while let Some(ticket) = self.ticket().await {
            self.prepare(&mut desk, ticket.number);
            let sent = now();
            {
                let mut tally = self.tally.borrow_mut();
                tally.sent += 1;
                tally.delay.saturating_record(nanoseconds(sent.saturating_duration_since(ticket.due)));
            }
            let outcome = timeout(self.timeout, self.exchange(&mut desk)).await;
            let done = now();
            self.count(&mut desk, ticket, outcome.unwrap_or(Err(ErrorKind::Timeout)), done);
        }
        self.ended.set(self.ended.get() + 1);
    }

    /// Has always something to do, so that the runtime looks for answers instead of sleeping until one comes.
    async fn stay_awake(self: Rc<Self>, lanes: usize) {
        while self.ended.get() < lanes {
            yield_now().await;
        }
    }

    /// Writes the request of ticket `number`.
    fn prepare(&self, desk: &mut Desk, number: u64) {
        let mix = &self.job.plan.request;
        let certificates = mix.certificates as u64;
        desk.asked.clear();
        for more in 0..certificates {
            desk.asked.push(self.picker.pick(number * certificates + more, &mut desk.chance));
        }
        let malformed = happens(mix.malformed_share, &mut desk.chance);
        desk.nonce = (!malformed && happens(mix.nonce_share, &mut desk.chance)).then(|| {
            let mut nonce = [0; NONCE_LEN];
            desk.chance.fill(&mut nonce);
            nonce
        });
        desk.method = if happens(mix.get_share, &mut desk.chance) { Method::Get } else { Method::Post };
        desk.hash = drawn(&mix.hash.weights(), &mut desk.chance);
        desk.der.clear();
        if let Some(prefix) = self.prefixes.get(desk.hash) {
            let serials = desk.asked.iter().map(|&index| self.job.serials.get(index));
            prefix.encode(&mut desk.der, serials, desk.nonce.as_ref());
        }
        if let (true, Some(&last)) = (malformed, desk.asked.last()) {
            spoil(&mut desk.der, self.job.serials.get(last));
        }
    }

    /// Sends the request and reads the answer, over a new connection where there is none.
    async fn exchange(&self, desk: &mut Desk) -> Result<(Channel, Reply), ErrorKind> {
        let (heads, method) = (&self.heads, desk.method);
        if let Some(mut kept) = desk.channel.take() {
            match kept.exchange(heads, method, &desk.der, &mut desk.room).await {
                Ok(reply) => return Ok((kept, reply)),
                // The responder closed it while it was idle, as it may; any client tries again.
                Err(WireError::Unanswered) => self.tally.borrow_mut().reconnects += 1,
                Err(error) => return Err(error.into()),
            }
        }
        let opened = self.job.transport.open(desk.turn).await;
        let mut opened = opened.map_err(|_| ErrorKind::Connect)?;
        // Without keep-alive each request is somebody else's.
        desk.turn = desk.turn.wrapping_add(1);
        self.tally.borrow_mut().connections += 1;
        let reply = opened.exchange(heads, method, &desk.der, &mut desk.room).await?;
        Ok((opened, reply))
    }

    fn count(
        &self,
        desk: &mut Desk,
        ticket: Ticket,
        outcome: Result<(Channel, Reply), ErrorKind>,
        done: Instant,
    ) {
        let latency = done.saturating_duration_since(ticket.due);
        let at = done.saturating_duration_since(self.start);
        let mut tally = self.tally.borrow_mut();
        let (channel, reply) = match outcome {
            Ok(answered) => answered,
            Err(kind) => {
                if kind == ErrorKind::Timeout {
                    tally.gave_up(kind, latency, at);
                } else {
                    tally.failed(kind, at);
                }
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
                return;
            }
        };
        tally.octets += reply.octets as u64;
        let judgement = if reply.http_status != 200 {
            *tally.http_statuses.entry(reply.http_status).or_default() += 1;
            Err(ErrorKind::HttpStatus)
        } else if reply.is_ocsp {
            let serials = desk.asked.iter().map(|&index| self.job.serials.get(index));
            let body = channel.octets(reply.body.clone());
            let judgement = judge(body, serials.clone(), desk.nonce.as_ref());
            if let Judgement::Answered(_) = judgement
                && let Some(place) = tally.keeps_next(&mut desk.chance)
            {
                let hash = HashAlgorithm::ALL.get(desk.hash).copied().unwrap_or(HashAlgorithm::Sha1);
                let serials = serials.map(<[u8]>::to_vec).collect();
                let received_at = Clock::System.now();
                let sample = Sample { body: body.to_vec(), hash, serials, nonce: desk.nonce, received_at };
                tally.keep(place, sample);
            }
            Ok(judgement)
        } else {
            Err(ErrorKind::ContentType)
        };
        let counter = match judgement {
            Ok(judgement) => {
                tally.judged(judgement, latency, at);
                &self.counters.answered
            }
            Err(kind) => {
                tally.failed(kind, at);
                &self.counters.failed
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if self.job.plan.load.keep_alive && reply.reusable {
            desk.channel = Some(channel);
        }
    }

    /// Tickets of an open loop that no connection took in time.
    fn count_never_sent(&self) {
        if self.job.plan.load.mode == Loop::Closed {
            return;
        }
        let stopped = now();
        let at = stopped.saturating_duration_since(self.start);
        let mut own = self.taken.get();
        while let Some(due) = self.schedule.due(self.number(own)) {
            let waited = stopped.saturating_duration_since(self.start + due);
            self.tally.borrow_mut().gave_up(ErrorKind::NeverSent, waited, at);
            own += 1;
        }
    }
}

fn happens(share: f64, chance: &mut SmallRng) -> bool {
    // No draw where there is no choice: it is paid for by every request.
    share > 0.0 && (share >= 1.0 || chance.random::<f64>() < share)
}

/// One of `weights`, by weight.
fn drawn(weights: &[f64; 4], chance: &mut SmallRng) -> usize {
    let whole: f64 = weights.iter().sum();
    if let Some(only) = weights.iter().position(|&weight| weight >= whole) {
        return only;
    }
    let mut left = chance.random::<f64>() * whole;
    for (index, weight) in weights.iter().enumerate() {
        if left < *weight {
            return index;
        }
        left -= weight;
    }
    // Rounding: the last that has a weight.
    weights.iter().rposition(|&weight| weight > 0.0).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_what_there_is_without_rest() {
        for (whole, threads) in [(1, 1), (7, 3), (64, 8), (5, 5)] {
            let shares = (0..threads).map(|number| share(whole, threads, number));
            assert_eq!(shares.sum::<usize>(), whole);
        }
    }

    #[test]
    fn a_mix_is_drawn_by_weight() {
        let mut chance = SmallRng::seed_from_u64(1);
        assert_eq!(drawn(&[0.0, 0.0, 5.0, 0.0], &mut chance), 2);
        let mut seen = [0u32; 4];
        for _ in 0..40_000 {
            seen[drawn(&[1.0, 3.0, 0.0, 0.0], &mut chance)] += 1;
        }
        assert!((9_500..10_500).contains(&seen[0]) && seen[0] + seen[1] == 40_000, "{seen:?}");
        assert_eq!((0..1000).filter(|_| happens(0.0, &mut chance)).count(), 0);
        assert_eq!((0..1000).filter(|_| happens(1.0, &mut chance)).count(), 1000);
    }
}
