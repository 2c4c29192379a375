//! `ocsprey verifier check` and `ocsprey verifier list`: who may ask, as the registry file has it.
//!
//! Neither needs a server, and neither changes anything; what a server has counted is in `ocsprey status`.

use super::words::thousands;
use super::{Exit, Failure};
use crate::app;
use crate::clock::Clock;
use crate::config::Config;
use crate::http::VerifierStatus;
use clap::Args;
use std::path::PathBuf;

/// Check the registry of verifiers, and say all that is wrong
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Example:
  ocsprey verifier check --config /etc/ocsprey/ocsprey.toml && systemctl reload ocsprey")]
pub struct CheckArgs {
    /// The configuration, whose [verifiers] names the registry
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
}

/// List the verifiers of the registry
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Example:
  ocsprey verifier list --config ocsprey.toml --json")]
pub struct ListArgs {
    /// The configuration, whose [verifiers] names the registry
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// For programs
    #[arg(long)]
    pub json: bool,
}

pub(super) fn check(args: &CheckArgs) -> Result<Exit, Failure> {
    let config = Config::load(&args.config)?;
    let found = verifiers(&config)?;
    for warning in app::check_verifiers(&config, &Clock::System) {
        super::print(&format!("warning: {warning}"))?;
    }
    let count = found.len();
    super::print(&format!("{}: {count} verifiers, everything is in its place", config.file.display()))?;
    Ok(Exit::Done)
}

pub(super) fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let found = verifiers(&Config::load(&args.config)?)?;
    if args.json {
        super::print_json(&found)?;
    } else {
        super::print(&table(&found))?;
    }
    Ok(Exit::Done)
}

fn verifiers(config: &Config) -> Result<Vec<VerifierStatus>, Failure> {
    app::list_verifiers(config, &Clock::System)
        .map_err(|faults| Failure::several(Exit::Usage, faults.iter().map(ToString::to_string).collect()))
}

fn table(verifiers: &[VerifierStatus]) -> String {
    let limit = |most: Option<u64>| most.map_or_else(|| "–".to_owned(), thousands);
    let mut rows = vec![["id", "name", "rights", "a second", "a day", "may ask"].map(str::to_owned)];
    for one in verifiers {
        let may_ask = match (one.suspended, one.valid) {
            (true, _) => "no: suspended",
            (false, false) => "no: not valid now",
            (false, true) => "yes",
        };
        rows.push([
            one.id.clone(),
            one.name.clone(),
            one.rights.join(", "),
            limit(one.per_second.map(u64::from)),
            limit(one.per_day),
            may_ask.to_owned(),
        ]);
    }
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let line = |row: &[String; 6]| {
        let cells: Vec<String> =
            row.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column))).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_who_may_ask_and_who_not() {
        let one = |id: &str, suspended, valid| VerifierStatus {
            id: id.to_owned(),
            name: "First Bank".to_owned(),
            rights: vec!["auth".to_owned(), "sign".to_owned()],
            suspended,
            valid,
            per_second: Some(50),
            per_day: Some(1_000_000),
            ..VerifierStatus::default()
        };
        let table = table(&[one("bank", false, true), one("shop", true, true), one("old", false, false)]);
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines[0], "id    name        rights      a second  a day      may ask");
        assert_eq!(lines[1], "bank  First Bank  auth, sign  50        1,000,000  yes");
        assert!(lines[2].ends_with("no: suspended") && lines[3].ends_with("no: not valid now"), "{table}");
    }
}
