//! Rules and dashboards that name a metric which nobody makes are silent for ever: every name in
//! them is looked for in what a running ocsprey really says.

use crate::support::{Server, get};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

pub fn read(name: &str) -> String {
    let path = deploy(name);
    std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// Every PromQL expression of the dashboard, as Grafana would send it.
pub fn dashboard_expressions() -> Vec<String> {
    fn collect(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                if let Some(expression) = fields.get("expr").and_then(serde_json::Value::as_str) {
                    found.push(expression.replace("$__rate_interval", "1m").replace("$instance", ".*"));
                }
                fields.values().for_each(|field| collect(field, found));
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(&read("grafana/ocsprey.json")).unwrap(), &mut found);
    found
}

/// The expressions of the rules, and the names that they record. The file keeps `expr:` on one line or
/// folds it (`>-`) into lines that are indented further.
fn rules() -> (Vec<String>, BTreeSet<String>) {
    let text = read("prometheus/ocsprey.rules.yml");
    let (mut expressions, mut records) = (Vec::new(), BTreeSet::new());
    let mut lines = text.lines().peekable();
    let indent = |line: &str| line.len() - line.trim_start().len();
    while let Some(line) = lines.next() {
        if let Some(name) = line.trim().strip_prefix("- record: ") {
            records.insert(name.to_owned());
        }
        let Some(expression) = line.trim().strip_prefix("expr: ") else { continue };
        let mut whole = expression.trim_start_matches(">-").to_owned();
        while let Some(more) = lines.next_if(|next| indent(next) > indent(line)) {
            whole = format!("{whole} {}", more.trim());
        }
        expressions.push(whole);
    }
    (expressions, records)
}

/// The metric names in an expression: words with a `_` or `:` that no `(` follows, outside of braces,
/// brackets, strings and lists of labels.
fn names(expression: &str) -> BTreeSet<String> {
    let mut plain = String::new();
    let (mut depth, mut in_string) = (0, false);
    for character in expression.chars() {
        match character {
            '"' => in_string = !in_string,
            _ if in_string => {}
            '{' | '[' => depth += 1,
            '}' | ']' => depth -= 1,
            _ if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    for word in ["by", "without", "on", "ignoring"] {
        while let Some(start) = plain.find(&format!("{word} (")) {
            let end = plain[start..].find(')').unwrap() + start;
            plain.replace_range(start..=end, "");
        }
    }
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    let mut found = BTreeSet::new();
    let mut rest = plain.as_str();
    while let Some(start) = rest.find(is_of_name) {
        rest = &rest[start..];
        let end = rest.find(|character| !is_of_name(character)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.contains(['_', ':']) && !after.trim_start().starts_with('(') {
            found.insert(word.to_owned());
        }
        rest = after;
    }
    found
}

#[test]
fn names_are_found_in_expressions() {
    let of = |expression| names(expression).into_iter().collect::<Vec<_>>();
    let quantile = "histogram_quantile(0.99, sum by (le, is_label) (rate(a_bucket{b_c=\"d_e\"}[5m]))) > x:y";
    assert_eq!(of(quantile), ["a_bucket", "x:y"]);
    assert_eq!(of("max_over_time(crl_scopes[1d]) / (up_a + on (a_b) up_b)"), ["crl_scopes", "up_a", "up_b"]);
}

/// What it says on `/metrics`: names of samples and of families.
fn told(metrics: &str) -> BTreeSet<String> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned())).collect()
}

#[test]
fn every_metric_that_rules_and_dashboard_name_exists() {
    let server = Server::demo("p256");
    let metrics = get(&format!("{}/metrics", server.admin)).text();
    let (expressions, records) = rules();
    assert!(expressions.len() >= 25 && records.len() >= 10, "{expressions:?} {records:?}");
    let told = told(&metrics);
    let is_known = |name: &String| told.contains(name) || records.contains(name);
    let unknown: Vec<String> = expressions
        .iter()
        .chain(&dashboard_expressions())
        .flat_map(|expression| names(expression))
        .filter(|name| !is_known(name))
        .collect();
    assert_eq!(unknown, Vec::<String>::new(), "named in deploy/, and nobody says them: {told:#?}");
}

#[test]
fn each_panel_of_the_dashboard_has_a_place_of_its_own() {
    let board: serde_json::Value = serde_json::from_str(&read("grafana/ocsprey.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in panels {
        let place = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{}", panel["title"]);
        assert!(place("x") + place("w") <= 24, "{}", panel["title"]);
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{} lies over another", panel["title"]);
            }
        }
    }
}

#[test]
fn every_alert_has_a_runbook_in_the_manual() {
    let manual = read("README.md");
    let rules = read("prometheus/ocsprey.rules.yml");
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 15, "{alerts:?}");
    for alert in alerts {
        let anchor = format!("deploy/README.md#{}", alert.to_lowercase());
        assert!(rules.contains(&format!("runbook: \"{anchor}\"")), "{alert}: no runbook: \"{anchor}\"");
        assert!(manual.contains(&format!("\n#### {alert}\n")), "{alert}: no section of the manual");
    }
}
