//! Requests and answers: traps 1 to 7, G1 to G22, G29, G31, G32.

use super::*;

#[test]
fn g1_a_post_is_answered() {
    let server = Server::ocsp();
    let reply = server.ask(post(&SHARED));
    assert_eq!((reply.status, &reply.body[..]), (200, &SHARED[..]));
    assert!(reply.is_ocsp());
    assert!(reply.header("date").unwrap().ends_with(" GMT"));
    assert_eq!(reply.header("last-modified"), Some("Fri, 15 Jan 2027 07:00:00 GMT"));
    assert_eq!(reply.header("expires"), Some("Sat, 16 Jan 2027 08:00:00 GMT"));
    assert_eq!(server.metrics.no_issuer.good.get(), 1);
    assert_eq!(server.metrics.request_duration.get_sample_count(), 1);
}

#[test]
fn trap_1_g2_to_g8_every_way_to_write_a_path_arrives_the_same() {
    let server = Server::ocsp();
    let der = [0x30, 0x0b, 0x02, 0x05, 0x03, 0xff, 0xfb, 0xef, 0xbe, 0xff, 0xff, 0xff, 0xff];
    let text = base64(&der);
    assert!(text.contains("//") && text.contains('+') && text.contains('='), "{text}");
    let upper = text.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
    let lower = upper.replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d");
    let every: String = text.bytes().map(|octet| format!("%{octet:02x}")).collect();
    let url = text.replace('+', "-").replace('/', "_");
    for text in [&text, &upper, &lower, &every, &url] {
        for path in
            [format!("/{text}"), format!("//{text}"), format!("/ocsp/{text}"), format!("/{text}?x=/y")]
        {
            let reply = server.get(&path);
            assert_eq!((reply.status, &reply.body[..]), (200, &der[..]), "{path}");
            assert!(reply.is_ocsp());
        }
    }
}

