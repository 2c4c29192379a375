//! `ocsprey usage report`: who asked how often, and what it costs, for whoever writes the bills.

use super::words::thousands;
use super::{Exit, Failure, http_client};
use crate::app;
use crate::config::Config;
use crate::usage::{Day, Line, Period, Report};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::path::PathBuf;

/// Show who asked how often in some days, and what it costs
///
/// With --admin a running server reports every answer that it gave before it was asked. With --config the store is
/// read, also while a server runs: then it has everything up to a second ago. A day that is over is complete a second
/// after it ended. Needs [usage] in the configuration of the server that counted; prices are those of its usage.prices.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey usage report --admin http://127.0.0.1:9090 --from 2026-11-01 --to 2026-11-30
  ocsprey usage report --config ocsprey.toml --from 2026-11-01 --to 2026-11-30 --verifier bank --format csv")]
pub struct ReportArgs {
    /// The configuration whose store is read
    #[arg(long, value_name = "FILE", required_unless_present = "admin", conflicts_with = "admin")]
    pub config: Option<PathBuf>,
    /// The admin address of a running server
    #[arg(long, value_name = "URL")]
    pub admin: Option<String>,
    /// The first day, by the calendar of usage.day_begins
    #[arg(long, value_name = "DATE")]
    pub from: Day,
    /// The last day, which is included
    #[arg(long, value_name = "DATE")]
    pub to: Day,
    /// Only this verifier's; - for those of nobody who is registered
    #[arg(long, value_name = "ID")]
    pub verifier: Option<String>,
    /// A line for each day
    #[arg(long)]
    pub daily: bool,
    /// How it is written: a table for people, CSV (RFC 4180) or JSON for programs
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    #[default]
    Table,
    Csv,
    Json,
}

pub(super) fn run(args: &ReportArgs) -> Result<Exit, Failure> {
    if args.to < args.from {
        return Err(Failure::usage(
            "--to",
            format!("{} is before {}", args.to, args.from),
            "name the later day last",
        ));
    }
    let period = Period { from: args.from, to: args.to, verifier: args.verifier.clone(), by_day: args.daily };
    let report = match (&args.admin, &args.config) {
        (Some(admin), _) => ask(&http_client::url("--admin", admin)?, &period)?,
        (None, Some(file)) => {
            let config = Config::load(file)?;
            app::usage_report(&config, &period).map_err(|why| super::app_failure(&config.file, why))?
        }
        // clap demands one of the two.
        (None, None) => {
            return Err(Failure::usage("--config", "is missing", "or name a server with --admin"));
        }
    };
    match args.format {
        Format::Table => super::print(&table(&report))?,
        Format::Csv => super::print(&csv(&report))?,
        Format::Json => super::print_json(&report)?,
    }
    Ok(Exit::Done)
}

fn ask(admin: &str, period: &Period) -> Result<Report, Failure> {
    let url = http_client::page(admin, "/api/v1/usage");
    let asked = http_client::agent(http_client::REPORT_PATIENCE).get(&url);
    let asked = asked.query("from", period.from.to_string()).query("to", period.to.to_string());
    let asked = period.verifier.iter().fold(asked, |asked, id| asked.query("verifier", id));
    let asked = asked.query("daily", if period.by_day { "1" } else { "0" });
    let report = http_client::report(&url, "the server", asked.call())?;
    let read = |error| {
        Failure::work(&url, format!("sent no report: {error}"), "is this the admin address of ocsprey?")
    };
    Report::deserialize(report).map_err(read)
}

fn cells(line: &Line) -> [String; 9] {
    [
        line.day.clone().unwrap_or_default(),
        line.verifier.clone(),
        line.on_behalf_of.clone(),
        line.issuer.clone(),
        line.method.to_string(),
        line.result.to_string(),
        line.count.to_string(),
        line.amount.to_string(),
        line.unpriced.to_string(),
    ]
}

const COLUMNS: [&str; 9] =
    ["day", "verifier", "on_behalf_of", "issuer", "method", "result", "count", "amount", "unpriced"];
/// From here on they are numbers.
const NUMBERS: usize = 6;

fn csv(report: &Report) -> String {
    let mut out = format!("{},currency\r\n", COLUMNS.join(","));
    for line in &report.lines {
        for cell in cells(line) {
            out.push_str(&quoted(&cell));
            out.push(',');
        }
        out.push_str(&quoted(report.currency.as_deref().unwrap_or_default()));
        out.push_str("\r\n");
    }
    out
}

/// RFC 4180 2: a cell with a comma, a quotation mark or a line end stands in quotation marks.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

fn table(report: &Report) -> String {
    if report.lines.is_empty() {
        return format!("nothing was counted from {} to {}\n", report.from, report.to);
    }
    let mut rows: Vec<[String; 9]> = vec![COLUMNS.map(|name| name.replace('_', " "))];
    rows.extend(report.lines.iter().map(cells));
    let is_shown =
        |column: usize| rows.iter().skip(1).any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()));
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let columns: Vec<(usize, usize)> =
        (0..COLUMNS.len()).filter(|column| is_shown(*column)).map(|column| (column, width(column))).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, width) in &columns {
            let cell = row.get(*column).map_or("", String::as_str);
            let cell =
                if *column < NUMBERS { format!("{cell:width$}  ") } else { format!("{cell:>width$}  ") };
            line.push_str(&cell);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    let totals = &report.totals;
    out.push_str(&format!("\n{} to {}: {} counted", report.from, report.to, thousands(totals.count)));
    if let Some(currency) = &report.currency {
        out.push_str(&format!(", {} {currency} in its smallest unit", totals.amount));
        if totals.unpriced > 0 {
            out.push_str(&format!(", {} without a price", thousands(totals.unpriced)));
        }
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::usage::Totals;

    fn report() -> Report {
        let line = |verifier: &str, result: &'static str, count: u64, unpriced| Line {
            day: None,
            verifier: verifier.to_owned(),
            on_behalf_of: String::new(),
            issuer: "auth".to_owned(),
            method: "POST".into(),
            result: result.into(),
            count,
            amount: u128::from((count - unpriced) * 3),
            unpriced,
        };
        Report {
            from: "2026-11-01".to_owned(),
            to: "2026-11-30".to_owned(),
            currency: Some("JPY".to_owned()),
            lines: vec![line("a, \"b\"", "good", 1200, 0), line("bank", "try_later", 5, 5)],
            totals: Totals { count: 1205, amount: 3600, unpriced: 5 },
        }
    }

    #[test]
    fn a_table_leaves_out_what_is_empty_and_ends_with_the_totals() {
        assert_eq!(
            table(&report()),
            "verifier  issuer  method  result     count  amount  unpriced\n\
             a, \"b\"    auth    POST    good        1200    3600         0\n\
             bank      auth    POST    try_later      5       0         5\n\
             \n2026-11-01 to 2026-11-30: 1,205 counted, 3600 JPY in its smallest unit, 5 without a price\n"
        );
    }

    #[test]
    fn csv_is_read_back_by_whatever_reads_rfc_4180() {
        assert_eq!(
            csv(&report()),
            "day,verifier,on_behalf_of,issuer,method,result,count,amount,unpriced,currency\r\n\
             ,\"a, \"\"b\"\"\",,auth,POST,good,1200,3600,0,JPY\r\n\
             ,bank,,auth,POST,try_later,5,0,5,JPY\r\n"
        );
    }
}
