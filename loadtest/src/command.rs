//! The command line.
//!
//! Called by `main` alone, through [`run`]. The report goes to standard output, everything else to
//! standard error; an error is one line `error: WHAT: WHY (HINT)`. Exit codes (contract.md, section 2):
//! 0 done, 1 the work failed (an answer that was false or could not be verified included), 2 wrong usage
//! or a wrong plan.

use crate::compare;
use crate::drive::Job;
use crate::page;
use crate::plan::{ClientPlan, HashMix, Http, Loop, Order, Phase, Plan, Waits};
use crate::progress::Progress;
use crate::run::{self, Watch};
use crate::serials::Serials;
use crate::target::{Reach, Target};
use crate::transport::Transport;
use clap::error::ErrorKind;
use clap::{Args, Parser, ValueEnum};
use ocsprey::x509::Certificate;
use std::ffi::OsString;
use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Random serial numbers in memory; a longer run comes round to the first again.
const MOST_RANDOM: usize = 4_000_000;

const EXAMPLES: &str = "\
Examples (against `ocsprey demo`, which leaves its files in ./demo):
  ocsprey-load --issuer demo/auth-ca.pem --serials demo/auth-issued.txt http://127.0.0.1:8080
  ocsprey-load --plan loadtest/plans/monday-0900.toml --issuer demo/auth-ca.pem \\
      --serials demo/auth-issued.txt --output monday.json http://127.0.0.1:8080
  ocsprey-load --rate 5000 --seconds 30 --get-share 0.5 --issuer ... --serials ... URL
  ocsprey-load --compare before.json after.json --html both.html";

/// Puts an OCSP responder under load and tells how it bore it.
#[derive(Debug, Parser)]
#[command(name = "ocsprey-load", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    /// The responder: http://HOST[:PORT][/PATH] or https://..., on this machine
    #[arg(required_unless_present = "compare")]
    url: Option<String>,
    /// The CA that issued the certificates (PEM or DER)
    #[arg(long, value_name = "FILE", required_unless_present = "compare")]
    issuer: Option<PathBuf>,
    /// Whom to ask about: a hexadecimal serial number a line, first word (not with random serials)
    #[arg(long, value_name = "FILE")]
    serials: Option<PathBuf>,
    /// The shape of the load; without it a closed loop of 10 seconds
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// Where the report goes as JSON
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Where the report goes as a page with plots; with --compare, that of both
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Tells what differs between two such reports, and puts no load on anybody
    #[arg(
        long,
        num_args = 2,
        value_names = ["A", "B"],
        conflicts_with_all = ["url", "issuer", "serials", "plan", "output", "json"]
    )]
    compare: Option<Vec<PathBuf>>,
    /// The report as JSON on standard output
    #[arg(long)]
    json: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
    /// Allow a responder on another machine, whose owner agreed
    #[arg(long)]
    allow_remote: bool,
    /// Process of the responder, to tell its CPU time per request
    #[arg(long, value_name = "PID")]
    server_pid: Option<u32>,
    /// How many answers are verified in full, drawn by chance
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    verify: u32,
    #[command(flatten)]
    changes: Changes,
}

