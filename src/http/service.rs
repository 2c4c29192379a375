//! OCSP over HTTP: contract, section 4; RFC 6960 appendix A.1, RFC 9919 6 and 7.2.
//!
//! One [`OcspService`] is shared by all connections of a process. A request comes in as a path or a body,
//! is answered by an [`Answerer`] in one synchronous step, and goes out with what caches may know about it. Every failure that a
//! client could make sense of is an OCSP answer in HTTP 200, since clients stop at other statuses and
//! never read the body; HTTP errors are left for what is wrong with the HTTP.
//!
//! Decided where the standards leave it open: an HTTP/1.1 request needs exactly one `Host`, HTTP/1.0
//! (openssl, GnuTLS) none; a POST without length or chunks is 411, with an empty body `malformedRequest`; a POST
//! without a type is taken; the query of a path is ignored; `Cache-Control` of requests changes nothing.

use super::caching::{self, Asked, Audience};
use super::caller::Caller;
use super::disk_pace::{DiskPace, Doings};
use super::gate::{self, Gate};
use super::listener::{Limits, Serve};
use super::ocsp_get;
use super::ocsp_post::{self, BodyRefusal};
use super::peer::Peer;
use super::pressure::Pressure;
use super::reply::{HTML, Reply, last_words, reply, text};
use super::turn::Turn;
use super::witness::{Consent, Method as AskedBy, Seen, Witness};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::ocsp::{OcspRequest, OcspResponseStatus};
use crate::respond::{Allowance, Answer, CacheUse, Effort, Outcome, Work};
use crate::x509::UnixTime;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ALLOW, EXPECT, HOST, HeaderMap, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode, Version};
use std::future::{Future, ready};
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Gives the OCSP answer to a request: `respond`, with the snapshot of the moment.
///
/// [`Answerer::answer_from_memory`] is called on the thread that serves the connection and must not block;
/// where it has no answer, [`Answerer::answer`] is called, on the same thread while reads are quick and else on
/// one that may wait. Neither may panic.
pub trait Answerer: Send + Sync + 'static {
    fn answer(&self, request: &[u8], now: UnixTime, allowance: Allowance) -> Answer;

    /// The same, if it needs no look at the disk; else `None`.
    fn answer_from_memory(&self, request: &[u8], now: UnixTime, allowance: Allowance) -> Option<Answer> {
        Some(self.answer(request, now, allowance))
    }

    /// As [`Answerer::answer_from_memory`]; before it signs it may let others take their `turn`.
    fn answer_in_turn(
        &self,
        request: &[u8],
        now: UnixTime,
        allowance: Allowance,
        _turn: &mut Turn<'_>,
    ) -> impl Future<Output = Option<Answer>> + Send {
        ready(self.answer_from_memory(request, now, allowance))
    }

    /// Octets of the answers that it keeps in memory.
    fn cache_octets(&self) -> u64 {
        0
    }
}

/// What a person's browser shows.
const FRONT_PAGE: &str = include_str!("front_page.html");

/// Answers OCSP requests. Clones share everything.
pub struct OcspService<A> {
    parts: Arc<ServiceParts<A>>,
    /// Whom this connection is with, where that matters.
    peer: Option<Arc<Peer>>,
}

struct ServiceParts<A> {
    answerer: A,
    metrics: Arc<Metrics>,
    clock: Clock,
    limits: Limits,
    /// Where only registered verifiers may ask.
    gate: Option<Arc<Gate>>,
    /// A permit for each request that may wait for the disk.
    disk_readers: Arc<Semaphore>,
    pressure: Arc<Pressure>,
    pace: DiskPace,
    /// What the time of requests is counted from.
    began: Instant,
    /// Who is told of every answer.
    witness: Option<Arc<dyn Witness>>,
}

impl<A> Clone for OcspService<A> {
    fn clone(&self) -> Self {
        Self { parts: Arc::clone(&self.parts), peer: self.peer.clone() }
    }
}

impl<A: Answerer> OcspService<A> {
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the beginning of the one stopwatch, see `answer`")]
    pub fn new(
        answerer: A,
        metrics: Arc<Metrics>,
        clock: Clock,
        limits: Limits,
        gate: Option<Arc<Gate>>,
    ) -> Self {
        let disk_readers = Arc::new(Semaphore::new(limits.disk_readers));
        let parts = ServiceParts {
            answerer,
            metrics,
            clock,
            disk_readers,
            pressure: Arc::new(Pressure::new(limits.patience)),
            limits,
            gate,
            pace: DiskPace::default(),
            began: Instant::now(),
            witness: None,
        };
        Self { parts: Arc::new(parts), peer: None }
    }

    /// Has `witness` told of every answer. Before the first clone.
    #[must_use]
    pub fn witnessed_by(mut self, witness: Arc<dyn Witness>) -> Self {
        if let Some(parts) = Arc::get_mut(&mut self.parts) {
            parts.witness = Some(witness);
        }
        self
    }

