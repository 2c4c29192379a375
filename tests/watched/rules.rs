//! What promtool says of the rules, of the example configuration, and of the metrics themselves.

use crate::names::deploy;
use crate::support::{Server, get};
use std::io::Write;
use std::process::{Command, Stdio};

/// Runs promtool beside the rules, with `input` on its standard input.
fn promtool(args: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(args).current_dir(deploy("prometheus")).stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|why| panic!("promtool: {why} (`make tools` installs what the tests need)"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let said = child.wait_with_output().unwrap();
    let text = [&said.stdout[..], &said.stderr].concat();
    assert!(said.status.success(), "promtool {args:?}: {}", String::from_utf8_lossy(&text));
}

#[test]
fn promtool_understands_the_rules_and_the_example() {
    promtool(&["check", "rules", "ocsprey.rules.yml"], "");
    promtool(&["check", "config", "prometheus.yml"], "");
}

#[test]
fn the_rules_fire_when_they_must_and_else_are_silent() {
    promtool(&["test", "rules", "ocsprey.tests.yml"], "");
}

/// promtool also judges the names and the help texts.
#[test]
fn promtool_finds_nothing_to_say_of_the_metrics() {
    let server = Server::demo("p256");
    promtool(&["check", "metrics"], &get(&format!("{}/metrics", server.admin)).text());
}
