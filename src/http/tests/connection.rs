//! Connections: trap 4, G23 to G30.

use super::*;
use std::net::Shutdown as Half;

/// Short enough to wait for, long enough for a busy machine to answer in.
fn impatient() -> Limits {
    Limits { stall: Duration::from_millis(250), idle: Duration::from_millis(500), ..Limits::default() }
}

#[test]
fn g23_bad_and_conflicting_lengths_are_400_or_the_end() {
    let server = Server::ocsp();
    for lengths in [
        "Content-Length: -1",
        "Content-Length: x",
        "Content-Length: 4\r\nContent-Length: 5",
        "Content-Length: 99999999999999999999999",
        "Transfer-Encoding: gzip",
    ] {
        let mut client = server.connect();
        client.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{lengths}\r\n\r\n"));
        assert_eq!(client.receive().status, 400, "{lengths}");
        assert!(client.is_closed(), "{lengths}");
    }
    // Length and chunks at once: the chunks count, and the connection ends, so nothing can be smuggled.
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(b"4\r\n\x30\x02\x05\x00\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.receive().body, SHARED);
    assert!(client.is_closed());
}

#[test]
fn g25_100_continue_is_given_and_other_expectations_are_417() {
    let server = Server::ocsp();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.head().status, 100);
    client.send(SHARED);
    assert_eq!(client.receive().body, SHARED);
    // Refused before it is sent: no 100.
    client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9000\r\n\r\n");
    assert_eq!(client.receive().status, 413);
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n").status, 417);
}

#[test]
fn g26_http_1_0_works_with_and_without_host_as_openssl_and_gnutls_speak_it() {
    let server = Server::ocsp();
    for host in ["", "Host: a\r\n"] {
        let mut client = server.connect();
        client.send(format!(
            "POST / HTTP/1.0\r\n{host}Content-Type: application/ocsp-request\r\nContent-Length: 4\r\n\r\n"
        ));
        client.send(SHARED);
        let reply = client.receive();
        assert!(reply.head.starts_with("HTTP/1.0 200 OK\r\n"), "{}", reply.head);
        assert_eq!(reply.body, SHARED);
        assert!(client.is_closed());
    }
    let mut client = server.connect();
    for _ in 0..2 {
        client.send(format!("GET /{} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", base64(&SHARED)));
        let reply = client.receive();
        assert_eq!((&reply.body[..], reply.header("connection")), (&SHARED[..], Some("keep-alive")));
    }
}

#[test]
fn g27_pipelined_requests_are_answered_in_order_errors_in_between() {
    let server = Server::ocsp();
    let path = base64(&SHARED);
    let get = format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
    let bad = b"GET /%ZZ HTTP/1.1\r\nHost: a\r\n\r\n".to_vec();
    let mut client = server.connect();
    client.send([get.clone(), bad, post(&NONCE), post(b""), get].concat());
    let bodies: Vec<Vec<u8>> = (0..5).map(|_| client.receive().body).collect();
    assert_eq!(bodies, [&SHARED[..], MALFORMED, &NONCE, MALFORMED, &SHARED]);
}

#[test]
fn g28_oversized_heads_are_431_and_the_client_gets_to_read_it() {
    let server = Server::ocsp();
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(server.ask(long).status, 431);
    let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(1000));
    assert_eq!(server.ask(many).status, 431);
}

