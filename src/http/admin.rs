//! The admin pages: contract, section 5. For monitors and the people who run the responder.
//!
//! `app` says where everything comes from ([`AdminSources`]); nothing here knows a store or a CRL. It runs on a
//! runtime of its own and may take its time. It has no access control but its address: it belongs
//! on the loopback interface or behind something that knows who asks.

use super::history::History;
use super::listener::{Limits, Serve};
use super::ocsp_post::{BodyRefusal, collect};
use super::orders::{self, NoOrder, ORDER_OCTETS, Order, UsageQuestion};
use super::reply::{HTML, JSON, Reply, TEXT, last_words, reply, text};
use super::service::refuse_head;
use super::status::Status;
use super::status_page::{self, Asked};
use crate::metrics::Metrics;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION};
use hyper::{Method, Request, StatusCode};
use serde_json::{Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// CRLs that may be held in memory at a time; more are asked to come back.
const UPLOADS: usize = 2;

/// A form with one serial number in it, or the filter of a log.
const FORM_OCTETS: usize = 1 << 10;

/// Gives what is loaded.
pub type StatusSource = Arc<dyn Fn() -> Status + Send + Sync>;

/// Explains the answers to a serial number, one for each CA key; or says why it is none.
pub type ExplainSource = Arc<dyn Fn(&str) -> Result<Vec<Explanation>, String> + Send + Sync>;

/// What is answered about one serial number, and why. For a page; kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    pub issuer: String,
    /// Which of the issuer's keys.
    pub key: String,
    /// The answer in a few words.
    pub answer: String,
    /// An answer about the certificate, rather than an error status.
    pub is_answered: bool,
    /// The rule that led to it.
    pub because: String,
    /// What it was decided from: names and facts.
    pub facts: Vec<(String, String)>,
}

/// Gives the reasons why something is not well, where it is not.
pub type HealthCheck = Arc<dyn Fn() -> Result<(), Vec<String>> + Send + Sync>;

/// Makes a backup of the store, with this name, and reports in JSON. May take as long as a disk takes.
pub type BackupSource = Arc<dyn Fn(&str) -> Result<Value, Refusal> + Send + Sync>;

/// Reports who asked how often, in JSON. May wait for workers and for a disk.
pub type UsageSource = Arc<dyn Fn(&UsageQuestion) -> Result<Value, Refusal> + Send + Sync>;

/// Gives the filter of the log, or sets it; or says why it cannot be set.
pub type LogSource = Arc<dyn Fn(Option<&str>) -> Result<String, String> + Send + Sync>;

/// What becomes of a CRL that was brought, or of an order.
pub type IntakeFuture = Pin<Box<dyn Future<Output = Result<Value, Refusal>> + Send>>;

/// Takes CRLs: verifies them, applies them, and reports in JSON. And does what is ordered with those it has.
pub trait CrlIntake: Send + Sync {
    fn submit(&self, crl: Bytes, submission: Submission) -> IntakeFuture;
    fn order(&self, order: Order) -> IntakeFuture;
}

/// What whoever brings a CRL wants of it: the query of `POST /api/v1/crls`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Submission {
    /// Nothing is said: the guard looks at it.
    #[default]
    Guarded,
    /// `force=1`: whatever the guard says.
    Forced,
    /// `dry_run=1`: only what would change.
    Rehearsed,
}

impl Submission {
    /// From a query. A word that is not known is an error: a misspelt `dry_run` must not write.
    fn of_query(query: Option<&str>) -> Result<Self, String> {
        let mut submission = Self::default();
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            submission = match (pair, submission) {
                ("force=0" | "dry_run=0", same) => same,
                // A rehearsal changes nothing, however hard it is forced.
                ("dry_run=1", _) | ("force=1", Self::Rehearsed) => Self::Rehearsed,
                ("force=1", Self::Guarded | Self::Forced) => Self::Forced,
                _ => return Err(format!("\"{pair}\" is not known here: there are force=1 and dry_run=1")),
            };
        }
        Ok(submission)
    }
}