    /// To be told when the worker that this is the service of has nothing to do.
    #[must_use]
    pub fn pressure(&self) -> Arc<Pressure> {
        Arc::clone(&self.parts.pressure)
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.parts.limits
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.parts.metrics
    }

    async fn get(&self, head: &Parts) -> Reply {
        let path = head.uri.path();
        if ocsp_get::is_bare(path) {
            return reply(StatusCode::OK, HTML, FRONT_PAGE);
        }
        let octets = ocsp_get::decode(path);
        self.answer(octets.as_ref().map(AsRef::as_ref), Asked::Get(&head.headers), &head.headers).await
    }

    async fn post(&self, request: Request<Incoming>) -> Reply {
        let (head, body) = request.into_parts();
        match ocsp_post::read(&head, body, self.parts.limits.body_octets).await {
            Ok(octets) => self.answer(Some(&octets), Asked::Post, &head.headers).await,
            Err(BodyRefusal::MediaType) => last_words(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "An OCSP request is posted as application/ocsp-request.\n",
            ),
            Err(BodyRefusal::LengthRequired) => text(
                StatusCode::LENGTH_REQUIRED,
                "An OCSP request is posted with its length, or in chunks.\n",
            ),
            Err(BodyRefusal::TooLarge) => last_words(
                StatusCode::PAYLOAD_TOO_LARGE,
                "This is longer than any OCSP request needs to be.\n",
            ),
            Err(BodyRefusal::Broken) => {
                last_words(StatusCode::BAD_REQUEST, "The body of the request did not arrive whole.\n")
            }
        }
    }

    /// Here, while what is read comes at once; else elsewhere.
    #[expect(clippy::disallowed_methods, reason = "only where a row was not in memory: see disk_pace")]
    async fn answer_from_disk(&self, request: &[u8], now: UnixTime, allowance: Allowance) -> Answer {
        let parts = &self.parts;
        parts.metrics.disk_reads.inc();
        let begin = Instant::now();
        if !parts.pace.is_quick(begin.duration_since(parts.began)) {
            return self.answer_elsewhere(request, now, allowance).await;
        }
        let before = Doings::now();
        let answer = parts.answerer.answer(request, now, allowance);
        let end = Instant::now();
        parts.pace.waited(end.duration_since(parts.began), before.waited_since(end.duration_since(begin)));
        answer
    }

    /// On a thread that may wait, so that a slow disk delays none of the other connections of this one. Who
    /// finds too many waiting already is told to come back.
    async fn answer_elsewhere(&self, request: &[u8], now: UnixTime, allowance: Allowance) -> Answer {
        let parts = &self.parts;
        let busy = || Answer::error(OcspResponseStatus::TryLater, None);
        let Ok(waiting) = Arc::clone(&parts.disk_readers).try_acquire_owned() else {
            parts.metrics.disk_reads_refused.inc();
            return busy();
        };
        parts.metrics.disk_reads_elsewhere.inc();
        let (of_task, request) = (Arc::clone(parts), Bytes::copy_from_slice(request));
        let answered = tokio::task::spawn_blocking(move || {
            let _waiting = waiting;
            of_task.answerer.answer(&request, now, allowance)
        });
        // It does not panic, and the runtime does not end before its connections.
        answered.await.unwrap_or_else(|_| busy())
    }

    fn count_work(&self, work: Work) {
        let metrics = &self.parts.metrics;
        match work {
            Work { effort: Effort::Kept, .. } | Work { effort: Effort::Signature, is_shed: false, .. } => {}
            Work { effort: Effort::Held, is_shed: false, .. } => metrics.presigned_hits.inc(),
            Work { effort: Effort::Held, .. } => metrics.shed.held.inc(),
            Work { has_nonce: true, .. } => metrics.shed.nonces.inc(),
            Work { has_nonce: false, .. } => metrics.shed.signatures.inc(),
        }
    }

