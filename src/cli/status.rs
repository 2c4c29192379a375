//! `ocsprey status`: what is loaded, asked from a running server or read from its store.
//!
//! It prints the [`Status`] that the admin listener serves.

use super::{Exit, Failure, http_client, words};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::{InterventionStatus, QuarantineStatus, ScopeStatus, SourceStatus, Status, time_of};
use crate::x509::UnixTime;
use clap::Args;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// A server that takes longer is in trouble, and that is worth knowing.
const TIMEOUT: Duration = Duration::from_secs(10);
/// 10,000 scopes of 1 KiB each, and some more.
const MAX_STATUS: u64 = 64 << 20;
/// Scopes shown without --scopes: those that need eyes.
const SHOWN_SCOPES: usize = 5;
/// Of what was done by hand, without --scopes.
const SHOWN_INTERVENTIONS: usize = 3;

/// Show what is loaded: issuers, CRL scopes, their age and entries, and how long signers last
///
/// With --config the server of that configuration is asked; where none runs, its store is read.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey status --config ocsprey.toml
  ocsprey status --admin http://127.0.0.1:9090 --json")]
pub struct StatusArgs {
    /// The configuration
    #[arg(long, value_name = "FILE", required_unless_present = "admin", conflicts_with = "admin")]
    pub config: Option<PathBuf>,
    /// The admin address of a running server
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,
    /// Show every CRL scope, not only those that need attention
    #[arg(long)]
    pub scopes: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &StatusArgs) -> Result<Exit, Failure> {
    let (status, raw) = match (&args.admin, &args.config) {
        (Some(admin), _) => ask(&http_client::url("--admin", admin)?)?,
        (None, Some(path)) => of_configuration(&Config::load(path)?)?,
        // clap demands one of the two.
        (None, None) => {
            return Err(Failure::usage("--config", "is missing", "or name a server with --admin"));
        }
    };
    if args.json {
        // As the server said it, with what this release does not know.
        super::print_json(&raw)?;
    } else {
        super::print(&text_of(&status, args.scopes, Clock::System.now()))?;
    }
    Ok(Exit::Done)
}

fn ask(admin: &str) -> Result<(Status, serde_json::Value), Failure> {
    let url = format!("{}/api/v1/status", admin.trim_end_matches('/'));
    let sent = http_client::agent(TIMEOUT).get(&url).call();
    let mut response = sent.map_err(|error| http_client::failure(&url, &error))?;
    if response.status() != 200 {
        let why = format!("answered with HTTP {}", response.status());
        return Err(Failure::work(&url, why, "is this the admin address of ocsprey?"));
    }
    let body = response.body_mut().with_config().limit(MAX_STATUS).read_to_string();
    let body = body.map_err(|error| http_client::failure(&url, &error))?;
    let read = |error: serde_json::Error| {
        Failure::work(&url, format!("sent no status: {error}"), "is this the admin address of ocsprey?")
    };
    let raw: serde_json::Value = serde_json::from_str(&body).map_err(read)?;
    let status = Status::deserialize(&raw).map_err(read)?;
    Ok((status, raw))
}

/// The running server's, if one answers; else the store's.
fn of_configuration(config: &Config) -> Result<(Status, serde_json::Value), Failure> {
    let mut unasked = None;
    if let Some(listen) = config.admin.listen {
        match ask(&format!("http://{}", reachable(listen))) {
            Ok(status) => return Ok(status),
            Err(failure) => unasked = Some(failure),
        }
    }
    match of_store(config) {
        Ok(status) => {
            let raw = serde_json::to_value(&status);
            let raw = raw.map_err(|error| Failure::work("status", error, ""))?;
            Ok((status, raw))
        }
        // Both ways failed: what stood in the way of each is worth a line.
        Err(failure) => {
            let mut lines = unasked.map(|failure| failure.lines).unwrap_or_default();
            lines.extend(failure.lines);
            Err(Failure::several(failure.exit, lines))
        }
    }
}

