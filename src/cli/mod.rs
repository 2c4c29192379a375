//! The command line: one file a command.
//!
//! Called by `main` alone, through [`run`]. Invariants: what a command found goes to standard output,
//! everything else (errors, logs, progress) to standard error; an error is one line
//! `error: WHAT: WHY (HINT)`, several errors are several such lines; the exit code is an [`Exit`].
//! Nothing here panics, not even when standard output is a pipe that was closed.

mod audit_prove;
mod audit_verify;
mod check;
mod crl_drop;
mod crl_ingest;
mod crl_rollback;
mod crl_show;
mod demo;
mod drill;
mod failure;
mod http_client;
mod inventory;
mod inventory_load;
mod manual;
mod presign;
mod query;
mod report;
mod serve;
mod status;
mod store;
mod usage;
mod usage_report;
mod verifier;
mod words;

pub use crl_show::CrlSummary;
pub use failure::{Exit, Failure};
pub use inventory::{InventoryEntry, InventoryError, InventoryReader, distribution_point};
pub use report::Progress;
pub(crate) use report::log_filter;
pub(crate) use words::{decimal, thousands};

use crate::app::AppError;
use crate::store::{RestoreError, StoreError};
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

const EXAMPLES: &str = "\
Examples:
  ocsprey demo                                  a whole PKI to try everything on
  ocsprey check --config ocsprey.toml           is everything in its place?
  ocsprey serve --config ocsprey.toml           answer
  ocsprey query --issuer ca.pem --cert card.pem http://127.0.0.1:8080";

/// The OCSP responder for national ID cards: CRLs in, signed answers out.
#[derive(Debug, Parser)]
#[command(name = "ocsprey", version, about, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    /// What to log: error, warn, info, debug, trace, or a filter like `info,ocsprey::ingest=debug`
    /// [default: $OCSPREY_LOG, else info]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Everywhere")]
    log_level: Option<String>,
    /// How to log: lines for people, or one JSON object a line
    #[arg(
        long,
        global = true,
        value_name = "FORMAT",
        value_enum,
        default_value_t,
        help_heading = "Everywhere"
    )]
    log_format: report::LogFormat,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Serve(serve::ServeArgs),
    Check(check::CheckArgs),
    /// Take CRLs in, or look into one
    #[command(subcommand, after_help = "Example:\n  ocsprey crl show auth.crl")]
    Crl(CrlCommand),
    /// Tell which serials were issued
    #[command(
        subcommand,
        after_help = "Example:\n  ocsprey inventory load --config ocsprey.toml --issuer auth issued.txt"
    )]
    Inventory(InventoryCommand),
    Presign(presign::PresignArgs),
    /// Back the store up, restore it, look whether it is whole
    #[command(subcommand, after_help = "Example:\n  ocsprey store verify --config ocsprey.toml")]
    Store(store::StoreCommand),
    Drill(drill::DrillArgs),
    Status(status::StatusArgs),
    /// Look whether the audit log is as it was written, or for what was answered
    #[command(subcommand, after_help = "Example:\n  ocsprey audit verify --config ocsprey.toml")]
    Audit(AuditCommand),
    /// Tell who asked how often
    #[command(
        subcommand,
        after_help = "Example:\n  ocsprey usage report --config ocsprey.toml --from 2026-11-01 --to 2026-11-30"
    )]
    Usage(UsageCommand),
    Query(query::QueryArgs),
    /// Who may ask
    #[command(subcommand, after_help = "Example:\n  ocsprey verifier list --config ocsprey.toml")]
    Verifier(VerifierCommand),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

#[derive(Debug, Subcommand)]
enum CrlCommand {
    Ingest(crl_ingest::IngestArgs),
    Show(crl_show::ShowArgs),
    Rollback(crl_rollback::RollbackArgs),
    Drop(crl_drop::DropArgs),
}

#[derive(Debug, Subcommand)]
enum VerifierCommand {
    Check(verifier::CheckArgs),
    List(verifier::ListArgs),
}

#[derive(Debug, Subcommand)]
enum InventoryCommand {
    Load(inventory_load::LoadArgs),
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    Verify(audit_verify::VerifyArgs),
    Prove(audit_prove::ProveArgs),
}

#[derive(Debug, Subcommand)]
enum UsageCommand {
    Report(usage_report::ReportArgs),
}

/// Runs the command that `arguments` (the program's name first) ask for, and says how it went.
pub fn run<I: IntoIterator<Item = OsString>>(arguments: I) -> ExitCode {
    let outcome = match Cli::try_parse_from(arguments) {
        Ok(cli) => start(cli),
        Err(error) => usage::explain(&error),
    };
    let exit = outcome.unwrap_or_else(|failure| {
        failure.tell();
        failure.exit
    });
    ExitCode::from(exit)
}

fn start(cli: Cli) -> Result<Exit, Failure> {
    report::start_log(cli.log_level.as_deref(), cli.log_format)?;
    match cli.command {
        Command::Demo(args) => demo::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Crl(CrlCommand::Ingest(args)) => crl_ingest::run(&args),
        Command::Crl(CrlCommand::Show(args)) => crl_show::run(&args),
        Command::Crl(CrlCommand::Rollback(args)) => crl_rollback::run(&args),
        Command::Crl(CrlCommand::Drop(args)) => crl_drop::run(&args),
        Command::Inventory(InventoryCommand::Load(args)) => inventory_load::run(&args),
        Command::Presign(args) => presign::run(&args),
        Command::Store(command) => store::run(&command),
        Command::Drill(args) => drill::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Audit(AuditCommand::Verify(args)) => audit_verify::run(&args),
        Command::Audit(AuditCommand::Prove(args)) => audit_prove::run(&args),
        Command::Usage(UsageCommand::Report(args)) => usage_report::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Completions(args) => manual::completions(&args),
        Command::Man(args) => manual::man(&args),
        Command::Verifier(VerifierCommand::Check(args)) => verifier::check(&args),
        Command::Verifier(VerifierCommand::List(args)) => verifier::list(&args),
    }
}

