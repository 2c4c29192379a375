//! The admin pages: contract, section 5.

use super::*;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

/// Passes on what it is given.
struct Intake(mpsc::SyncSender<Bytes>);

impl CrlIntake for Intake {
    fn submit(&self, crl: Bytes, submission: Submission) -> IntakeFuture {
        let result = match &crl[..] {
            b"how" => Ok(json!(format!("{submission:?}"))),
            b"bad" => Err(Refusal::Unacceptable("the signature is wrong".to_owned())),
            b"busy" => Err(Refusal::Unavailable("the disk is full".to_owned())),
            crl => Ok(json!({ "entries": crl.len() })),
        };
        self.0.send(crl).unwrap();
        Box::pin(async { result })
    }

    fn order(&self, order: Order) -> IntakeFuture {
        let result = match order {
            Order::Drop(order) if order.scope == "on hold" => {
                Err(Refusal::Unacceptable("2 certificates on hold would be released".to_owned()))
            }
            Order::Drop(order) => Ok(json!({ "dropped": order })),
            Order::RollBack(order) => Ok(json!({ "rolled back": order })),
        };
        Box::pin(async { result })
    }
}

fn admin(ready: Arc<AtomicBool>) -> (Server, mpsc::Receiver<Bytes>) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let (sender, received) = mpsc::sync_channel(16);
    let sources = AdminSources {
        backup: Arc::new(|name| match name {
            "full" => Err(Refusal::Unavailable("the disk is full".into())),
            "" => Err(Refusal::Unacceptable("no name".into())),
            name => Ok(json!({ "path": name })),
        }),
        usage: Arc::new(|question| match question.from.as_str() {
            "today" => Err(Refusal::Unacceptable("\"today\" is not a day".into())),
            _ => Ok(json!(format!("{question:?}"))),
        }),
        log: Arc::new(|filter| match filter {
            Some("loud") => Err("no level".into()),
            filter => Ok(filter.unwrap_or("info").into()),
        }),
        metrics: Arc::clone(&metrics),
        status: Arc::new(|| Status {
            issuers: vec![IssuerStatus { name: "a<b".to_owned(), ..IssuerStatus::default() }],
            ..Status::default()
        }),
        explain: Arc::new(|serial| match serial {
            "0a" => Ok(vec![]),
            _ => Err("this is no serial number".to_owned()),
        }),
        healthy: Arc::new(|| Ok(())),
        ready: Arc::new(move || {
            if ready.load(Ordering::SeqCst) {
                Ok(())
            } else {
                Err(vec!["issuer auth: no CRL".to_owned(), "issuer sign: signer expired".to_owned()])
            }
        }),
        intake: Some(Arc::new(Intake(sender))),
    };
    let service = AdminService::new(sources, Limits { body_octets: 1 << 20, ..Limits::admin() });
    (Server::run(metrics, move |listener, shutdown| serve_admin(listener, service, shutdown)), received)
}