/// A server that listens on every address is reached on this machine's own.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn of_store(config: &Config) -> Result<Status, Failure> {
    app::status_of_store(config).map_err(|why| super::app_failure(&config.file, why))
}

fn text_of(status: &Status, all: bool, now: UnixTime) -> String {
    let mut out = match &status.started_at {
        Some(started) => format!("ocsprey {}, running since {}\n", status.version, at(started, now)),
        None => "no server runs; this is what its store holds\n".to_owned(),
    };
    if status.started_at.is_some() {
        match status.not_ready.as_slice() {
            [] => out.push_str("ready: every issuer can answer\n"),
            reasons => {
                out.push_str("NOT READY\n");
                for reason in reasons {
                    out.push_str(&format!("  {reason}\n"));
                }
            }
        }
    }
    if let Some(reload) = &status.refused_reload {
        let at = at(&reload.at, now);
        out.push_str(&format!("NOT RELOADED at {at}; the configuration of before is in force\n"));
        for reason in &reload.reasons {
            out.push_str(&format!("  {reason}\n"));
        }
    }
    if status.store_bytes > 0 {
        out.push_str(&format!("store: {}\n", words::octets(status.store_bytes)));
    }
    if let Some(presigned) = &status.presigned {
        let answers = words::count(presigned.answers, "answer", "answers");
        out.push_str(&format!(
            "signed beforehand: {answers}, the first runs out {}\n",
            away(&presigned.first_expires, now)
        ));
    }
    for issuer in &status.issuers {
        out.push_str(&format!("\n{}", issuer.name));
        if !issuer.subject.is_empty() {
            out.push_str(&format!("  {}", issuer.subject));
        }
        out.push('\n');
        let mut rows = Vec::new();
        for (index, signer) in issuer.signers.iter().enumerate() {
            let label = if index == 0 { "  signer" } else { "" };
            let until = at(&signer.not_after, now);
            rows.push((label, format!("{}, {}, valid to {until}", signer.subject, signer.algorithm)));
        }
        let entries = issuer.scopes.iter().map(|scope| scope.entries).sum();
        let scopes = words::count(issuer.scopes.len() as u64, "scope", "scopes");
        rows.push(("  CRLs", format!("{scopes}, {}", words::count(entries, "entry", "entries"))));
        if let Some(listed) = issuer.inventory {
            rows.push(("  inventory", format!("about {}", words::count(listed, "serial", "serials"))));
        }
        let expected = issuer.scopes.iter().filter(|scope| !scope.retired);
        if let Some(oldest) = expected.min_by_key(|scope| &scope.this_update) {
            rows.push(("  oldest", at(&oldest.this_update, now)));
        }
        if !issuer.missing.is_empty() {
            rows.push(("  MISSING", missing_line(&issuer.missing, all)));
        }
        out.push_str(&words::table(&rows));
        out.push_str(&scope_lines(&issuer.scopes, all, now));
    }
    out.push_str(&source_lines(&status.sources, now));
    out.push_str(&quarantine_lines(&status.quarantine, all, now));
    out.push_str(&intervention_lines(&status.interventions, all, now));
    out
}

/// What persons did, the newest first.
fn intervention_lines(interventions: &[InterventionStatus], all: bool, now: UnixTime) -> String {
    let mut out = String::new();
    let shown = if all { interventions.len() } else { SHOWN_INTERVENTIONS };
    for (index, one) in interventions.iter().rev().take(shown).enumerate() {
        if index == 0 {
            out.push_str("\ndone by hand\n");
        }
        let InterventionStatus { at, what, issuer, scope, detail } = one;
        out.push_str(&format!("  {what} {}: {issuer}, {scope}: {detail}\n", away(at, now)));
    }
    out
}

