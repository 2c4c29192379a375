//! Samples of failures for the log: of each kind the first at once, and then one line a minute with how many there
//! were. A flood of a million is one line a minute.
//!
//! Called once a second by [`lookout`](super::lookout), on the thread of the admin pages. It compares counters that are
//! there anyway, so that nothing on a request's way logs, formats or knows of it. A line says what, of which issuer or
//! verifier, how many and in how many seconds; never a serial number and never a client's address.

use crate::metrics::{Metrics, NO_ISSUER, RequestCounters};
use crate::ocsp::OcspResponseStatus;
use crate::store::VerifierNumber;
use crate::verifiers::{Cause, Registry};
use std::collections::HashMap;
use std::time::Duration;
use tracing::Level;

/// From one line about a kind of failure to the next.
const QUIET: Duration = Duration::from_secs(60);

/// What may fail.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// Requests that were told an error, by the name of their issuer.
    Told(Error, String),
    /// Requests that were shed, by their class.
    Shed(&'static str),
    HandshakeRefused,
    HandshakeStalled,
    Refused(Cause),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Error {
    Malformed,
    Unauthorized,
    TryLater,
    Internal,
}

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub kind: Kind,
    pub count: u64,
    /// How long it took them to come.
    pub seconds: u64,
    /// Of refused requests: the verifier that most of them came from, where they came from one that is known.
    pub verifier: Option<String>,
}

/// What was said of one kind so far.
#[derive(Debug, Clone, Copy, Default)]
struct Said {
    count: u64,
    at: Duration,
    /// Up to when nothing of it had come.
    silent: Duration,
}

/// Remembers what was said.
#[derive(Debug, Default)]
pub(super) struct Samples {
    said: HashMap<Kind, Said>,
    /// Refusals of each verifier that were said.
    refused: HashMap<(VerifierNumber, Cause), u64>,
}

impl Samples {
    /// What is to be said now; `now` is the time since any fixed moment.
    pub fn look(&mut self, metrics: &Metrics, registry: Option<&Registry>, now: Duration) -> Vec<Sample> {
        let mut samples = Vec::new();
        for (kind, count) in counts(metrics) {
            let said = self.said.entry(kind.clone()).or_default();
            if count <= said.count {
                said.silent = now;
                continue;
            }
            if said.count > 0 && now < said.at + QUIET {
                continue;
            }
            let seconds = now.saturating_sub(said.silent.max(said.at)).as_secs().max(1);
            let sample = count - said.count;
            *said = Said { count, at: now, silent: now };
            let verifier = match (&kind, registry) {
                (Kind::Refused(cause), Some(registry)) => self.loudest(registry, *cause),
                _ => None,
            };
            samples.push(Sample { kind, count: sample, seconds, verifier });
        }
        samples
    }

    /// The verifier with the most refusals of this cause that were not said yet.
    fn loudest(&mut self, registry: &Registry, cause: Cause) -> Option<String> {
        let mut loudest = None;
        for verifier in registry.verifiers() {
            let counted =
                verifier.account.refused().find(|(of, _)| *of == cause).map_or(0, |(_, count)| count);
            let said = self.refused.entry((verifier.entry.number, cause)).or_default();
            let since = counted - (*said).min(counted);
            *said = counted;
            if since > loudest.map_or(0, |(most, _)| most) {
                loudest = Some((since, &verifier.entry.id));
            }
        }
        loudest.map(|(_, id)| id.clone())
    }
}

/// Every kind and how often it was counted so far.
fn counts(metrics: &Metrics) -> Vec<(Kind, u64)> {
    let mut counts = Vec::new();
    let mut told = |requests: &RequestCounters, issuer: &str| {
        counts.extend([
            (Kind::Told(Error::Malformed, issuer.to_owned()), requests.malformed_request.get()),
            (Kind::Told(Error::Unauthorized, issuer.to_owned()), requests.unauthorized.get()),
            (Kind::Told(Error::TryLater, issuer.to_owned()), requests.try_later.get()),
            (Kind::Told(Error::Internal, issuer.to_owned()), requests.internal_error.get()),
        ]);
    };
    told(&metrics.no_issuer, NO_ISSUER);
    for issuer in metrics.issuers().iter() {
        told(&issuer.requests, issuer.name());
    }
    // Refused verifiers have lines of their own, and are counted above too, a moment later: so they are read after it.
    let refusals = metrics.refusals.by_cause().map(|(_, count)| count);
    for (cause, refused) in Cause::ALL.into_iter().zip(refusals) {
        let error = match cause.status() {
            OcspResponseStatus::TryLater => Error::TryLater,
            _ => Error::Unauthorized,
        };
        let of_nobody = Kind::Told(error, NO_ISSUER.to_owned());
        if let Some((_, count)) = counts.iter_mut().find(|(kind, _)| *kind == of_nobody) {
            *count = count.saturating_sub(refused);
        }
        counts.push((Kind::Refused(cause), refused));
    }
    counts.push((Kind::Shed("nonce"), metrics.shed.nonces.get()));
    counts.push((Kind::Shed("signature"), metrics.shed.signatures.get()));
    counts.push((Kind::Shed("held"), metrics.shed.held.get()));
    counts.push((Kind::HandshakeRefused, metrics.tls_handshakes.refused.get()));
    counts.push((Kind::HandshakeStalled, metrics.tls_handshakes.stalled.get()));
    counts
}

impl Sample {
    /// Whether TLS has more to say of it.
    pub fn is_of_tls(&self) -> bool {
        self.kind == Kind::HandshakeRefused
    }