/// What changes a plan.
#[derive(Debug, Args)]
#[command(next_help_heading = "Instead of what the plan says")]
struct Changes {
    /// Open loop with so many requests a second
    #[arg(long, conflicts_with = "closed")]
    rate: Option<f64>,
    /// Multiplies every rate of the plan
    #[arg(long, value_name = "FACTOR", conflicts_with_all = ["rate", "closed"])]
    scale: Option<f64>,
    /// Closed loop: every connection always has a request out
    #[arg(long)]
    closed: bool,
    /// How long it runs; the phases of a plan are stretched or pressed
    #[arg(long)]
    seconds: Option<f64>,
    /// At most so many requests
    #[arg(long, value_name = "N")]
    requests: Option<u64>,
    #[arg(long, value_name = "N")]
    connections: Option<usize>,
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// A new connection for each request
    #[arg(long)]
    no_keep_alive: bool,
    /// How answers are waited for: awake takes a core a thread, and the responder is not charged for waking it
    #[arg(long, value_name = "HOW")]
    waits: Option<WaitsArg>,
    /// HTTP/2 instead of HTTP/1.1
    #[arg(long)]
    http2: bool,
    /// Requests at a time on one connection of HTTP/2
    #[arg(long, value_name = "N", requires = "http2")]
    streams: Option<usize>,
    /// Certificates (PEM) that an https responder's must lead to
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<PathBuf>,
    /// The name in the responder's certificate, if not the URL's host
    #[arg(long, value_name = "NAME")]
    tls_name: Option<String>,
    /// Who asks, over TLS: a certificate (PEM); more than once for several, each with its key
    #[arg(long, value_name = "FILE")]
    client_certificate: Vec<PathBuf>,
    #[arg(long, value_name = "FILE")]
    client_key: Vec<PathBuf>,
    /// Seconds until an answer is given up
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<f64>,
    #[arg(long, value_name = "ORDER")]
    order: Option<OrderArg>,
    #[arg(long, value_name = "S")]
    zipf_exponent: Option<f64>,
    /// Share of GET, 0 to 1
    #[arg(long, value_name = "SHARE")]
    get_share: Option<f64>,
    /// Share of requests with a nonce, 0 to 1
    #[arg(long, value_name = "SHARE")]
    nonce_share: Option<f64>,
    /// Share of malformed requests, 0 to 1
    #[arg(long, value_name = "SHARE")]
    malformed_share: Option<f64>,
    /// Hash algorithm of the CertIDs
    #[arg(long)]
    hash: Option<HashArg>,
    /// Certificates per request
    #[arg(long, value_name = "N")]
    certificates: Option<usize>,
    /// Of everything that is drawn by chance
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OrderArg {
    InOrder,
    Shuffled,
    Zipf,
    Random,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum WaitsArg {
    Asleep,
    Awake,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum HashArg {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How it went wrong: the exit code, and lines `WHAT: WHY (HINT)`.
struct Failure {
    exit: u8,
    lines: Vec<String>,
}

impl Failure {
    fn work(why: impl Display) -> Self {
        Self { exit: 1, lines: vec![why.to_string()] }
    }

    fn usage(why: impl Display) -> Self {
        Self { exit: 2, lines: vec![why.to_string()] }
    }
}

/// Runs what `arguments` (the program's name first) ask for.
pub fn run<I: IntoIterator<Item = OsString>>(arguments: I) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let outcome = match Cli::try_parse_from(&arguments) {
        Ok(cli) => start(cli, &arguments),
        Err(error) => explain(&error),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { exit, lines }) => {
            for line in lines {
                let line: Vec<&str> = line.lines().map(str::trim).collect();
                let _ = writeln!(std::io::stderr(), "error: {}", line.join(" "));
            }
            ExitCode::from(exit)
        }
    }
}

/// Help and version are no errors; an error is brought into one line.
fn explain(error: &clap::Error) -> Result<(), Failure> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return print(&error.to_string());
    }
    let text = error.to_string();
    let text = text.trim_start_matches("error: ").split("\n\nUsage").next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    Err(Failure::usage(format!("command line: {} (ocsprey-load --help)", words.join(" "))))
}

/// A closed pipe is the reader's wish.
fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::work(format!("standard output: {error}")))
        }
        _ => Ok(()),
    }
}

fn write_file(file: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(file, text)
        .map_err(|why| Failure::work(format!("{}: cannot be written: {why}", file.display())))
}

