//! `ocsprey crl ingest`: CRLs into the store, or into a running server.
//!
//! With `--admin` each file is sent as it stands, streamed from disk, and the server's report or its
//! reason to refuse is printed. With `--config` the work is [`crate::app`]'s.

use super::{Exit, Failure, Progress, http_client};
use crate::app::{self, Ingested, Step};
use crate::config::{Config, io_reason};
use crate::ingest::Manner;
use clap::Args;
use serde_json::{Map, Value};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A CRL of 50 million entries over a slow line, verified and written on the other side.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// An ingest report is a few lines.
const MAX_REPORT: u64 = 1 << 20;

/// Take CRLs into the store, or into a running server
///
/// Without CRL the configured sources are read.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey crl ingest --config ocsprey.toml                 every configured source, no server running
  ocsprey crl ingest --config ocsprey.toml auth.crl
  ocsprey crl ingest --config ocsprey.toml --dry-run       what would change, also beside a running server
  ocsprey crl ingest --admin http://127.0.0.1:9090 auth.crl sign.crl")]
pub struct IngestArgs {
    /// The configuration whose store takes the CRLs in; no server may be running on it
    #[arg(long, value_name = "FILE", required_unless_present = "admin", conflicts_with = "admin")]
    pub config: Option<PathBuf>,
    /// The admin address of a running server
    #[arg(long, value_name = "URL", requires = "crls")]
    pub admin: Option<String>,
    /// Take them in also where the guard refuses: a CRL that shrinks suddenly or releases en masse
    ///
    /// Signatures, numbers and times are judged all the same.
    #[arg(long, conflicts_with = "dry_run")]
    pub force: bool,
    /// Write nothing; only say what would change
    #[arg(long)]
    pub dry_run: bool,
    /// Print the reports as JSON
    #[arg(long)]
    pub json: bool,
    /// CRLs in DER or PEM
    #[arg(value_name = "CRL")]
    pub crls: Vec<PathBuf>,
}

pub(super) fn run(args: &IngestArgs) -> Result<Exit, Failure> {
    let outcomes = match (&args.admin, &args.config) {
        (Some(admin), _) => submit(&http_client::url("--admin", admin)?, &args.crls, args.manner()),
        (None, Some(path)) => ingest(&Config::load(path)?, &args.crls, args.manner())?,
        // clap demands one of the two.
        (None, None) => {
            return Err(Failure::usage("--config", "is missing", "or name a server with --admin"));
        }
    };
    tell(outcomes, args.json)
}

impl IngestArgs {
    fn manner(&self) -> Manner {
        match (self.dry_run, self.force) {
            (true, _) => Manner::Rehearsed,
            (false, true) => Manner::Forced,
            (false, false) => Manner::Guarded,
        }
    }
}

fn ingest(config: &Config, crls: &[PathBuf], manner: Manner) -> Result<Vec<Ingested>, Failure> {
    let mut progress = None;
    let ingested = app::ingest_crls(config, crls, manner, |step| step_of(&mut progress, step));
    if let Some(progress) = progress {
        progress.done("ended");
    }
    ingested.map_err(|why| super::app_failure(&config.file, why))
}

/// Shows how far a number of CRLs is.
pub(super) fn step_of(progress: &mut Option<Progress>, step: Step) {
    match (step, progress) {
        (Step::Total(total), progress) => {
            *progress = Some(Progress::of("taking CRLs in", "CRLs", Some(total)));
        }
        (Step::One, Some(progress)) => progress.advance(1),
        (Step::One, None) => {}
    }
}

fn submit(admin: &str, crls: &[PathBuf], manner: Manner) -> Vec<Ingested> {
    let query = match manner {
        Manner::Guarded => "",
        Manner::Forced => "?force=1",
        Manner::Rehearsed => "?dry_run=1",
    };
    let url = format!("{}/api/v1/crls{query}", admin.trim_end_matches('/'));
    let agent = http_client::agent(TIMEOUT);
    let name = |path: &PathBuf| path.display().to_string();
    crls.iter().map(|path| (name(path), submit_one(&agent, &url, path))).collect()
}

fn submit_one(agent: &ureq::Agent, url: &str, path: &Path) -> Result<Value, String> {
    let shown = path.display();
    let unreadable = |error: &io::Error| format!("{shown}: {}", io_reason(error));
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let size = file.metadata().map_err(|error| unreadable(&error))?.len();
    let progress = Progress::octets(format!("sending {shown}"), Some(size));
    let mut body = Counted { file, progress };
    let sent = agent
        .post(url)
        .header("Content-Type", "application/pkix-crl")
        .header("Content-Length", size.to_string())
        .send(ureq::SendBody::from_reader(&mut body));
    let mut response = sent.map_err(|error| http_client::failure(url, &error).to_string())?;
    let status = response.status();
    let report = response.body_mut().with_config().limit(MAX_REPORT).read_to_string();
    let report = report.map_err(|error| http_client::failure(url, &error).to_string())?;
    let value: Value = serde_json::from_str(&report).unwrap_or_default();
    match status.as_u16() {
        200 => Ok(value),
        422 => Err(format!("{shown}: refused: {}", reason(&value, &report))),
        413 => Err(format!(
            "{shown}: it is larger than the server takes (raise admin.max_crl_size, or put it where crls says)"
        )),
        404 => Err(format!("{url}: there is no such page (is this the admin address?)")),
        _ => Err(format!("{shown}: the server answered HTTP {status}: {}", reason(&value, &report))),
    }
}