fn crl(body: &[u8]) -> Vec<u8> {
    let head = format!("POST /api/v1/crls HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn json_of(reply: &Reply) -> Value {
    assert_eq!(reply.header("content-type"), Some("application/json"));
    serde_json::from_slice(&reply.body).unwrap()
}

#[test]
fn contract_5_pages_for_monitors_and_people() {
    let ready = Arc::new(AtomicBool::new(false));
    let (server, _) = admin(Arc::clone(&ready));
    let metrics = server.get("/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(metrics.text().contains("ocsp_requests_total{issuer=\"none\",result=\"good\"} 0\n"));
    assert_eq!(server.get("/healthz").status, 200);

    let unready = server.get("/readyz");
    assert_eq!(unready.status, 503);
    assert_eq!(unready.text(), "issuer auth: no CRL\nissuer sign: signer expired\n");
    ready.store(true, Ordering::SeqCst);
    assert_eq!(server.get("/readyz").status, 200);

    let page = server.get("/status");
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains("a&lt;b"));
    assert_eq!(json_of(&server.get("/api/v1/status"))["issuers"][0]["name"], "a<b");

    let moved = server.get("/");
    assert_eq!((moved.status, moved.header("location")), (307, Some("/status")));
    assert_eq!(server.get("/nothing").status, 404);
    assert_eq!(server.get("/api/v1/crls").header("allow"), Some("POST"));
    let put = server.ask("DELETE /status HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((put.status, put.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn contract_5_a_crl_as_body_is_taken_or_refused_with_the_reason() {
    let (server, received) = admin(Arc::default());
    let large = vec![7; 1 << 20];
    let taken = server.ask(crl(&large));
    assert_eq!((taken.status, json_of(&taken)), (200, json!({ "entries": 1 << 20 })));
    assert_eq!(received.recv().unwrap(), large);
    let mut client = server.connect();
    for (body, status, reason) in [
        (&b"bad"[..], 422, "the signature is wrong"),
        (b"busy", 503, "the disk is full"),
        (b"", 422, "the body is empty: send a CRL"),
    ] {
        client.send(crl(body));
        let reply = client.receive();
        assert_eq!((reply.status, json_of(&reply)), (status, json!({ "error": reason })));
    }
    let mut client = server.connect();
    client.send(
        "POST /api/v1/crls HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nbad\r\n0\r\n\r\n",
    );
    assert_eq!(client.receive().status, 422);
}

#[test]
fn a_crl_over_the_cap_is_413() {
    let (server, received) = admin(Arc::default());
    let reply = server.ask(crl(&vec![7; (1 << 20) + 1]));
    assert_eq!((reply.status, reply.header("connection")), (413, Some("close")));
    assert!(json_of(&reply)["error"].as_str().unwrap().contains("1048576 octets"));
    assert!(received.try_recv().is_err());
}

#[test]
fn a_crl_is_forced_or_rehearsed_as_the_query_says_and_a_word_unknown_does_neither() {
    let (server, received) = admin(Arc::default());
    for (query, expected) in [
        ("", "Guarded"),
        ("?", "Guarded"),
        ("?force=1", "Forced"),
        ("?force=0", "Guarded"),
        ("?dry_run=1", "Rehearsed"),
        ("?force=1&dry_run=1", "Rehearsed"),
        ("?dry_run=1&force=1", "Rehearsed"),
    ] {
        let head = format!("POST /api/v1/crls{query} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nhow");
        assert_eq!(json_of(&server.ask(head)), json!(expected), "{query}");
        received.recv().unwrap();
    }
    for query in ["?dry-run=1", "?force", "?force=yes", "?force=1&x"] {
        let head = format!("POST /api/v1/crls{query} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nhow");
        let reply = server.ask(head);
        assert_eq!((reply.status, reply.header("connection")), (400, Some("close")), "{query}");
        assert!(json_of(&reply)["error"].as_str().unwrap().contains("dry_run=1"));
    }
    assert!(received.try_recv().is_err());
}

#[test]
fn pages_for_people_run_no_script_but_their_own_and_the_traffic_stands_in_the_json() {
    let (server, _) = admin(Arc::default());
    let page = server.get("/status?q=x");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    let status = json_of(&server.get("/api/v1/status"));
    assert_eq!(status["traffic"]["seconds_each"], 5);
    assert!(status["traffic"]["samples"].is_array(), "{status}");
}

/// A serial number in an address would stand in the log of whatever stands before the admin pages.
#[test]
fn a_backup_has_a_name_and_reports_what_came_of_it() {
    let (server, _) = admin(Arc::new(AtomicBool::new(true)));
    let ask = |query: &str| {
        server
            .ask(format!("POST /api/v1/store/backup{query} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"))
    };
    let done = ask("?name=monday");
    assert_eq!((done.status, json_of(&done)), (200, json!({ "path": "monday" })));
    for (query, status) in [("", 422), ("?folder=x", 422), ("?name=full", 503)] {
        assert_eq!(ask(query).status, status, "{query}");
    }
    assert_eq!(server.get("/api/v1/store/backup").header("allow"), Some("POST"));
}

#[test]
fn the_filter_of_the_log_is_read_and_set() {
    let (server, _) = admin(Arc::new(AtomicBool::new(true)));
    let put = |filter: &str| {
        let length = filter.len();
        server.ask(format!("PUT /api/v1/log HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{filter}"))
    };
    assert_eq!(server.get("/api/v1/log").body, b"info\n");
    assert_eq!((put("debug").status, put("loud").status, put(&"x".repeat(2000)).status), (200, 422, 400));
    let post = server.ask("DELETE /api/v1/log HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD, PUT")));
}

