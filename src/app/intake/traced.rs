//! Traces of the CRLs that are taken in, where the configuration has `[telemetry]`.
//!
//! One a CRL: its steps as [`Steps`] has them, and, where it changed anything, the publishing that made it visible, which
//! several of them may share. A CRL that waits for another one has its trace when its turn comes; one that is only
//! rehearsed has none.
//!
//! Attributes say what the log says, less what may be secret: of a URL no user and no query, of a refusal one word.

use super::{Intake, SUBMITTED};
use crate::ingest::{Arrival, Manner, Outcome, Refused, Report, Step, Steps, Timed, With};
use crate::store::ScopeChange;
use crate::traces::{Attribute, Kind, Span, Trace, Tracer, Value, WAITING};
use std::time::Instant;

/// What becomes of traces.
pub(super) struct Traces {
    tracer: Option<Tracer>,
    /// Of CRLs that are in the store and not in answers.
    unpublished: Vec<Trace>,
}

impl Traces {
    pub fn new(tracer: Option<Tracer>) -> Self {
        Self { tracer, unpublished: Vec::new() }
    }

    /// For the steps of the next CRL.
    pub fn steps(&self, manner: Manner) -> Steps {
        match (&self.tracer, manner) {
            (Some(_), Manner::Guarded | Manner::Forced) => Steps::timed(),
            (None, _) | (_, Manner::Rehearsed) => Steps::untimed(),
        }
    }

    fn end(&mut self, trace: Trace, is_applied: bool) {
        // Where nothing can be published, what is known so far goes out.
        if is_applied && self.unpublished.len() < WAITING {
            self.unpublished.push(trace);
        } else if let Some(tracer) = &self.tracer {
            tracer.export(trace);
        }
    }

    /// All that was applied is in answers now, by what was begun then.
    pub fn published(&mut self, began: Instant, ended: Instant) {
        let together = self.unpublished.len() as u64;
        for mut trace in self.unpublished.drain(..) {
            let attributes = vec![("crl.published_together", Value::Number(together))];
            trace.steps.push(Span {
                name: "publish",
                kind: Kind::Ours,
                began,
                ended,
                attributes,
                is_failed: false,
            });
            trace.root.ended = ended;
            if let Some(tracer) = &self.tracer {
                tracer.export(trace);
            }
        }
    }
}

impl Intake {
    /// Copies the store, where that is due before a CRL comes in.
    pub(super) fn take_precautions(&mut self, manner: Manner, steps: &mut Steps) {
        let (store, now) = (&self.shared.store, self.shared.clock.now());
        if steps.is_timed() && self.precautions.is_due(store, manner, now) {
            steps.begin(Step::Copy);
        }
        self.precautions.before(store, manner, now);
    }

    /// Makes a trace of what was done with a CRL since `began`, if anybody wants one. `None`: somebody brought it.
    pub(super) fn trace(
        &mut self,
        arrival: Option<&Arrival>,
        steps: Steps,
        (began, ended): (Instant, Instant),
        outcome: &Result<Report, Refused>,
    ) {
        if !steps.is_timed() {
            return;
        }
        let fetch = arrival.and_then(|arrival| self.sources.fetched(arrival));
        let began = fetch.map_or(began, |fetch| fetch.began);
        let mut steps: Vec<Span> = fetch.into_iter().chain(steps.end(ended)).map(span).collect();
        if let (Err(_), Some(last)) = (outcome, steps.last_mut()) {
            last.is_failed = true;
        }
        let mut attributes = source(arrival);
        match outcome {
            Ok(report) => attributes.extend(accepted(report)),
            Err(why) => {
                let word = if why.is_ours() { "failed" } else { "refused" };
                attributes.push(("crl.outcome", Value::Word(word)));
                attributes.push(("error.type", Value::Word(why.word())));
                let name = arrival.map_or(SUBMITTED.to_owned(), Arrival::to_string);
                let mut owners =
                    self.config.issuers.iter().filter(|issuer| self.is_source_of(&name, &issuer.name));
                // Where several may be meant nobody knows which.
                if let (Some(owner), None) = (owners.next(), owners.next()) {
                    attributes.push(("crl.issuer", Value::Text(owner.name.clone())));
                }
            }
        }
        let is_failed = outcome.is_err();
        let root = Span { name: "ingest", kind: Kind::Ours, began, ended, attributes, is_failed };
        let is_applied = outcome.as_ref().is_ok_and(Report::is_applied);
        self.traces.end(Trace { root, steps }, is_applied);
    }
}