/// Why a CRL is not taken, or an order not obeyed, in words for who sent it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The CRL itself, or what was ordered, is the reason: 422.
    #[error("{0}")]
    Unacceptable(String),
    /// The responder is the reason, and later may be better: 503.
    #[error("{0}")]
    Unavailable(String),
}

/// Where the admin pages come from.
pub struct AdminSources {
    pub metrics: Arc<Metrics>,
    pub status: StatusSource,
    /// The process works.
    pub healthy: HealthCheck,
    /// Every issuer can answer.
    pub ready: HealthCheck,
    pub explain: ExplainSource,
    pub backup: BackupSource,
    pub usage: UsageSource,
    pub log: LogSource,
    /// Takes CRLs; without it `POST /api/v1/crls` is not found.
    pub intake: Option<Arc<dyn CrlIntake>>,
}

/// Answers on the admin listener. Clones share everything.
#[derive(Clone)]
pub struct AdminService {
    sources: Arc<AdminSources>,
    limits: Limits,
    uploads: Arc<Semaphore>,
    backups: Arc<Semaphore>,
    usage_reports: Arc<Semaphore>,
    history: Arc<History>,
    /// Of the pages for people.
    policy: HeaderValue,
}

impl AdminService {
    /// `limits` are usually [`Limits::admin`].
    #[must_use]
    pub fn new(sources: AdminSources, limits: Limits) -> Self {
        let history = Arc::new(History::new(Arc::clone(&sources.metrics)));
        let policy = HeaderValue::try_from(status_page::policy());
        Self {
            sources: Arc::new(sources),
            limits,
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            backups: Arc::new(Semaphore::new(1)),
            usage_reports: Arc::new(Semaphore::new(1)),
            history,
            policy: policy.unwrap_or(HeaderValue::from_static("default-src 'none'")),
        }
    }

    pub(super) fn history(&self) -> Arc<History> {
        Arc::clone(&self.history)
    }