/// `{"error": "…"}`, or whatever came, cut short.
fn reason(value: &Value, raw: &str) -> String {
    match value.get("error").and_then(Value::as_str) {
        Some(error) => error.to_owned(),
        None => raw.chars().filter(|char| !char.is_control()).take(200).collect(),
    }
}

/// A file that says how far it was read.
struct Counted {
    file: File,
    progress: Progress,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = self.file.read(buffer)?;
        self.progress.advance(octets as u64);
        Ok(octets)
    }
}

/// Prints what was taken in, and fails with a line for each that was not.
fn tell(outcomes: Vec<Ingested>, as_json: bool) -> Result<Exit, Failure> {
    let mut refused = Vec::new();
    let mut reports = Vec::new();
    for (name, outcome) in outcomes {
        match outcome {
            Ok(report) => reports.push((name, report)),
            Err(line) => refused.push(line),
        }
    }
    if as_json {
        let list = reports.into_iter().map(|(name, report)| {
            let mut object = Map::from_iter([("source".to_owned(), Value::String(name))]);
            object.insert("report".into(), report);
            Value::Object(object)
        });
        super::print_json(&list.collect::<Vec<_>>())?;
    } else if !reports.is_empty() {
        let lines: Vec<String> = reports.iter().map(|(name, report)| report_line(name, report)).collect();
        super::print(&lines.join("\n"))?;
    }
    if refused.is_empty() { Ok(Exit::Done) } else { Err(Failure::several(Exit::Failed, refused)) }
}

/// What a person looks for first; the rest follows in the order of the alphabet.
const FIRST: [&str; 7] =
    ["outcome", "issuer", "distribution_point", "crl_number", "entries", "added", "next_update"];

/// `auth.crl: applied, issuer auth, crl number 12, added 3`
fn report_line(name: &str, report: &Value) -> String {
    format!("{name}: {}", report_fields(report))
}

fn report_fields(report: &Value) -> String {
    let Value::Object(fields) = report else { return "taken in".to_owned() };
    let first = FIRST.iter().filter_map(|key| fields.get_key_value(*key));
    let rest = fields.iter().filter(|(key, _)| !FIRST.contains(&key.as_str()));
    let parts = first.chain(rest).filter_map(|(key, value)| {
        let label = key.replace('_', " ");
        match value {
            // An indirect CRL speaks for several issuers.
            Value::Array(others) if key == "other_issuers" => Some(
                others
                    .iter()
                    .map(|other| format!("and {}", report_fields(other)))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
            // A CRL of everything names no distribution point, one of version 1 no number.
            Value::String(text) if text.is_empty() => None,
            Value::String(text) if key == "outcome" => Some(text.clone()),
            Value::String(text) => Some(format!("{label} {text}")),
            Value::Number(number) => Some(match (number.as_u64(), number.as_f64()) {
                (Some(whole), _) => format!("{label} {}", super::words::thousands(whole)),
                (None, Some(broken)) => format!("{label} {broken:.3}"),
                (None, None) => format!("{label} {number}"),
            }),
            Value::Bool(yes) => Some(format!("{label} {}", if *yes { "yes" } else { "no" })),
        }
    });
    parts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_is_one_line_for_people() {
        let report = json!({
            "added": 12345, "crl_number": null, "delta": false, "distribution_point": "", "issuer": "auth",
            "outcome": "applied", "seconds": 0.0126, "warnings": [],
        });
        let expected = "a.crl: applied, issuer auth, added 12,345, delta no, seconds 0.013";
        assert_eq!(report_line("a.crl", &report), expected);
    }

    #[test]
    fn every_crl_that_was_refused_is_a_line_and_exit_1() {
        let outcomes = vec![
            ("a.crl".to_owned(), Err("a.crl: refused: x".to_owned())),
            ("b.crl".to_owned(), Err("b.crl: refused: y".to_owned())),
        ];
        let failure = tell(outcomes, false).unwrap_err();
        assert_eq!((failure.exit, failure.lines.len()), (Exit::Failed, 2));
    }

    #[test]
    fn a_reason_that_is_no_json_is_cut_short() {
        assert_eq!(reason(&json!({"error": "too old"}), ""), "too old");
        assert_eq!(reason(&Value::Null, &"x\n".repeat(1000)).len(), 200);
    }
}
