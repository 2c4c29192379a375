//! `[telemetry]`: where traces go.

use super::{ISSUER, parse, problems_above};

#[test]
fn without_its_section_no_traces_are_exported_and_with_it_they_go_where_it_says() {
    assert_eq!(parse(ISSUER).unwrap().telemetry, None);
    for url in [
        "http://127.0.0.1:4318/v1/traces",
        "https://collector.example/v1/traces",
        "HTTP://[::1]:4318/v1/traces",
        "http://collector/",
    ] {
        let config = parse(&format!("[telemetry]\ntraces = \"{url}\"\n{ISSUER}")).unwrap();
        assert_eq!(config.telemetry.unwrap().traces, url);
    }
}

#[test]
fn what_is_wrong_with_it_is_told_with_its_line() {
    let told = |line: &str| problems_above(&format!("[telemetry]\n{line}\n"));
    for (line, expected) in [
        (
            "",
            "line 1, telemetry.traces: is missing (write it like traces = \"http://127.0.0.1:4318/v1/traces\")",
        ),
        ("traces = \"\"", "line 2, telemetry.traces: is empty"),
        ("traces = 4318", "line 2, telemetry.traces: expected text, found a whole number"),
        (
            "traces = \"127.0.0.1:4318\"",
            "line 2, telemetry.traces: \"127.0.0.1:4318\" is not a URL (write it like",
        ),
        (
            "traces = \"grpc://a:4317/\"",
            "line 2, telemetry.traces: traces are not sent over grpc: (use http://",
        ),
        ("traces = \"file:///v1/traces\"", "line 2, telemetry.traces: traces are not sent over file:"),
        ("traces = \"http:///v1/traces\"", "line 2, telemetry.traces: \"http:///v1/traces\" is not a URL"),
        ("traces = \"http://a b/v1\"", "line 2, telemetry.traces: \"http://a b/v1\" is not a URL"),
        ("traces = \"http://a:99999/v1\"", "line 2, telemetry.traces: \"http://a:99999/v1\" is not a URL"),
        (
            "traces = \"http://a:4318\"",
            "line 2, telemetry.traces: names no path (collectors have one for traces",
        ),
        (
            "traces = \"http://u:hush@a/v1\"",
            "line 2, telemetry.traces: is more than a host, a port and a path",
        ),
        ("traces = \"http://a/v1?key=hush\"", "line 2, telemetry.traces: is more than a host"),
    ] {
        let told = told(line);
        assert!(told.len() == 1 && told[0].starts_with(expected), "{line}: {told:?}");
        assert!(!told[0].contains("hush"), "a secret is not repeated: {told:?}");
    }
    let told = told("traces = \"http://a/v1\"\ntrace = 1");
    assert_eq!(told, ["line 3, telemetry.trace: unknown key (did you mean traces?)"]);
    let lost = problems_above("[server]\ntraces = \"http://a/v1\"\n");
    assert_eq!(lost, ["line 2, server.traces: unknown key (it belongs in [telemetry])"]);
}