    fn page(&self, status: StatusCode, page: String) -> Reply {
        let mut reply = reply(status, HTML, page);
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, self.policy.clone());
        reply
    }

    fn status_page(&self, query: Option<&str>) -> Reply {
        let status = (self.sources.status)();
        let page = status_page::render(&status, &self.history.traffic(), &Asked::of_query(query));
        self.page(StatusCode::OK, page)
    }

    fn status_json(&self) -> Reply {
        let mut value = serde_json::to_value((self.sources.status)()).unwrap_or(Value::Null);
        if let (Some(status), Ok(traffic)) =
            (value.as_object_mut(), serde_json::to_value(self.history.traffic()))
        {
            status.insert("traffic".to_owned(), traffic);
        }
        json_reply(StatusCode::OK, &value)
    }

    /// The serial number comes in the body, so that it is in no address, no history and no log.
    async fn explain(&self, request: Request<Incoming>) -> Reply {
        let Ok(form) = collect(request.into_body(), FORM_OCTETS).await else {
            return last_words(StatusCode::BAD_REQUEST, "This is no form with a serial number in it.\n");
        };
        let explained = match status_page::form_field(&form, "serial") {
            Some(serial) => (self.sources.explain)(&serial),
            None => Err("There is no serial number in this form.".to_owned()),
        };
        let status = if explained.is_ok() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        self.page(status, status_page::render_explained(&explained))
    }

    /// On a thread of its own: pages are answered meanwhile, and one backup is made at a time.
    async fn back_up(&self, query: Option<&str>) -> Reply {
        let Ok(_place) = self.backups.try_acquire() else {
            return refused(StatusCode::SERVICE_UNAVAILABLE, "another backup is being made: try again later");
        };
        let name = query.and_then(|query| query.strip_prefix("name=")).unwrap_or_default().to_owned();
        let backup = Arc::clone(&self.sources.backup);
        let made = tokio::task::spawn_blocking(move || backup(&name)).await;
        told(made.unwrap_or_else(|_| Err(Refusal::Unavailable("the server is ending".to_owned()))))
    }

    /// On a thread of its own, too. One after the other: each reads all counts of its days.
    async fn usage(&self, query: Option<&str>) -> Reply {
        let question = match UsageQuestion::of_query(query) {
            Ok(question) => question,
            Err(why) => return refused(StatusCode::BAD_REQUEST, &why),
        };
        let Ok(_place) = self.usage_reports.acquire().await else {
            return refused(StatusCode::SERVICE_UNAVAILABLE, "the server is ending");
        };
        let usage = Arc::clone(&self.sources.usage);
        let made = tokio::task::spawn_blocking(move || usage(&question)).await;
        told(made.unwrap_or_else(|_| Err(Refusal::Unavailable("the server is ending".to_owned()))))
    }

    fn log(&self) -> Reply {
        match (self.sources.log)(None) {
            Ok(filter) => reply(StatusCode::OK, TEXT, format!("{filter}\n")),
            Err(why) => reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, format!("{why}\n")),
        }
    }

    async fn set_log(&self, request: Request<Incoming>) -> Reply {
        let Ok(filter) = collect(request.into_body(), FORM_OCTETS).await else {
            return last_words(
                StatusCode::BAD_REQUEST,
                "Send a level, or a filter like info,ocsprey::ingest=debug.\n",
            );
        };
        match (self.sources.log)(Some(String::from_utf8_lossy(&filter).trim())) {
            Ok(filter) => reply(StatusCode::OK, TEXT, format!("{filter}\n")),
            Err(why) => reply(StatusCode::UNPROCESSABLE_ENTITY, TEXT, format!("{why}\n")),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    fn metrics(&self) -> Reply {
        self.sources.metrics.ready.set(i64::from((self.sources.ready)().is_ok()));
        match self.sources.metrics.render() {
            Ok(page) => reply(
                StatusCode::OK,
                HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
                page,
            ),
            Err(error) => {
                tracing::error!(%error, "the metrics cannot be shown");
                text(StatusCode::INTERNAL_SERVER_ERROR, "The metrics cannot be shown; the log says why.\n")
            }
        }
    }

    async fn submit(&self, intake: &dyn CrlIntake, request: Request<Incoming>) -> Reply {
        let Ok(_place) = self.uploads.try_acquire() else {
            return refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "other CRLs are being ingested: try again in a moment",
            );
        };
        let submission = match Submission::of_query(request.uri().query()) {
            Ok(submission) => submission,
            Err(why) => {
                let mut reply = refused(StatusCode::BAD_REQUEST, &why);
                close(&mut reply);
                return reply;
            }
        };
        match collect(request.into_body(), self.limits.body_octets).await {
            Ok(crl) if crl.is_empty() => {
                refused(StatusCode::UNPROCESSABLE_ENTITY, "the body is empty: send a CRL")
            }
            Ok(crl) => told(intake.submit(crl, submission).await),
            Err(BodyRefusal::TooLarge) => {
                let octets = self.limits.body_octets;
                let mut reply = refused(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    &format!("the CRL is over {octets} octets: put it in a configured folder instead"),
                );
                close(&mut reply);
                reply
            }
            Err(BodyRefusal::Broken | BodyRefusal::LengthRequired | BodyRefusal::MediaType) => {
                let mut reply =
                    refused(StatusCode::BAD_REQUEST, "the body did not arrive whole: send it again");
                close(&mut reply);
                reply
            }
        }
    }
}

/// Reads the order that is the body, and has it carried out.
async fn order<T: for<'a> serde::Deserialize<'a>>(
    intake: &dyn CrlIntake,
    request: Request<Incoming>,
    of: impl FnOnce(T) -> Order,
) -> Reply {
    let read = if orders::is_json(request.headers()) {
        orders::read(collect(request.into_body(), ORDER_OCTETS).await)
    } else {
        Err(NoOrder::MediaType)
    };
    let status = match read {
        Ok(body) => return told(intake.order(of(body)).await),
        Err(NoOrder::MediaType) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Err(NoOrder::Broken | NoOrder::Unread(_)) => StatusCode::BAD_REQUEST,
    };
    let mut reply = refused(status, &read.map_or_else(|why| why.to_string(), |_: T| String::new()));
    close(&mut reply);
    reply
}