/// Scopes that no source has any more, or that never came.
fn missing_line(missing: &[String], all: bool) -> String {
    let shown = if all { missing.len() } else { SHOWN_SCOPES };
    let names: Vec<&str> = missing.iter().take(shown).map(String::as_str).collect();
    let count = words::count(missing.len() as u64, "scope is", "scopes are");
    let rest = missing.len().saturating_sub(shown);
    let more = if rest > 0 { format!("; and {rest} more (--scopes shows all)") } else { String::new() };
    format!("{count} in no source: {}{more}", names.join("; "))
}

fn source_lines(sources: &[SourceStatus], now: UnixTime) -> String {
    let mut out = String::new();
    for (index, source) in sources.iter().enumerate() {
        if index == 0 {
            out.push_str("\nsources\n");
        }
        let ago = |time: &Option<String>| time.as_deref().map_or("never".to_owned(), |time| away(time, now));
        let (tried, changed) = (ago(&source.last_tried), ago(&source.last_changed));
        out.push_str(&format!("  {}: tried {tried}, changed {changed}", source.source));
        if let Some(next) = &source.next_try {
            out.push_str(&format!(", next {}", away(next, now)));
        }
        if let Some(problem) = &source.problem {
            out.push_str(&format!("\n    PROBLEM: {problem}"));
        }
        out.push('\n');
    }
    out
}

fn quarantine_lines(refused: &[QuarantineStatus], all: bool, now: UnixTime) -> String {
    let mut out = String::new();
    let shown = if all { refused.len() } else { SHOWN_SCOPES };
    for (index, one) in refused.iter().take(shown).enumerate() {
        if index == 0 {
            out.push_str("\nREFUSED, what was held stays in force\n");
        }
        out.push_str(&format!("  {}, {}: it {}\n", one.source, away(&one.refused_at, now), one.reason));
    }
    if shown < refused.len() {
        out.push_str(&format!("  and {} more (--scopes shows all)\n", refused.len() - shown));
    }
    out
}

/// The scopes that run out first; expired ones are always among them.
fn scope_lines(scopes: &[ScopeStatus], all: bool, now: UnixTime) -> String {
    let mut by_end: Vec<&ScopeStatus> = scopes.iter().collect();
    by_end.sort_by_key(|scope| &scope.next_update);
    let now_text = now.to_string();
    // These times are texts of one length, in which the order of letters is the order of time.
    let expired = by_end.iter().take_while(|scope| scope.next_update < now_text).count();
    let shown = if all { by_end.len() } else { by_end.len().min(expired.max(SHOWN_SCOPES)) };
    let mut out = String::new();
    // Which of two keys signed it is of interest where both did.
    let mut signers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for scope in scopes {
        signers.entry(&scope.distribution_point).or_default().insert(&scope.signer);
    }
    for scope in by_end.iter().take(shown) {
        let name = match scope.distribution_point.as_str() {
            "" => "everything",
            name => name,
        };
        let number = match scope.crl_number.as_str() {
            "" => String::new(),
            number => format!(" number {number},"),
        };
        let entries = words::count(scope.entries, "entry", "entries");
        let signer = match signers.get(scope.distribution_point.as_str()) {
            Some(several) if several.len() > 1 => format!(" signed by {},", scope.signer),
            _ => String::new(),
        };
        let until = at(&scope.next_update, now);
        let state = match scope.next_update < now_text {
            _ if scope.retired => format!("retired {}", away(&scope.ingested_at, now)),
            true => format!("EXPIRED {until}"),
            false => format!("until {until}"),
        };
        out.push_str(&format!("    {name}:{number}{signer} {entries}, {state}\n"));
    }
    if shown < by_end.len() {
        let rest = words::count((by_end.len() - shown) as u64, "scope", "scopes");
        out.push_str(&format!("    and {rest} that last longer (--scopes shows all)\n"));
    }
    out
}