/// What stopped the work of [`crate::app`], in one line each. `file` is the configuration.
fn app_failure(file: &std::path::Path, why: AppError) -> Failure {
    let what = file.display();
    match why {
        AppError::Faults(faults) => {
            Failure::several(Exit::Usage, faults.iter().map(ToString::to_string).collect())
        }
        // Its message begins with what it is about and ends with the hint.
        AppError::Store(why) => Failure::several(Exit::Failed, vec![why.to_string()]),
        AppError::Restore(why) => Failure::several(Exit::Failed, vec![why.to_string()]),
        AppError::Entries(why) => Failure::several(Exit::Failed, vec![why.to_string()]),
        AppError::Audit(why) => Failure::several(Exit::Failed, vec![why.to_string()]),
        AppError::Listen(why) => Failure::work(what, why, ""),
        AppError::Presign(_) | AppError::Metrics(_) | AppError::System { .. } | AppError::Ended(_) => {
            Failure::work(what, why, "please report this if it comes again")
        }
    }
}

/// As [`app_failure`], of a command that no running server does in its place: where one holds the store, `instead` is
/// what to do.
fn app_failure_or(file: &std::path::Path, why: AppError, instead: &str) -> Failure {
    match why {
        AppError::Store(StoreError::InUse { path })
        | AppError::Restore(RestoreError::Store(StoreError::InUse { path })) => {
            let what = format!("the store {}", path.display());
            Failure::work(what, "another ocsprey process has it open", instead)
        }
        other => app_failure(file, other),
    }
}

/// Writes what a command found to standard output, with a line end.
///
/// # Errors
/// When it cannot be written. A reader that went away (`| head`) has what it wanted: no error.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Failure::work("standard output", error, ""))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The same as JSON, for programs.
///
/// # Errors
/// As [`print`].
pub(crate) fn print_json<T: serde::Serialize>(value: &T) -> Result<(), Failure> {
    match serde_json::to_string_pretty(value) {
        Ok(text) => print(&text),
        Err(error) => Err(Failure::work("standard output", error, "")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn commands(command: &clap::Command, path: &str, found: &mut Vec<(String, String)>) {
        for sub in command.get_subcommands().filter(|sub| sub.get_name() != "help") {
            let name = format!("{path} {}", sub.get_name());
            found.push((name.clone(), sub.clone().render_long_help().to_string()));
            commands(sub, &name, found);
        }
    }

    #[test]
    fn the_definition_of_the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn contract_2_every_command_shows_an_example() {
        let mut found = Vec::new();
        commands(&Cli::command(), "ocsprey", &mut found);
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "ocsprey demo",
                "ocsprey serve",
                "ocsprey check",
                "ocsprey crl",
                "ocsprey crl ingest",
                "ocsprey crl show",
                "ocsprey crl rollback",
                "ocsprey crl drop",
                "ocsprey inventory",
                "ocsprey inventory load",
                "ocsprey presign",
                "ocsprey store",
                "ocsprey store backup",
                "ocsprey store restore",
                "ocsprey store verify",
                "ocsprey drill",
                "ocsprey status",
                "ocsprey audit",
                "ocsprey audit verify",
                "ocsprey audit prove",
                "ocsprey usage",
                "ocsprey usage report",
                "ocsprey query",
                "ocsprey verifier",
                "ocsprey verifier check",
                "ocsprey verifier list",
                "ocsprey completions",
                "ocsprey man",
            ]
        );
        for (name, help) in &found {
            assert!(help.contains("Example"), "{name}: {help}");
            assert!(help.contains(&format!("\n  {name}")), "{name} has no example of itself: {help}");
        }
    }

    #[test]
    fn every_command_has_a_manual_page_with_its_example_and_is_completed() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().to_str().unwrap();
        let run = |words: &[&str]| Cli::try_parse_from(words).map(|cli| start(cli).unwrap()).unwrap();
        assert_eq!(run(&["ocsprey", "man", "--dir", dir]), Exit::Done);
        let mut found = Vec::new();
        commands(&Cli::command(), "ocsprey", &mut found);
        for (name, _) in &found {
            let page = format!("{}.1", name.replace(' ', "-"));
            let page = std::fs::read_to_string(folder.path().join(&page)).expect(&page);
            assert!(page.contains("Example") && page.contains(".SH SYNOPSIS"), "{name}: {page}");
        }
        for shell in ["bash", "zsh", "fish"] {
            assert_eq!(run(&["ocsprey", "completions", shell]), Exit::Done);
        }
    }

    #[test]
    fn contract_2_examples_in_help_can_be_typed() {
        let mut found = vec![("ocsprey".to_owned(), Cli::command().render_long_help().to_string())];
        commands(&Cli::command(), "ocsprey", &mut found);
        let mut tried = 0;
        for line in found.iter().flat_map(|(_, help)| help.lines()) {
            let Some(example) = line.strip_prefix("  ocsprey ") else { continue };
            // Behind a wide gap stands what it does; behind && another command.
            let typed = example.split("   ").next().unwrap_or_default();
            let words =
                typed.split_whitespace().take_while(|word| !["&&", ">"].contains(word)).map(OsString::from);
            let parsed = Cli::try_parse_from(std::iter::once("ocsprey".into()).chain(words));
            assert!(parsed.is_ok(), "{line}: {:?}", parsed.err().map(|error| error.to_string()));
            tried += 1;
        }
        assert!(tried >= 10, "{tried}");
    }
}
