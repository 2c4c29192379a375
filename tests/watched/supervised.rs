//! As a service manager sees it: readiness, the watchdog, the end; and the log that it keeps.

use crate::support::{demo_copy, get, ocsprey, run, set_ports};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn systemd_is_told_of_the_beginning_of_life_and_of_the_end() {
    let dir = demo_copy("p256");
    let (port, admin_port) = set_ports(&dir.path().join("ocsprey.toml"));
    let manager = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let said = |expected: &str| {
        let mut buffer = [0; 256];
        loop {
            let length = manager.recv(&mut buffer).unwrap_or_else(|why| panic!("{expected}: {why}"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text == expected {
                return;
            }
            assert_eq!(text, "WATCHDOG=1", "while waiting for {expected}");
        }
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_ocsprey"));
    child.current_dir(dir.path()).args(["serve", "--log-format", "json", "--config", "ocsprey.toml"]);
    child.env("NOTIFY_SOCKET", dir.path().join("notify")).env("WATCHDOG_USEC", "200000");
    // systemd says so of the pipe to the journal, which takes the level from the front of a line (sd-daemon(3)).
    let log = File::create(dir.path().join("log")).unwrap();
    let file = log.metadata().unwrap();
    child.env("JOURNAL_STREAM", format!("{}:{}", file.dev(), file.ino()));
    child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut child = Ended(child.spawn().unwrap());

    said("READY=1");
    // From then on it listens.
    assert_eq!(get(&format!("http://127.0.0.1:{admin_port}/healthz")).status, 200);
    said("WATCHDOG=1");
    said("WATCHDOG=1");
    let url = format!("http://127.0.0.1:{port}");
    let query = ["query", "--issuer", "auth-ca.pem", "--cert", "auth-revoked.pem", &url];
    assert_eq!(ocsprey(dir.path(), &query).code, Some(3));
    fs::write(dir.path().join("crl/auth/rubbish.crl"), "no CRL").unwrap();
    let log = || fs::read_to_string(dir.path().join("log")).unwrap();
    crate::support::wait_until(log, || log().contains("rubbish.crl").then_some(()));
    run(Path::new("/"), "kill", &["-TERM".to_owned(), child.0.id().to_string()]);
    said("STOPPING=1");
    assert!(child.0.wait().unwrap().success());
    assert_lines_are_objects(&log());
}

/// One object a line, behind its level, each with what a log collector looks for; and nothing of who was asked about.
fn assert_lines_are_objects(log: &str) {
    let object = |line: &str| {
        let (level, object) = line.split_at(3);
        let object: serde_json::Value =
            serde_json::from_str(object).unwrap_or_else(|why| panic!("{why}: {line}"));
        let levels = [("ERROR", "<3>"), ("WARN", "<4>"), ("INFO", "<6>")];
        assert!(levels.contains(&(object["level"].as_str().unwrap(), level)), "{line}");
        object
    };
    let lines: Vec<serde_json::Value> = log.lines().map(object).collect();
    assert!(lines.len() >= 3, "{log}");
    for line in &lines {
        for key in ["timestamp", "level", "message"] {
            assert!(line[key].is_string(), "no {key}: {line}");
        }
    }
    let refused =
        lines.iter().find(|line| line["source"].as_str().is_some_and(|name| name.ends_with("rubbish.crl")));
    assert_eq!(refused.map(|line| &line["level"]), Some(&"ERROR".into()), "{log}");
}