#[test]
fn a_serial_number_is_explained_by_post_only() {
    let (server, _) = admin(Arc::default());
    let post = |form: &str| {
        let length = form.len();
        server.ask(format!(
            "POST /status/explain HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{form}"
        ))
    };
    let told = post("serial=0a");
    assert_eq!((told.status, told.header("cache-control")), (200, Some("no-store")));
    let refused = post("serial=x");
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("this is no serial number"));
    assert_eq!(post("number=0a").status, 422);
    assert_eq!(post(&"x".repeat(2_000)).status, 400);
    let get = server.get("/status/explain?serial=0a");
    assert_eq!((get.status, get.header("allow")), (405, Some("POST")));
}

#[test]
fn an_order_is_json_that_says_all_of_it_and_nothing_else() {
    let (server, _) = admin(Arc::default());
    let post_to = |page: &str, content_type: &str, body: &str| {
        let length = body.len();
        server.ask(format!(
            "POST /api/v1/crls/{page} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        ))
    };
    let post = |content_type: &str, body: &str| post_to("drop", content_type, body);
    let json = "application/json; charset=utf-8";
    let back = post_to("rollback", json, r#"{"issuer": "auth"}"#);
    assert_eq!((back.status, json_of(&back)), (200, json!({ "rolled back": { "issuer": "auth" } })));
    assert_eq!(post_to("rollback", json, r#"{"issuer": "auth", "scopes": "x"}"#).status, 400);
    let done = post(json, r#"{"issuer": "auth", "scope": "CN=Old, C=\u00e9"}"#);
    let order = json!({ "issuer": "auth", "scope": "CN=Old, C=é", "force": false });
    assert_eq!((done.status, json_of(&done)), (200, json!({ "dropped": order })));
    let refused = post(json, r#"{"issuer": "auth", "scope": "on hold"}"#);
    let why = json!({ "error": "2 certificates on hold would be released" });
    assert_eq!((refused.status, json_of(&refused)), (422, why));
    // A misspelt key must not order something else.
    for body in [
        "",
        "drop it",
        r#"{"issuer": "auth"}"#,
        r#"{"issuer": "auth", "scope": "x", "forced": true}"#,
        r#"{"issuer": "auth", "scope": "x", "force": "yes"}"#,
        &format!(r#"{{"issuer": "auth", "scope": "{}"}}"#, "x".repeat(1 << 14)),
    ] {
        let reply = post(json, body);
        assert_eq!((reply.status, reply.header("connection")), (400, Some("close")), "{body}");
        assert!(json_of(&reply)["error"].is_string());
    }
    // What a form on another site can send from an operator's browser without asking.
    for content_type in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonp"]
    {
        assert_eq!(post(content_type, r#"{"issuer": "auth", "scope": "x"}"#).status, 415, "{content_type}");
    }
    assert_eq!(server.get("/api/v1/crls/drop").header("allow"), Some("POST"));
}

#[test]
fn usage_is_reported_for_the_days_that_are_named_and_a_word_unknown_makes_no_bill() {
    let (server, _) = admin(Arc::default());
    let get = |query: &str| server.get(&format!("/api/v1/usage?{query}"));
    let told = get("from=2026-11-01&to=2026-11-30&verifier=bank%201&daily=1");
    let question = UsageQuestion {
        from: "2026-11-01".to_owned(),
        to: "2026-11-30".to_owned(),
        verifier: Some("bank 1".to_owned()),
        daily: true,
    };
    assert_eq!((told.status, json_of(&told)), (200, json!(format!("{question:?}"))));
    let refused = get("from=today&to=2026-11-30");
    assert_eq!((refused.status, json_of(&refused)), (422, json!({ "error": "\"today\" is not a day" })));
    for query in [
        "",
        "from=2026-11-01",
        "from=2026-11-01&to=2026-11-30&verifer=bank",
        "from=2026-11-01&to=2026-11-30&daily",
    ] {
        assert_eq!(get(query).status, 400, "{query}");
    }
    let post = server.ask("POST /api/v1/usage HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
}
