//! The listeners: OCSP over HTTP for everybody, and the admin pages for those who run it.
//!
//! `app` makes one [`OcspService`] a process, calls [`listen`] and [`serve_ocsp`] once a worker and address,
//! each worker on its own single-threaded runtime, and [`serve_admin`] on a runtime of its own, so
//! that a slow page or a large CRL never delays an answer. One [`Shutdown`] stops them all.
//!
//! An answer's way: [`listener`] → [`service`] → [`ocsp_get`] or [`ocsp_post`] → [`Answerer`] → [`caching`].
//! On it nothing locks, logs, waits for another task or looks up a metric.

mod admin;
mod caching;
mod caller;
mod disk_pace;
mod explanation;
mod gate;
mod history;
mod listener;
mod ocsp_get;
mod ocsp_post;
mod orders;
mod peer;
mod pressure;
mod reply;
mod service;
mod status;
mod status_page;
#[cfg(test)]
mod tests;
mod tls;
mod turn;
mod versions;
mod watched;
mod witness;
pub(crate) mod words;

pub use admin::{
    AdminService, AdminSources, CrlIntake, ExplainSource, HealthCheck, IntakeFuture, Refusal, StatusSource,
    Submission,
};
pub use caller::Caller;
pub use explanation::{AnswerTiers, Explanation, Fact, HeldAnswer};
pub use gate::Gate;
pub use listener::{Backlog, Limits, ListenError, Shutdown, listen};
pub use orders::{DropOrder, Order, RollbackOrder, UsageQuestion};
pub use pressure::{Pressure, keep_watch};
pub use service::{Answerer, OcspService};
pub use status::{
    AuditStatus, InterventionStatus, IssuerStatus, PresignedStatus, QuarantineStatus, RefusedReload,
    ScopeStatus, SignerStatus, SourceStatus, Status, UsageStatus, VerifierStatus, time_of,
};
pub use tls::{ClientCertificates, OldestTls, Tls, TlsError, TlsFile, TlsIdentity, TlsMaterial};
pub use turn::Turn;
pub use witness::{Consent, Method, Seen, Witness};

use crate::respond::{Allowance, Answer, Begun, Responder};
use crate::snapshot::Published;
use crate::x509::UnixTime;
use arc_swap::Guard;
use std::net::TcpListener;
use std::sync::Arc;

/// The answerer of a serving process: whatever snapshot is published when a request comes.
pub struct PublishedResponder {
    published: Arc<Published>,
    responder: Arc<Responder>,
}

impl PublishedResponder {
    #[must_use]
    pub fn new(published: Arc<Published>, responder: Arc<Responder>) -> Self {
        Self { published, responder }
    }
}

impl Answerer for PublishedResponder {
    fn answer(&self, request: &[u8], now: UnixTime, allowance: Allowance) -> Answer {
        self.responder.respond_within(&self.published.load(), request, now, allowance)
    }

    fn answer_from_memory(&self, request: &[u8], now: UnixTime, allowance: Allowance) -> Option<Answer> {
        self.responder.respond_from_memory(&self.published.load(), request, now, allowance)
    }

    async fn answer_in_turn(
        &self,
        request: &[u8],
        now: UnixTime,
        allowance: Allowance,
        turn: &mut Turn<'_>,
    ) -> Option<Answer> {
        // It is held while others take their turn, so not by one of the thread's few cheap guards.
        let snapshot = Guard::into_inner(self.published.load());
        match self.responder.begin_from_memory(&snapshot, request, now, allowance)? {
            Begun::Answered(answer) => Some(answer),
            Begun::Unsigned(unsigned) => {
                turn.take().await;
                Some(unsigned.sign())
            }
        }
    }

    fn cache_octets(&self) -> u64 {
        self.responder.cache_octets()
    }
}

/// Serves OCSP on `listener`, in TLS where there is one, until `shutdown` is asked for and the open connections have ended.
///
/// # Errors
/// [`ListenError::Register`] when the runtime does not take the socket.
pub async fn serve_ocsp<A: Answerer>(
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    service: OcspService<A>,
    shutdown: Shutdown,
) -> Result<(), ListenError> {
    let limits = service.limits().clone();
    let open = Arc::clone(service.metrics());
    listener::serve(listener, tls, service, &limits, Some(open), shutdown).await
}

/// Serves the admin pages on `listener` until `shutdown` is asked for.
///
/// # Errors
/// [`ListenError::Register`] when the runtime does not take the socket.
pub async fn serve_admin(
    listener: TcpListener,
    service: AdminService,
    shutdown: Shutdown,
) -> Result<(), ListenError> {
    let limits = service.limits().clone();
    let history = service.history();
    tokio::select! {
        ended = listener::serve(listener, None, service, &limits, None, shutdown) => ended,
        never = history.keep() => match never {},
    }
}