    /// Whose fault it is: that of who asks is worth a note, ours a warning, and what never happens an error.
    pub fn level(&self) -> Level {
        match &self.kind {
            Kind::Told(Error::Internal, _) => Level::ERROR,
            Kind::Told(Error::TryLater, _) | Kind::Shed(_) => Level::WARN,
            Kind::Told(Error::Malformed | Error::Unauthorized, _)
            | Kind::HandshakeRefused
            | Kind::HandshakeStalled
            | Kind::Refused(_) => Level::INFO,
        }
    }

    /// Logs it. `reason` is why the last handshake was refused.
    pub fn say(&self, reason: Option<&str>) {
        let Self { kind, count, seconds, verifier } = self;
        let verifier = verifier.as_deref();
        let (what, issuer, class, cause) = match kind {
            Kind::Told(Error::Malformed, issuer) => {
                ("requests were told malformedRequest: they cannot be read", Some(issuer), None, None)
            }
            Kind::Told(Error::Unauthorized, issuer) => (
                "requests were told unauthorized: not about a certificate on record here",
                Some(issuer),
                None,
                None,
            ),
            Kind::Told(Error::TryLater, issuer) => ("requests were told tryLater", Some(issuer), None, None),
            Kind::Told(Error::Internal, issuer) => {
                ("requests were told internalError: the store or a key failed", Some(issuer), None, None)
            }
            Kind::Shed(class) => {
                ("requests were told tryLater because others waited", None, Some(*class), None)
            }
            Kind::HandshakeRefused => ("TLS handshakes were refused", None, None, None),
            Kind::HandshakeStalled => ("TLS handshakes were not done in time", None, None, None),
            Kind::Refused(cause) => ("requests of verifiers were refused", None, None, Some(cause.name())),
        };
        let issuer = issuer.map(String::as_str);
        if self.level() == Level::ERROR {
            tracing::error!(issuer, count, seconds, "{what}");
        } else if self.level() == Level::WARN {
            tracing::warn!(issuer, class, count, seconds, "{what}");
        } else {
            tracing::info!(issuer, cause, verifier, reason, count, seconds, "{what}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn told(samples: &[Sample]) -> Vec<(Kind, u64, u64)> {
        samples.iter().map(|one| (one.kind.clone(), one.count, one.seconds)).collect()
    }

    #[test]
    fn of_a_flood_the_first_is_told_at_once_and_the_rest_once_a_minute() {
        let (metrics, mut samples) = (Metrics::new().unwrap(), Samples::default());
        metrics.set_issuers(["auth"]);
        assert_eq!(samples.look(&metrics, None, at(1)), []);
        let mut lines = Vec::new();
        for second in 2..302 {
            (0..1_000).for_each(|_| metrics.count(None, OcspResponseStatus::MalformedRequest, 0, 0, 0));
            lines.extend(samples.look(&metrics, None, at(second)));
        }
        let none = || "none".to_owned();
        let minute = (Kind::Told(Error::Malformed, none()), 60_000, 60);
        let mut expected = vec![(Kind::Told(Error::Malformed, none()), 1_000, 1)];
        expected.extend(vec![minute; 4]);
        assert_eq!(told(&lines), expected);

        // What is left is told when its minute is over, and then there is silence.
        assert_eq!(
            told(&samples.look(&metrics, None, at(302))),
            [(Kind::Told(Error::Malformed, none()), 59_000, 60)]
        );
        for second in 303..500 {
            assert_eq!(samples.look(&metrics, None, at(second)), []);
        }
        metrics.count(Some(0), OcspResponseStatus::InternalError, 0, 0, 0);
        metrics.count(None, OcspResponseStatus::MalformedRequest, 0, 0, 0);
        let lines = samples.look(&metrics, None, at(500));
        let (malformed, internal) =
            (Kind::Told(Error::Malformed, none()), Kind::Told(Error::Internal, "auth".to_owned()));
        assert_eq!(told(&lines), [(malformed, 1, 1), (internal, 1, 1)], "after silence at once");
        assert_eq!([lines[0].level(), lines[1].level()], [Level::INFO, Level::ERROR]);
    }

    #[test]
    fn refused_verifiers_are_told_by_cause_and_not_a_second_time_by_status() {
        let (metrics, mut samples) = (Metrics::new().unwrap(), Samples::default());
        metrics.refusals.unregistered.inc();
        metrics.count(None, OcspResponseStatus::Unauthorized, 0, 0, 0);
        metrics.refusals.quota_per_day.inc();
        metrics.count(None, OcspResponseStatus::TryLater, 0, 0, 0);
        let lines = samples.look(&metrics, None, at(1));
        let [one, other] = [Cause::Unregistered, Cause::QuotaPerDay].map(Kind::Refused);
        assert_eq!(told(&lines), [(one, 1, 1), (other, 1, 1)]);
    }

    #[test]
    fn handshakes_and_what_is_shed_are_told_and_answers_are_not() {
        let (metrics, mut samples) = (Metrics::new().unwrap(), Samples::default());
        metrics.set_issuers(["auth"]);
        metrics.count(Some(0), OcspResponseStatus::Successful, 1, 1, 1);
        metrics.tls_handshakes.done.inc();
        metrics.tls_handshakes.refused.inc_by(3);
        metrics.tls_handshakes.stalled.inc();
        metrics.shed.held.inc_by(7);
        let lines = samples.look(&metrics, None, at(9));
        let expected =
            [(Kind::Shed("held"), 7, 9), (Kind::HandshakeRefused, 3, 9), (Kind::HandshakeStalled, 1, 9)];
        assert_eq!(told(&lines), expected);
        assert_eq!(lines[0].level(), Level::WARN);
    }
}
