//! A real Prometheus scrapes a running ocsprey, and its query API gives back what was served.

use crate::names::{dashboard_expressions, read};
use crate::support::{Page, Server, free_port, ocsprey, post, try_get, wait_until};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A Prometheus of its own that scrapes one ocsprey, until it is dropped.
struct Prometheus {
    child: Child,
    dir: TempDir,
    url: String,
}

impl Prometheus {
    /// With the example configuration of `deploy/`, less patient, and pointed at `admin`.
    fn start(admin: &str) -> Self {
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let example = read("prometheus/prometheus.yml");
        let target = admin.strip_prefix("http://").unwrap();
        let configuration =
            example.replace("interval: 15s", "interval: 1s").replace("127.0.0.1:9090", target);
        assert!(configuration.contains("scrape_interval: 1s") && configuration.contains(target));
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        write("prometheus.yml", &configuration);
        write("ocsprey.rules.yml", &read("prometheus/ocsprey.rules.yml"));
        let address = format!("127.0.0.1:{}", free_port());
        let log = File::create(dir.path().join("log")).unwrap();
        let child = Command::new("prometheus")
            .current_dir(dir.path())
            .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn"])
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stderr(log)
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|why| panic!("prometheus: {why} (`make tools` installs what the tests need)"));
        let prometheus = Self { child, dir, url: format!("http://{address}") };
        let is_ready =
            || try_get(&format!("{}/-/ready", prometheus.url)).is_ok_and(|page| page.status == 200);
        wait_until(|| prometheus.log(), || is_ready().then_some(()));
        prometheus
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    fn api(&self, path: &str) -> Value {
        let page: Page = try_get(&format!("{}/api/v1/{path}", self.url)).unwrap();
        let answer: Value = serde_json::from_slice(&page.body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// The samples of an instant query: their label `by`, and their value.
    fn query(&self, expression: &str, by: &str) -> BTreeMap<String, f64> {
        let mut encoded = String::new();
        for octet in expression.bytes() {
            write!(encoded, "%{octet:02X}").unwrap();
        }
        let data = self.api(&format!("query?query={encoded}"));
        let samples = data["result"].as_array().unwrap().iter();
        samples
            .map(|sample| {
                let label = sample["metric"][by].as_str().unwrap_or_default().to_owned();
                (label, sample["value"][1].as_str().unwrap().parse().unwrap())
            })
            .collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Three good answers, two revoked ones, one unknown, and two requests that are none.
fn ask(server: &Server) {
    for (card, code) in [("good", 0), ("good", 0), ("good", 0), ("revoked", 3), ("hold", 3), ("unissued", 4)]
    {
        let card = format!("auth-{card}.pem");
        let said = ocsprey(server.dir(), &["query", "--issuer", "auth-ca.pem", "--cert", &card, &server.url]);
        assert_eq!(said.code, Some(code), "{card}: {said:#?}");
    }
    for _ in 0..2 {
        assert_eq!(post(&server.url, "application/ocsp-request", b"hello").status, 200);
    }
}

#[test]
fn a_real_prometheus_gives_back_what_was_served() {
    let server = Server::demo("p256");
    let prometheus = Prometheus::start(&server.admin);
    // Scraped once before anything is asked: a rate needs a beginning.
    wait_until(
        || prometheus.log(),
        || prometheus.query("ocsp_ready", "job").get("ocsprey").filter(|ready| **ready > 0.5).copied(),
    );
    ask(&server);
    let expected: BTreeMap<String, f64> =
        [("good", 3.0), ("malformed_request", 2.0), ("revoked", 2.0), ("unknown", 1.0)]
            .map(|(result, count)| (result.to_owned(), count))
            .into();
    let served = || prometheus.query("sum by (result) (ocsp_requests_total) > 0", "result");
    wait_until(|| format!("{:?}\n{}", served(), prometheus.log()), || (served() == expected).then_some(()));

    let value = |expression: &str| prometheus.query(expression, "issuer");
    let of_issuer = |issuer: &str, number: f64| (issuer.to_owned(), number);
    assert_eq!(
        value("ocsp_requests_total{result=\"malformed_request\"} > 0"),
        [of_issuer("none", 2.0)].into()
    );
    assert_eq!(value("sum(ocsp_request_duration_seconds_count)"), [of_issuer("", 8.0)].into());
    assert_eq!(value("sum(ocsp_request_duration_seconds_bucket{le=\"1\"})"), [of_issuer("", 8.0)].into());
    let scopes = value("crl_scopes");
    assert!(scopes.len() == 2 && scopes.values().all(|scopes| *scopes > 1.0), "{scopes:?}");

    // The rules are loaded, and each was evaluated without an error; nothing but the young demo is odd.
    let evaluated = || {
        let rules = prometheus.api("rules");
        let groups = rules["groups"].as_array().unwrap().clone();
        let all = groups.iter().flat_map(|group| group["rules"].as_array().unwrap().clone());
        all.map(|rule| (rule["name"].as_str().unwrap().to_owned(), rule)).collect::<BTreeMap<_, _>>()
    };
    let is_healthy = |rule: &Value| rule["health"] == "ok" && rule["state"] != "firing";
    wait_until(|| format!("{:#?}", evaluated()), || evaluated().values().all(is_healthy).then_some(()));
    assert!(evaluated().len() >= 25, "{:?}", evaluated().keys());

    // What the dashboard asks is understood, and most of it has an answer already. What begins with a condition says
    // nothing of what the demo does not have: verifiers, TLS, records.
    let expressions = dashboard_expressions();
    assert!(expressions.len() >= 40, "{expressions:#?}");
    let (conditional, expressions): (Vec<_>, Vec<_>) =
        expressions.into_iter().partition(|expression| expression.contains("> 0"));
    for expression in &conditional {
        prometheus.query(expression, "instance");
    }
    let silent = || {
        let is_silent = |expression: &&String| prometheus.query(expression, "instance").is_empty();
        expressions.iter().filter(is_silent).cloned().collect::<Vec<_>>()
    };
    let most_answer = || (silent().len() * 10 <= expressions.len()).then_some(());
    wait_until(|| format!("no answer to {:#?}", silent()), most_answer);
}