fn start(cli: Cli, arguments: &[OsString]) -> Result<(), Failure> {
    if let Some([a, b]) = cli.compare.as_deref() {
        let read = |file: &Path| compare::read(file).map_err(Failure::work);
        let (a, b) = (read(a)?, read(b)?);
        if let Some(file) = &cli.html {
            write_file(file, &page::compared(&a, &b))?;
        }
        return print(&compare::table(&a, &b));
    }
    let (Some(url), Some(issuer)) = (cli.url, cli.issuer) else {
        return Err(Failure::usage("command line: URL and --issuer are needed (ocsprey-load --help)"));
    };
    let mut plan = match &cli.plan {
        Some(file) => Plan::read(file).map_err(Failure::usage)?,
        None => Plan::without_file(),
    };
    cli.changes.apply(&mut plan);
    let faults = plan.check();
    if !faults.is_empty() {
        let what = cli.plan.as_ref().map_or("command line".into(), |file| file.display().to_string());
        return Err(Failure {
            exit: 2,
            lines: faults.iter().map(|fault| format!("{what}: {fault}")).collect(),
        });
    }
    let reach = if cli.allow_remote { Reach::Anywhere } else { Reach::ThisMachine };
    let target = Target::new(&url, reach).map_err(Failure::usage)?;
    let pem = std::fs::read(&issuer).map_err(|why| {
        Failure::usage(format!(
            "{}: cannot be read: {why} (the CA's certificate, PEM or DER)",
            issuer.display()
        ))
    })?;
    let certificate = Certificate::from_pem_or_der(&pem)
        .map_err(|why| Failure::usage(format!("{}: {why}", issuer.display())))?;
    let mut listed = match (plan.request.serials, &cli.serials) {
        (Order::Random, _) => Serials::random(plan.certificates_asked(MOST_RANDOM), plan.load.seed),
        (_, Some(file)) => Serials::read(file).map_err(Failure::usage)?,
        (_, None) => {
            return Err(Failure::usage("command line: --serials is needed (ocsprey-load --help)"));
        }
    };
    listed.arrange(plan.request.serials, plan.load.seed);
    let transport = Transport::new(&target, plan.load.http, plan.tls.as_ref()).map_err(Failure::usage)?;
    let progress = Progress::new(plan.seconds(), cli.quiet);
    let job =
        Job { plan, target, transport, issuer: certificate, serials: listed, samples: cli.verify as usize };
    let arguments = arguments.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let watch = Watch { server_pid: cli.server_pid, progress, arguments };
    let report = run::run(job, watch).map_err(Failure::work)?;

    let json =
        serde_json::to_string_pretty(&report).map_err(|why| Failure::work(format!("report: {why}")))?;
    if let Some(file) = &cli.output {
        write_file(file, &format!("{json}\n"))?;
    }
    if let Some(file) = &cli.html {
        write_file(file, &page::of(&report))?;
    }
    print(&if cli.json { format!("{json}\n") } else { report.text() })?;
    if report.can_be_believed() {
        return Ok(());
    }
    Err(Failure::work(if report.answered == 0 {
        format!("{url}: not one answer came (the report counts the errors by kind)")
    } else {
        format!("{url}: answers were false or did not verify (the report counts them; is --issuer their CA?)")
    }))
}