fn span(timed: Timed) -> Span {
    let Timed { step, began, ended } = timed;
    let (name, attributes) = match step {
        Step::Fetch => ("fetch", Vec::new()),
        Step::Copy => ("copy", Vec::new()),
        Step::Read => ("read", Vec::new()),
        Step::Sort => ("sort", Vec::new()),
        Step::Verify => ("verify", Vec::new()),
        Step::Compare(With::Sums) => ("compare", vec![("crl.compared_by", Value::Word("sums"))]),
        Step::Compare(With::Entries) => ("compare", vec![("crl.compared_by", Value::Word("entries"))]),
        Step::Commit => ("commit", Vec::new()),
    };
    let kind = if step == Step::Fetch { Kind::Question } else { Kind::Ours };
    Span { name, kind, began, ended, attributes, is_failed: false }
}

fn source(arrival: Option<&Arrival>) -> Vec<Attribute> {
    let (kind, name) = match arrival {
        None => ("submitted", None),
        Some(Arrival::File(path)) => ("file", Some(path.display().to_string())),
        Some(Arrival::Url(url)) => ("url", Some(without_secrets(url))),
    };
    let mut attributes = vec![("crl.source.kind", Value::Word(kind))];
    attributes.extend(name.map(|name| ("crl.source.name", Value::Text(name))));
    attributes
}

/// A URL without its user, its query and its fragment.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let path = path.split(['?', '#']).next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

fn accepted(report: &Report) -> Vec<Attribute> {
    let names: Vec<&str> = report.outcomes().map(|(name, _)| name).collect();
    let mut change = ScopeChange::default();
    for (_, outcome) in report.outcomes() {
        if let Outcome::Applied(one) = outcome {
            change.added += one.added;
            change.changed += one.changed;
            change.released += one.released;
            change.retained += one.retained;
            change.expired += one.expired;
        }
    }
    let word = match report.outcome {
        _ if report.is_applied() => "applied",
        Outcome::Applied(_) | Outcome::Rehearsed(..) | Outcome::Unchanged => "unchanged",
        Outcome::Overtaken => "overtaken",
    };
    let mut attributes = vec![
        ("crl.issuer", Value::Text(names.join(","))),
        ("crl.outcome", Value::Word(word)),
        ("crl.octets", Value::Number(report.octets)),
        ("crl.entries", Value::Number(report.entries)),
        ("crl.delta", Value::Truth(report.is_delta)),
    ];
    if report.is_applied() {
        attributes.extend([
            ("crl.added", Value::Number(change.added)),
            ("crl.changed", Value::Number(change.changed)),
            ("crl.released", Value::Number(change.released)),
            ("crl.retained", Value::Number(change.retained)),
            ("crl.expired", Value::Number(change.expired)),
        ]);
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_url_the_place_is_told_and_no_secret() {
        for (url, told) in [
            ("http://crl.example/a/b.crl", "http://crl.example/a/b.crl"),
            ("https://user:secret@crl.example:81/a?token=x@y#z", "https://crl.example:81/a"),
            ("http://u@v@crl.example?x=/y", "http://crl.example"),
            ("http://crl.example#x", "http://crl.example"),
        ] {
            assert_eq!(without_secrets(url), told);
        }
    }

    #[test]
    fn without_a_tracer_nothing_is_timed_and_a_rehearsal_never_is() {
        let traces = Traces::new(None);
        assert!(!traces.steps(Manner::Guarded).is_timed());
        assert!(!traces.steps(Manner::Rehearsed).is_timed());
    }
}