impl Serve for AdminService {
    async fn serve(&self, request: Request<Incoming>) -> Reply {
        if let Some(refused) = refuse_head(&request) {
            return refused;
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        match (request.uri().path(), is_read, &self.sources.intake) {
            ("/metrics", true, _) => self.metrics(),
            ("/healthz", true, _) => health((self.sources.healthy)()),
            ("/readyz", true, _) => health((self.sources.ready)()),
            ("/status", true, _) => self.status_page(request.uri().query()),
            ("/api/v1/status", true, _) => self.status_json(),
            ("/api/v1/usage", true, _) => self.usage(request.uri().query()).await,
            ("/status/explain", false, _) if request.method() == Method::POST => self.explain(request).await,
            ("/api/v1/store/backup", false, _) if request.method() == Method::POST => {
                self.back_up(request.uri().query()).await
            }
            ("/api/v1/log", true, _) => self.log(),
            ("/api/v1/log", false, _) if request.method() == Method::PUT => self.set_log(request).await,
            ("/api/v1/log", false, _) => not_allowed("GET, HEAD, PUT"),
            ("/", true, _) => {
                let mut moved = text(StatusCode::TEMPORARY_REDIRECT, "See /status\n");
                moved.headers_mut().insert(LOCATION, HeaderValue::from_static("/status"));
                moved
            }
            ("/api/v1/crls", false, Some(intake)) if request.method() == Method::POST => {
                let intake = Arc::clone(intake);
                self.submit(&*intake, request).await
            }
            ("/api/v1/crls/drop", false, Some(intake)) if request.method() == Method::POST => {
                order(&**intake, request, Order::Drop).await
            }
            ("/api/v1/crls/rollback", false, Some(intake)) if request.method() == Method::POST => {
                order(&**intake, request, Order::RollBack).await
            }
            ("/status/explain" | "/api/v1/store/backup", _, _)
            | ("/api/v1/crls" | "/api/v1/crls/drop" | "/api/v1/crls/rollback", _, Some(_)) => {
                not_allowed("POST")
            }
            (
                "/" | "/metrics" | "/healthz" | "/readyz" | "/status" | "/api/v1/status" | "/api/v1/usage",
                false,
                _,
            ) => not_allowed("GET, HEAD"),
            _ => last_words(
                StatusCode::NOT_FOUND,
                "There are /metrics, /healthz, /readyz, /status, /api/v1/status, /api/v1/usage, /api/v1/log, POST /api/v1/crls, \
                 POST /api/v1/crls/drop, POST /api/v1/crls/rollback and POST /api/v1/store/backup here.\n",
            ),
        }
    }
}

fn health(health: Result<(), Vec<String>>) -> Reply {
    match health {
        Ok(()) => text(StatusCode::OK, "ok\n"),
        Err(reasons) => {
            let mut page = reasons.join("\n");
            page.push('\n');
            reply(StatusCode::SERVICE_UNAVAILABLE, TEXT, page)
        }
    }
}

fn not_allowed(allow: &'static str) -> Reply {
    let mut refused =
        last_words(StatusCode::METHOD_NOT_ALLOWED, "This page takes other methods; see Allow.\n");
    refused.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    refused
}

fn json_reply(status: StatusCode, value: &Value) -> Reply {
    let mut reply = reply(status, JSON, format!("{value:#}\n"));
    reply.headers_mut().insert(CONTENT_TYPE, JSON);
    reply
}

/// A report, or why there is none.
fn told(outcome: Result<Value, Refusal>) -> Reply {
    match outcome {
        Ok(report) => json_reply(StatusCode::OK, &report),
        Err(Refusal::Unacceptable(why)) => refused(StatusCode::UNPROCESSABLE_ENTITY, &why),
        Err(Refusal::Unavailable(why)) => refused(StatusCode::SERVICE_UNAVAILABLE, &why),
    }
}

fn refused(status: StatusCode, reason: &str) -> Reply {
    json_reply(status, &json!({ "error": reason }))
}

fn close(reply: &mut Reply) {
    reply.headers_mut().insert(hyper::header::CONNECTION, HeaderValue::from_static("close"));
}
