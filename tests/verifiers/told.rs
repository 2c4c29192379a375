//! What is told of those who are refused: on the status page, and in samples in the log. Who they are, never about whom
//! they asked nor from where.

use crate::client::Client;
use crate::day::{BANK, lab, shop};
use crate::support::{get, post, wait_until};
use serde_json::Value;

/// What a line of the log says, from its level on, and how many it counts.
fn line<'a>(log: &'a str, words: &[&str]) -> Option<(&'a str, u64)> {
    let found = log.lines().find(|line| words.iter().all(|word| line.contains(word)))?;
    let count = found.split("count=").nth(1)?.split_whitespace().next()?.parse().ok()?;
    Some((found, count))
}

#[test]
fn who_is_refused_is_sampled_in_the_log_and_stands_on_the_status_page() {
    let lab =
        lab(&format!("{BANK}{}", shop("suspended = true\nquota = { per_second = 50, per_day = 1000 }")));
    let request = lab.request("auth-good");
    let (mut bank, mut suspended) = (lab.connect("bank"), lab.connect("shop"));
    for _ in 0..20 {
        assert_eq!(suspended.ask(&request).ocsp_status(), 6);
    }
    for _ in 0..3 {
        assert_eq!(bank.ask(&request).ocsp_status(), 0);
        bank.ask(b"\x30\x00");
    }
    for _ in 0..5 {
        post(&lab.server.url, "application/ocsp-request", &request);
    }
    let stranger = Client::connect(lab.port, &lab.shown("stranger"), &[]);
    assert!(stranger.is_err() || stranger.unwrap().try_ask(&request, "").is_err());

    let page = get(&format!("{}/api/v1/status", lab.server.admin)).text();
    let status: Value = serde_json::from_str(&page).unwrap();
    let of = |id: &str| status["verifiers"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap();
    let (shop, bank) = (of("shop"), of("bank"));
    assert_eq!(shop["refusals"], serde_json::json!({ "suspended": 20 }), "{shop:#}");
    assert_eq!(
        (&shop["refused"], &shop["admitted"], &shop["per_second_now"]),
        (&20.into(), &0.into(), &50.into())
    );
    assert_eq!((&bank["refused"], &bank["admitted"], &bank["used_today"]), (&0.into(), &3.into(), &3.into()));
    assert_eq!(bank["ends"], "2045-01-01T00:00:00Z", "the registry names its certificate as a file");
    assert_eq!(
        (&status["refusals"]["suspended"], &status["refusals"]["unregistered"]),
        (&20.into(), &5.into())
    );
    // The end of the server's certificate, and of the first verifier that has one, for whoever renews them.
    for name in ["tls_certificate_not_after_timestamp_seconds ", "verifier_not_after_timestamp_seconds "] {
        assert_eq!(lab.metric(name), 2_366_841_600, "{name}");
    }
    assert_eq!(lab.metric("verifiers "), 2);
    assert!(lab.metric("store_free_bytes ") > 0);
    let html = get(&format!("{}/status?q=shop", lab.server.admin)).text();
    assert!(html.contains("20 <small>suspended</small>") && !html.contains("First Bank"), "{html}");

    // Each kind has one line within the first minute, however many came.
    let wanted: [&[&str]; 4] = [
        &["INFO", "requests of verifiers were refused", "cause=\"suspended\"", "verifier=\"shop\""],
        &["INFO", "requests of verifiers were refused", "cause=\"unregistered\""],
        &["INFO", "requests were told malformedRequest", "issuer=\"none\""],
        &["INFO", "TLS handshakes were refused", "reason=\"received fatal alert"],
    ];
    for words in wanted {
        let describe = || format!("no {words:?}: {}", lab.server.said());
        wait_until(describe, || line(&lab.server.said(), words).map(drop));
        let log = lab.server.said();
        let (told, count) = line(&log, words).unwrap();
        assert!((1..=20).contains(&count), "{told}");
        assert_eq!(
            log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count(),
            1,
            "{log}"
        );
        for secret in ["127.0.0.1", "serial"] {
            assert!(!told.contains(secret), "{told}");
        }
    }
    assert!(
        !lab.server.said().contains("told unauthorized"),
        "told once, by its cause: {}",
        lab.server.said()
    );
}