impl Changes {
    fn apply(&self, plan: &mut Plan) {
        let (load, request) = (&mut plan.load, &mut plan.request);
        let seconds = match load.mode {
            Loop::Open => load.phases.iter().map(|phase| phase.seconds).sum(),
            Loop::Closed => load.seconds.unwrap_or(10.0),
        };
        if let Some(rate) = self.rate {
            load.mode = Loop::Open;
            load.seconds = None;
            load.phases = vec![Phase { seconds, rate, rate_at_end: None }];
        }
        if self.closed {
            load.mode = Loop::Closed;
            load.seconds = Some(seconds);
            load.phases.clear();
        }
        if let Some(scale) = self.scale {
            for phase in &mut load.phases {
                phase.rate *= scale;
                phase.rate_at_end = phase.rate_at_end.map(|rate| rate * scale);
            }
        }
        if let Some(wanted) = self.seconds {
            load.seconds = load.seconds.map(|_| wanted);
            for phase in &mut load.phases {
                phase.seconds *= wanted / seconds;
            }
        }
        set(&mut load.most_requests, self.requests);
        set(&mut load.connections, self.connections);
        set(&mut load.threads, self.threads);
        set(&mut load.timeout_seconds, self.timeout);
        set(&mut load.seed, self.seed);
        load.keep_alive &= !self.no_keep_alive;
        let waits = self.waits.map(|waits| match waits {
            WaitsArg::Asleep => Waits::Asleep,
            WaitsArg::Awake => Waits::Awake,
        });
        set(&mut load.waits, waits);
        if self.http2 {
            load.http = Http::Two;
        }
        set(&mut load.streams, self.streams);
        if self.tls_ca.is_some() || self.tls_name.is_some() || !self.client_certificate.is_empty() {
            let tls = plan.tls.get_or_insert_default();
            set(&mut tls.ca, self.tls_ca.clone());
            tls.name = self.tls_name.clone().or(tls.name.take());
            if !self.client_certificate.is_empty() {
                let pairs = self.client_certificate.iter().cloned().zip(self.client_key.iter().cloned());
                tls.clients = pairs.map(|(certificate, key)| ClientPlan { certificate, key }).collect();
            }
        }
        set(&mut request.zipf_exponent, self.zipf_exponent);
        set(&mut request.get_share, self.get_share);
        set(&mut request.nonce_share, self.nonce_share);
        set(&mut request.malformed_share, self.malformed_share);
        set(&mut request.certificates, self.certificates);
        let order = self.order.map(|order| match order {
            OrderArg::InOrder => Order::InOrder,
            OrderArg::Shuffled => Order::Shuffled,
            OrderArg::Zipf => Order::Zipf,
            OrderArg::Random => Order::Random,
        });
        set(&mut request.serials, order);
        let hash = self.hash.map(|hash| {
            let mut mix = HashMix { sha1: 0.0, sha256: 0.0, sha384: 0.0, sha512: 0.0 };
            match hash {
                HashArg::Sha1 => mix.sha1 = 1.0,
                HashArg::Sha256 => mix.sha256 = 1.0,
                HashArg::Sha384 => mix.sha384 = 1.0,
                HashArg::Sha512 => mix.sha512 = 1.0,
            }
            mix
        });
        set(&mut request.hash, hash);
    }
}

fn set<T>(value: &mut T, wanted: Option<T>) {
    if let Some(wanted) = wanted {
        *value = wanted;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn options_change_a_plan_and_leave_the_rest() {
        let parse = |words: &[&str]| {
            let fixed = ["ocsprey-load", "--issuer", "a", "--serials", "b", "http://127.0.0.1"];
            Cli::try_parse_from(fixed.iter().chain(words)).unwrap().changes
        };
        let mut plan = Plan::without_file();
        parse(&["--rate", "100", "--seconds", "2", "--hash", "sha256", "--no-keep-alive"]).apply(&mut plan);
        assert_eq!(plan.load.phases, [Phase { seconds: 2.0, rate: 100.0, rate_at_end: None }]);
        assert_eq!((plan.load.mode, plan.load.keep_alive), (Loop::Open, false));
        assert_eq!(plan.request.hash, HashMix { sha1: 0.0, sha256: 1.0, sha384: 0.0, sha512: 0.0 });
        assert_eq!(plan.check(), Vec::<String>::new());

        plan.load.phases.push(Phase { seconds: 6.0, rate: 0.0, rate_at_end: Some(50.0) });
        parse(&["--scale", "2", "--seconds", "4"]).apply(&mut plan);
        let pressed = [
            Phase { seconds: 1.0, rate: 200.0, rate_at_end: None },
            Phase { seconds: 3.0, rate: 0.0, rate_at_end: Some(100.0) },
        ];
        assert_eq!(plan.load.phases, pressed);
        parse(&["--closed"]).apply(&mut plan);
        assert_eq!((plan.load.mode, plan.load.seconds), (Loop::Closed, Some(4.0)));
        assert_eq!(plan.check(), Vec::<String>::new());
    }
}