#[test]
fn g30_absolute_form_is_accepted() {
    let server = Server::ocsp();
    let path = base64(&SHARED);
    let reply = server.ask(format!("GET http://ocsp.example/{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    assert_eq!(reply.body, SHARED);
    assert_eq!(server.ask("GET http://ocsp.example/x HTTP/1.1\r\n\r\n").status, 400);
}

#[test]
fn trap_2_trap_5_g10_a_path_that_is_no_request_is_malformed_in_http_200() {
    let server = Server::ocsp();
    for path in ["/%ZZ", "/%", "/MAIA%", "/M%20AA", "/favicon.ico", "/MAIFAAA=", "/%25", "/====", "/%00%ff"] {
        let reply = server.get(path);
        assert_eq!((reply.status, &reply.body[..]), (200, MALFORMED), "{path}");
        assert!(reply.is_ocsp());
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert_eq!(reply.header("etag"), None);
    }
    assert_eq!(server.metrics.no_issuer.malformed_request.get(), 9);
    // hyper itself stands in the way of these, or hands them over: never an empty 200, never a 500.
    for path in ["/M A", "/\u{e9}", "/\"", "/<", "/\x01"] {
        let reply = server.get(path);
        assert!(reply.status == 400 || reply.body == MALFORMED, "{path:?} {reply:?}");
    }
}

#[test]
fn trap_3_g12_a_browser_sees_a_page_that_is_no_ocsp_answer() {
    let server = Server::ocsp();
    for path in ["/", "//", "/?a=b"] {
        let reply = server.get(path);
        assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(reply.text().contains("OCSP responder"));
    }
    assert_eq!(server.metrics.no_issuer.malformed_request.get(), 0);
}

#[test]
fn g13_long_paths_are_answered_up_to_8_kib_and_414_beyond() {
    let server = Server::ocsp();
    let der =
        |content: usize| [&[0x30, 0x82, (content >> 8) as u8, content as u8][..], &vec![7; content]].concat();
    let longest = der(6137); // 8,188 characters
    let path = format!("/{}", base64(&longest));
    assert!((8180..=8192).contains(&path.len()), "{}", path.len());
    assert_eq!(server.get(&path).body, longest);
    assert_eq!(server.get(&format!("{path}{}", "/".repeat(8193 - path.len()))).status, 414);
    assert_eq!(server.get(&format!("/{}", "A".repeat(65_000))).status, 414);
    assert_eq!(server.get(&format!("/{}", "A".repeat(65_536))).status, 414);
}

#[test]
fn trap_6_g14_g18_g19_get_head_and_304_carry_the_same_caching_headers() {
    let server = Server::ocsp();
    let path = format!("/{}", base64(&SHARED));
    let full = server.get(&path);
    let etag = full.header("etag").unwrap().to_owned();
    assert!(etag.len() == 66 && etag.starts_with('"') && etag.ends_with('"'), "{etag}");
    let control = full.header("cache-control").unwrap();
    let age: i64 = control.strip_prefix("max-age=").unwrap().split(',').next().unwrap().parse().unwrap();
    assert!((82_000..86_400).contains(&age), "{control}");
    assert!(control.ends_with(", public, no-transform, must-revalidate"), "{control}");
    assert_eq!(full.header("content-length"), Some("4"));

    let names = ["cache-control", "expires", "last-modified", "etag"];
    let mut client = server.connect();
    client.send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
    let head = client.head();
    assert_eq!((head.status, head.header("content-length")), (200, Some("4")));
    assert!(head.is_ocsp());
    // The same connection goes on, so no body came with HEAD; nor does one with 304.
    for condition in [
        format!("If-None-Match: \"x\", W/{etag}"),
        "If-None-Match: *".to_owned(),
        format!("If-Modified-Since: {}", full.header("last-modified").unwrap()),
    ] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n{condition}\r\n\r\n"));
        let unchanged = client.head();
        assert_eq!(unchanged.status, 304, "{condition}");
        assert_eq!(unchanged.header("content-length"), None);
        assert!(unchanged.header("date").is_some());
        for name in names {
            assert_eq!(unchanged.header(name), full.header(name), "{name}");
            assert_eq!(head.header(name), full.header(name), "{name}");
        }
    }
    client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\n\r\n"));
    assert_eq!(client.receive().body, SHARED);
}

#[test]
fn c12_an_answer_with_a_nonce_is_for_its_client_alone() {
    let server = Server::ocsp();
    for reply in [server.get(&format!("/{}", base64(&NONCE))), server.ask(post(&NONCE))] {
        assert_eq!((reply.status, &reply.body[..]), (200, &NONCE[..]));
        assert_eq!(reply.header("cache-control"), Some("private, max-age=0, must-revalidate"));
        assert_eq!((reply.header("etag"), reply.header("expires")), (None, None));
    }
}

#[test]
fn g20_other_methods_are_405_with_allow() {
    let server = Server::ocsp();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
        let reply =
            server.ask(format!("{method} /MAIFAA== HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!((reply.status, reply.header("allow")), (405, Some("GET, HEAD, POST")), "{method}");
        assert!(!reply.is_ocsp());
    }
}

#[test]
fn trap_4_g21_types_with_parameters_or_in_another_case_or_missing_are_taken_others_are_415() {
    let server = Server::ocsp();
    for headers in ["content-type: Application/OCSP-Request;charset=x\r\n", ""] {
        assert_eq!(server.ask(post_with(headers, &SHARED)).body, SHARED, "{headers}");
    }
    let reply = server.ask(post_with("Content-Type: text/plain\r\n", &SHARED));
    assert_eq!((reply.status, reply.is_ocsp()), (415, false));
}

#[test]
fn trap_4_g22_a_body_over_the_limit_is_413_and_unread_where_its_length_says_so() {
    let server = Server::ocsp();
    let most = [&[0x30, 0x82, 0x1f, 0xfc][..], &[7; 8188]].concat();
    assert_eq!(server.ask(post(&most)).body, most);

    // Only the head is sent: an answer proves that nobody waited for the body.
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nContent-Length: 8193\r\n\r\n");
    let reply = client.receive();
    assert_eq!((reply.status, reply.header("connection"), reply.is_ocsp()), (413, Some("close"), false));

    // A client that sends first and reads afterwards still gets to read it.
    let mut client = server.connect();
    client.send(post(&vec![0x30; 500_000]));
    assert_eq!(client.receive().status, 413);

    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..9 {
        client.send(format!("400\r\n{}\r\n", "0".repeat(1024)));
    }
    assert_eq!(client.receive().status, 413);
}

#[test]
fn trap_4_g23_an_empty_body_is_malformed_and_one_without_length_is_411() {
    let server = Server::ocsp();
    let reply = server.ask(post(b""));
    assert_eq!((reply.status, &reply.body[..]), (200, MALFORMED));
    assert_eq!(server.ask("POST / HTTP/1.1\r\nHost: a\r\n\r\n").status, 411);
    assert_eq!(server.ask("POST / HTTP/1.0\r\n\r\n").status, 411);
}

#[test]
fn trap_8_two_requests_in_one_body_arrive_as_they_are() {
    let server = Server::ocsp();
    assert_eq!(server.ask(post(&[SHARED, SHARED].concat())).body, MALFORMED);
}

#[test]
fn g24_chunked_bodies_work_without_a_length() {
    let server = Server::ocsp();
    let mut client = server.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nTransfer-Encoding: chunked\r\n\r\n");
    client.send(b"1\r\n\x30\r\n2;x=y\r\n\x02\x05\r\n1\r\n\x00\r\n0\r\nTrailer: x\r\n\r\n");
    assert_eq!(client.receive().body, SHARED);
    client.send(post(&SHARED));
    assert_eq!(client.receive().body, SHARED);
}

#[test]
fn g29_g31_accept_encoding_and_no_cache_change_nothing() {
    let server = Server::ocsp();
    let path = base64(&SHARED);
    let reply = server.ask(format!(
        "GET /{path} HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip, br\r\nCache-Control: no-cache\r\nPragma: no-cache\r\n\r\n"
    ));
    assert_eq!((reply.status, &reply.body[..], reply.header("content-encoding")), (200, &SHARED[..], None));
    assert_eq!(reply.header("pragma"), None);
}
