//! `ocsprey crl rollback`: a CRL that should not have been taken in. The work is [`crate::app`]'s, or, with
//! `--admin`, a running server's.

use super::crl_drop::still_there;
use super::words::thousands;
use super::{Exit, Failure, http_client};
use crate::app;
use crate::config::Config;
use crate::http::RollbackOrder;
use clap::Args;
use serde_json::Value;
use std::path::PathBuf;

/// Take a CRL back: its scope becomes what it was before
///
/// The rows come from a copy of the store: the newest one from before the CRL, as store.checkpoints keeps them,
/// or a backup. The CRL itself is refused from then on, until its CA issues another or --force takes it in. A running
/// server answers by it from the moment at which this command ends.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey crl rollback --admin http://127.0.0.1:9090 --issuer auth
  ocsprey crl rollback --admin http://127.0.0.1:9090 --issuer auth --from monday
  ocsprey crl rollback --config ocsprey.toml --issuer auth     no server running")]
pub struct RollbackArgs {
    /// The configuration whose store holds it; no server may be running on it
    #[arg(long, value_name = "FILE", required_unless_present = "admin", conflicts_with = "admin")]
    pub config: Option<PathBuf>,
    /// The admin address of a running server
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,
    /// The issuer's name in the configuration
    #[arg(long, value_name = "NAME")]
    pub issuer: String,
    /// The distribution point as `ocsprey status --scopes` shows it, "everything" where there is none; all of
    /// the issuer's, if left out
    #[arg(long, value_name = "TEXT")]
    pub scope: Option<String>,
    /// A backup to go back to, instead of the newest copy from before; with --admin, its name below the server's
    /// store.backups
    #[arg(long, value_name = "DIR")]
    pub from: Option<String>,
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

pub(super) fn run(args: &RollbackArgs) -> Result<Exit, Failure> {
    let order =
        RollbackOrder { issuer: args.issuer.clone(), scope: args.scope.clone(), from: args.from.clone() };
    let what = args.scope.as_deref().unwrap_or(&args.issuer);
    let report = match (&args.admin, &args.config) {
        (Some(admin), _) => {
            let admin = http_client::url("--admin", admin)?;
            http_client::order(&admin, "/api/v1/crls/rollback", what, &order)?
        }
        (None, Some(file)) => {
            let config = Config::load(file)?;
            app::take_back_in_store(&config, &order)
                .map_err(|why| super::app_failure(&config.file, why))?
                .map_err(|why| Failure::work(what, why, ""))?
        }
        // clap demands one of the two.
        (None, None) => {
            return Err(Failure::usage("--config", "is missing", "or name a server with --admin"));
        }
    };
    if args.json {
        super::print_json(&report)?;
        return Ok(Exit::Done);
    }
    let scopes = report["scopes"].as_array().map(Vec::as_slice).unwrap_or_default();
    let lines: Vec<String> = scopes.iter().map(line).collect();
    let from = report["from"].as_str().unwrap_or_default();
    super::print(&format!("{}\nfrom {from}{}", lines.join("\n"), still_there(&report)))?;
    Ok(Exit::Done)
}

fn line(scope: &Value) -> String {
    let word = |of: &Value, key: &str| of[key].as_str().unwrap_or_default().to_owned();
    let crl = |of: &Value| match (of["retired"] == true, word(of, "crl_number").as_str()) {
        (true, _) => "its end".to_owned(),
        (false, "") => format!("the CRL of {}", word(of, "this_update")),
        (false, number) => format!("the CRL number {number} of {}", word(of, "this_update")),
    };
    let now = match &scope["in_force"] {
        Value::Null => "no CRL".to_owned(),
        before => format!("{}, until {}", crl(before), word(before, "next_update")),
    };
    let count = |key: &str| thousands(scope[key].as_u64().unwrap_or(0));
    format!(
        "{}: {} was taken back; in force is {now}; {} revocations went, {} came back, {} changed",
        word(scope, "scope"),
        crl(&scope["taken_back"]),
        count("gone"),
        count("back"),
        count("changed")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_taken_back_and_what_is_in_force_are_one_line() {
        let crl = |number: &str, retired: bool| {
            let (this_update, next_update) = ("2026-11-22T06:00:00Z", "2026-11-23T06:00:00Z");
            json!({ "crl_number": number, "this_update": this_update, "next_update": next_update, "retired": retired })
        };
        let mut scope = json!({ "scope": "CN=A", "taken_back": crl("6", false), "in_force": crl("5", false),
                                "gone": 2000, "back": 1, "changed": 0 });
        assert_eq!(
            line(&scope),
            "CN=A: the CRL number 6 of 2026-11-22T06:00:00Z was taken back; in force is the CRL number 5 of \
             2026-11-22T06:00:00Z, until 2026-11-23T06:00:00Z; 2,000 revocations went, 1 came back, 0 changed"
        );
        scope["in_force"] = Value::Null;
        assert!(line(&scope).contains("; in force is no CRL; "));
        // A scope that was dropped, and is there again.
        scope["taken_back"] = crl("6", true);
        assert!(line(&scope).starts_with("CN=A: its end was taken back; "));
    }
}