#[test]
fn trap_4_g28_what_stalls_ends_and_what_is_answered_may_rest_for_the_idle_time() {
    let server = Server::ocsp_with(impatient());
    let path = base64(&SHARED);
    let mut silent = server.connect();
    let mut slow_head = server.connect();
    slow_head.send("GET / HTTP/1.1\r\nHo");
    let mut slow_body = server.connect();
    slow_body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\x30");
    let mut idle = server.connect();
    idle.send(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(idle.receive().body, SHARED);
    for client in [&mut silent, &mut slow_head, &mut idle] {
        assert!(client.is_closed());
    }
    // Whether it is told 400 or nothing, the connection ends.
    while slow_body.more() {}
    assert_eq!(server.ask(post(&SHARED)).body, SHARED);
}

#[test]
fn g28_a_trickle_does_not_keep_a_head_alive() {
    let server = Server::ocsp_with(impatient());
    let mut client = server.connect();
    client.stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    client.send("GET / HTTP/1.1\r\nX: ");
    let ended = (0..1000).any(|_| {
        let mut octet = [0];
        // The pace of the trickle is the time that reading waits.
        matches!(client.stream.read(&mut octet), Ok(0)) || client.stream.write_all(b"x").is_err()
    });
    assert!(ended);
}

#[test]
fn trap_4_clients_that_vanish_leave_nothing_behind() {
    let server = Server::ocsp();
    for octets in
        ["", "GET /MAI", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n0", "\x16\x03\x01"]
    {
        for _ in 0..20 {
            let mut client = server.connect();
            client.send(octets);
        }
    }
    while server.metrics.connections_open.get() > 0 {
        assert_eq!(server.ask(post(&SHARED)).body, SHARED);
    }
}

#[test]
fn a_client_that_closes_its_half_still_gets_its_answer() {
    let server = Server::ocsp();
    let mut client = server.connect();
    client.send(post(&SHARED));
    client.stream.shutdown(Half::Write).unwrap();
    assert_eq!(client.receive().body, SHARED);
    assert!(client.is_closed());
}

#[test]
fn a_client_that_never_reads_does_not_stay() {
    let server = Server::ocsp_with(impatient());
    let mut client = server.connect();
    client.stream.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = post(&[&[0x30, 0x82, 0x1f, 0xfc][..], &[7; 8188]].concat());
    // Sockets hold some megabytes; then writing fails because the server has had enough.
    assert!((0..100_000).any(|_| client.stream.write_all(&request).is_err()));
    while server.metrics.connections_open.get() > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn g30_http_1_1_has_exactly_one_host_and_other_protocols_are_shown_out() {
    let server = Server::ocsp();
    assert_eq!(server.ask("GET / HTTP/1.1\r\n\r\n").status, 400);
    assert_eq!(server.ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 400);
    for octets in [
        &b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh",
        b"\0\0\0\0",
    ] {
        let mut client = server.connect();
        client.send(octets);
        while client.more() {}
        let answer = String::from_utf8_lossy(&client.received);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}

#[test]
fn a_full_house_waits_and_idle_connections_make_room() {
    let limits = Limits { connections: 4, idle: Duration::from_secs(3600), ..impatient() };
    let server = Server::ocsp_with(limits);
    let path = base64(&SHARED);
    let mut idle: Vec<Client> = (0..4).map(|_| server.connect()).collect();
    for client in &mut idle {
        client.send(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        assert_eq!(client.receive().body, SHARED);
    }
    assert_eq!(server.metrics.connections_open.get(), 4);
    assert_eq!(server.ask(post(&SHARED)).body, SHARED);
}

#[test]
fn shutdown_answers_what_is_in_flight_closes_what_is_idle_and_then_ends() {
    let server = Server::ocsp();
    let path = base64(&SHARED);
    let mut idle = server.connect();
    idle.send(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(idle.receive().body, SHARED);
    let mut busy = server.connect();
    busy.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(busy.head().status, 100);

    server.shutdown.ask();
    assert!(idle.is_closed());
    busy.send(SHARED);
    assert_eq!(busy.receive().body, SHARED);
    assert!(busy.is_closed());
    drop((idle, busy));
    server.join();
}

#[test]
fn shutdown_does_not_wait_longer_than_the_drain_time() {
    let server = Server::ocsp_with(Limits { drain: Duration::from_millis(50), ..Limits::default() });
    let mut stuck = server.connect();
    stuck.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(stuck.head().status, 100);
    server.shutdown.ask();
    server.join();
}

#[test]
fn workers_share_one_address() {
    let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = first.local_addr().unwrap();
    listen(address).unwrap();
    // Somebody who does not share keeps it for himself, and the error says where.
    let alone = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = alone.local_addr().unwrap();
    let error = listen(taken).unwrap_err().to_string();
    assert!(error.starts_with(&format!("cannot listen on {taken}: ")), "{error}");
}