/// The time and how far away it is.
fn at(text: &str, now: UnixTime) -> String {
    time_of(text).map_or_else(|| text.to_owned(), |time| format!("{text} ({})", words::away(time, now)))
}

/// How far away the time is.
fn away(text: &str, now: UnixTime) -> String {
    time_of(text).map_or_else(|| text.to_owned(), |time| words::away(time, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{IssuerStatus, SignerStatus};

    fn now() -> UnixTime {
        UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
    }

    fn scope(place: usize, next_update: &str) -> ScopeStatus {
        ScopeStatus {
            distribution_point: format!("CN=City {place}"),
            signer: "0123456789abcdef".into(),
            crl_number: "12".into(),
            this_update: "2026-11-22T06:00:00Z".into(),
            next_update: next_update.into(),
            entries: 1000,
            ingested_at: "2026-11-22T06:01:00Z".into(),
            retired: false,
        }
    }

    fn status(scopes: Vec<ScopeStatus>) -> Status {
        Status {
            version: "0.1.0".into(),
            now: now().to_string(),
            started_at: Some("2026-11-20T12:00:00Z".into()),
            not_ready: vec![],
            store_bytes: 3 << 30,
            issuers: vec![IssuerStatus {
                name: "auth".into(),
                subject: "CN=CA,C=JP".into(),
                signers: vec![SignerStatus {
                    subject: "CN=OCSP".into(),
                    algorithm: "ECDSA with SHA-256".into(),
                    not_after: "2026-12-22T12:00:00Z".into(),
                }],
                inventory: Some(20_000),
                scopes,
                missing: vec![],
            }],
            ..Status::default()
        }
    }

    #[test]
    fn sources_and_what_was_refused_are_told_with_their_times() {
        let status = Status {
            sources: vec![
                SourceStatus {
                    source: "crl/auth".into(),
                    last_tried: Some("2026-11-22T12:00:00Z".into()),
                    last_changed: Some("2026-11-22T09:00:00Z".into()),
                    ..SourceStatus::default()
                },
                SourceStatus {
                    source: "http://crl.example/a.crl".into(),
                    last_tried: Some("2026-11-22T11:59:00Z".into()),
                    next_try: Some("2026-11-22T12:04:00Z".into()),
                    problem: Some("the server answered with HTTP status 503".into()),
                    ..SourceStatus::default()
                },
            ],
            quarantine: vec![QuarantineStatus {
                source: "crl/auth/13.crl".into(),
                refused_at: "2026-11-22T10:00:00Z".into(),
                reason: "shrinks suddenly".into(),
                issuers: vec!["auth".into()],
            }],
            ..status(vec![])
        };
        let text = text_of(&status, false, now());
        let expected = "
sources
  crl/auth: tried now, changed 3 hours ago
  http://crl.example/a.crl: tried 1 minute ago, changed never, next in 4 minutes
    PROBLEM: the server answered with HTTP status 503

REFUSED, what was held stays in force
  crl/auth/13.crl, 2 hours ago: it shrinks suddenly
";
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn partitions_that_are_gone_are_named() {
        let mut status = status(vec![]);
        status.issuers[0].missing = vec!["CN=City 1".into()];
        let text = text_of(&status, false, now());
        assert!(text.contains("  MISSING    1 scope is in no source: CN=City 1\n"), "{text}");
        let many: Vec<String> = (0..8).map(|place| place.to_string()).collect();
        let line = "8 scopes are in no source: 0; 1; 2; 3; 4; and 3 more (--scopes shows all)";
        assert_eq!(missing_line(&many, false), line);
    }

    #[test]
    fn the_status_reads_from_the_whole_to_the_part() {
        let text = text_of(&status(vec![scope(1, "2026-11-23T12:00:00Z")]), false, now());
        let expected = "\
ocsprey 0.1.0, running since 2026-11-20T12:00:00Z (2 days ago)
ready: every issuer can answer
store: 3.0 GiB

auth  CN=CA,C=JP
  signer     CN=OCSP, ECDSA with SHA-256, valid to 2026-12-22T12:00:00Z (in 30 days)
  CRLs       1 scope, 1,000 entries
  inventory  about 20,000 serials
  oldest     2026-11-22T06:00:00Z (6 hours ago)
    CN=City 1: number 12, 1,000 entries, until 2026-11-23T12:00:00Z (in 24 hours)
";
        assert_eq!(text, expected);
    }

    #[test]
    fn of_many_scopes_those_that_run_out_first_are_shown_and_every_expired_one() {
        let scopes = |expired: usize, fresh: usize| {
            let late = (0..expired).map(|place| scope(place, "2026-11-22T11:00:00Z"));
            let good = (0..fresh).map(|place| scope(1000 + place, "2026-11-23T11:00:00Z"));
            good.chain(late).collect::<Vec<_>>()
        };
        let lines = |scopes: &[ScopeStatus], all| scope_lines(scopes, all, now());
        let text = lines(&scopes(7, 100), false);
        assert_eq!(text.matches("EXPIRED 2026-11-22T11:00:00Z (1 hour ago)").count(), 7);
        assert!(text.ends_with("    and 100 scopes that last longer (--scopes shows all)\n"), "{text}");
        let text = lines(&scopes(1, 100), false);
        assert_eq!((text.matches("EXPIRED").count(), text.matches(", until ").count()), (1, 4));
        assert_eq!(lines(&scopes(1, 100), true).lines().count(), 101);
        assert_eq!(lines(&scopes(0, 3), false).lines().count(), 3);
    }

    #[test]
    fn what_was_done_by_hand_is_told_and_a_retired_scope_is_not_old() {
        let done = |what: &str, at: &str| InterventionStatus {
            at: at.into(),
            what: what.into(),
            issuer: "auth".into(),
            scope: "CN=City 1".into(),
            detail: "2 holds released".into(),
        };
        let mut status = status(vec![
            scope(0, "2026-11-23T06:00:00Z"),
            ScopeStatus {
                this_update: "2020-01-01T00:00:00Z".into(),
                retired: true,
                ..scope(1, "9999-12-31T23:59:59Z")
            },
        ]);
        status.interventions =
            ["2026-11-20T12:00:00Z", "2026-11-22T10:00:00Z"].map(|at| done("dropped", at)).into();
        let text = text_of(&status, false, now());
        assert!(text.contains("    CN=City 1: number 12, 1,000 entries, retired 5 hours ago\n"), "{text}");
        assert!(!text.contains("2020"), "{text}");
        let told = "\ndone by hand\n  dropped 2 hours ago: auth, CN=City 1: 2 holds released\n  dropped 2 days ago: ";
        assert!(text.contains(told), "{text}");
    }

    #[test]
    fn what_another_release_says_is_understood_as_far_as_it_goes() {
        let text = r#"{"version": "9.9", "new": 1, "issuers": [{"name": "auth", "other": []}]}"#;
        let status: Status = serde_json::from_str(text).unwrap();
        assert_eq!(status.issuers[0].name, "auth");
        assert!(text_of(&status, false, now()).contains("CRLs  0 scopes, 0 entries"));
    }

    #[test]
    fn a_server_on_every_address_is_asked_on_this_machine() {
        let reached = |text: &str| reachable(text.parse().unwrap()).to_string();
        assert_eq!(reached("0.0.0.0:9090"), "127.0.0.1:9090");
        assert_eq!(reached("[::]:9090"), "[::1]:9090");
        assert_eq!(reached("10.0.0.1:9090"), "10.0.0.1:9090");
    }

    #[test]
    fn a_server_that_is_not_ready_says_why() {
        let status = Status { not_ready: vec!["auth: no CRL".into()], ..status(vec![]) };
        assert!(text_of(&status, false, now()).contains("NOT READY\n  auth: no CRL\n"));
    }
}