    fn count_cache(&self, cache: CacheUse) {
        let ServiceParts { answerer, metrics, .. } = &*self.parts;
        match cache {
            CacheUse::Hit => metrics.cache_hits.inc(),
            CacheUse::Miss => {
                metrics.cache_misses.inc();
                // Only what was not there is put there.
                metrics.cache_bytes.set(i64::try_from(answerer.cache_octets()).unwrap_or(i64::MAX));
            }
            CacheUse::None => {}
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the one stopwatch of a request: its duration is what the service promises"
    )]
    async fn answer(&self, request: Option<&[u8]>, asked: Asked<'_>, headers: &HeaderMap) -> Reply {
        let begin = Instant::now();
        let now = self.parts.clock.now();
        let ServiceParts { gate, witness, .. } = &*self.parts;
        let witness = witness.as_deref();
        let consent = match witness {
            Some(witness) if !witness.may_answer() => Consent::Withheld,
            _ => Consent::Given,
        };
        let mut turn = Turn::new(&self.parts.pressure);
        let (answer, caller) = match (consent, request, gate) {
            (Consent::Withheld, ..) => (Answer::error(OcspResponseStatus::TryLater, None), Caller::default()),
            (Consent::Given, None, _) => {
                (Answer::error(OcspResponseStatus::MalformedRequest, None), Caller::default())
            }
            (Consent::Given, Some(request), None) => {
                (self.answer_let_in(request, now, begin, &mut turn).await, Caller::default())
            }
            (Consent::Given, Some(request), Some(gate)) => {
                self.answer_at(gate, request, headers, (now, begin), &mut turn).await
            }
        };
        let audience = if gate.is_some() { Audience::Caller } else { Audience::Anybody };
        let Outcome { issuer, status, good, revoked, unknown } = &answer.outcome;
        let index = issuer.as_ref().map(|index| index.0);
        self.count_cache(answer.cache);
        let work = answer.work;
        self.count_work(work);
        self.parts.metrics.count(index, *status, *good, *revoked, *unknown);
        if let Some(witness) = witness {
            let method = match asked {
                Asked::Get(_) => AskedBy::Get,
                Asked::Post => AskedBy::Post,
            };
            witness.saw(&Seen { caller, method, request, answer: &answer, consent, now });
        }
        let reply = caching::reply(asked, answer, audience, now);
        let took = begin.elapsed();
        if !work.is_shed {
            self.parts.pressure.spend(work.effort, work.has_nonce, took.saturating_sub(turn.waited()));
        }
        self.parts.metrics.request_duration.observe(took.as_secs_f64());
        reply
    }

    /// Asks the gate first. What cannot be read is nobody's right and nobody's quota.
    async fn answer_at<'a>(
        &self,
        gate: &Gate,
        request: &[u8],
        headers: &'a HeaderMap,
        (now, begin): (UnixTime, Instant),
        turn: &mut Turn<'_>,
    ) -> (Answer, Caller<'a>) {
        let admitted = match OcspRequest::parse(request) {
            Ok(parsed) => gate.admit(self.peer.as_deref(), &parsed, headers, (now, begin)),
            Err(_) => {
                return (Answer::error(OcspResponseStatus::MalformedRequest, None), Caller::default());
            }
        };
        match admitted {
            Ok(admitted) => {
                let answer = self.answer_let_in(request, now, begin, turn).await;
                gate.look_at(&admitted, request, &answer);
                (answer, admitted.caller())
            }
            Err(refused) => {
                gate::count(&self.parts.metrics, refused.cause);
                (Answer::error(refused.cause.status(), None), refused.caller())
            }
        }
    }

    async fn answer_let_in(
        &self,
        request: &[u8],
        now: UnixTime,
        begin: Instant,
        turn: &mut Turn<'_>,
    ) -> Answer {
        let ServiceParts { answerer, pressure, began, .. } = &*self.parts;
        let allowance = pressure.allowance(begin.duration_since(*began));
        // Who has time to rest has nobody to let go first.
        let answer = if pressure.is_pressed() {
            answerer.answer_in_turn(request, now, allowance, turn).await
        } else {
            answerer.answer_from_memory(request, now, allowance)
        };
        match answer {
            Some(answer) => answer,
            None => self.answer_from_disk(request, now, allowance).await,
        }
    }
}

impl<A: Answerer> Serve for OcspService<A> {
    fn meet(&self, peer: impl FnOnce() -> Peer) -> Self {
        let peer = self.parts.gate.as_ref().map(|_| Arc::new(peer()));
        Self { parts: Arc::clone(&self.parts), peer }
    }

    async fn serve(&self, request: Request<Incoming>) -> Reply {
        if let Some(refused) = refuse_head(&request) {
            return refused;
        }
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if target > self.parts.limits.target_octets {
            return text(
                StatusCode::URI_TOO_LONG,
                "This is longer than any OCSP request needs to be: POST it.\n",
            );
        }
        match *request.method() {
            Method::GET | Method::HEAD => {
                let (head, _) = request.into_parts();
                self.get(&head).await
            }
            Method::POST => self.post(request).await,
            _ => {
                let mut refused =
                    last_words(StatusCode::METHOD_NOT_ALLOWED, "OCSP is spoken with GET and POST.\n");
                refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD, POST"));
                refused
            }
        }
    }
}

/// What RFC 9112 3.2 and RFC 9110 10.1.1 make every server refuse. hyper leaves both to its user.
pub(super) fn refuse_head(request: &Request<Incoming>) -> Option<Reply> {
    if request.version() < Version::HTTP_11 {
        return None;
    }
    let mut hosts = request.headers().get_all(HOST).iter();
    // HTTP/2 names the host in a field of its own (RFC 9113 8.3.1).
    if request.version() == Version::HTTP_11 && (hosts.next().is_none() || hosts.next().is_some()) {
        return Some(last_words(
            StatusCode::BAD_REQUEST,
            "An HTTP/1.1 request has exactly one Host header.\n",
        ));
    }
    match request.headers().get(EXPECT) {
        Some(expectation) if !expectation.as_bytes().eq_ignore_ascii_case(b"100-continue") => {
            Some(last_words(StatusCode::EXPECTATION_FAILED, "Only 100-continue can be expected here.\n"))
        }
        _ => None,
    }
}
