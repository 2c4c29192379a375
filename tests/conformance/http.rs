//! HTTP (ledger G): ways to ask, headers, methods, versions.

use crate::lab::{Answer, Lab, MALFORMED, base64, holds, post, post_with};
use crate::octets::{nonce, request};
use crate::support::Page;

fn is_good(page: &Page, what: &str) {
    assert_eq!(Answer::read(page).statuses(), ["good"], "{what}");
}

fn max_age(page: &Page) -> i64 {
    let control = page.header("cache-control").unwrap();
    control.strip_prefix("max-age=").unwrap().split(',').next().unwrap().parse().unwrap()
}

fn seconds(date: &str) -> i64 {
    let time = httpdate::parse_http_date(date).unwrap();
    assert_eq!(httpdate::fmt_http_date(time), date, "IMF-fixdate");
    i64::try_from(time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A request of the good card whose base64 has `/`, `//` and `+` in it: the nonce may be anything.
fn awkward(lab: &Lab) -> Vec<u8> {
    let id = lab.cert_id("auth-good", "sha1");
    let asked = request(&[&id], &[nonce(&[[0xff; 16], [0xfb; 16]].concat())]);
    let text = base64(&asked);
    assert!(text.contains("//") && text.contains('+'), "{text}");
    asked
}

#[test]
fn g1_to_g9_t1_t2_every_way_to_write_a_request() {
    holds(&["G1", "G2", "G3", "G4", "G5", "G6", "G7", "G8", "G9", "D7", "T1", "T2"], |lab| {
        let asked = awkward(lab);
        is_good(&lab.post(&asked), "POST");
        let raw = base64(&asked);
        let upper = raw.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let lower = raw.replace('+', "%2b").replace('/', "%2f").replace('=', "%3d");
        let every = raw.bytes().map(|octet| format!("%{octet:02X}")).collect::<String>();
        let unpadded = raw.trim_end_matches('=').to_owned();
        let url = unpadded.replace('+', "-").replace('/', "_");
        for path in
            [&raw, &upper, &lower, &every, &unpadded, &url, &format!("/{raw}"), &format!("ocsp/{raw}")]
        {
            is_good(&lab.get(path), path);
        }
        // A `+` is no blank, and `//` no `/`.
        for broken in [raw.replace('+', "%20"), raw.replace("//", "/")] {
            assert_ne!(Answer::read(&lab.get(&broken)).status, 0, "{broken}");
        }
    });
}

#[test]
fn g10_g11_t5_paths_that_are_no_request() {
    holds(&["G10", "G11", "T5"], |lab| {
        let raw = base64(&lab.good());
        is_good(&lab.get(&format!("{raw}?x=/y")), "a query");
        is_good(&lab.get(&format!("{raw}/")), "a trailing slash");
        let twice = base64(&awkward(lab)).replace('+', "%252B").replace('/', "%252F");
        for path in
            ["%ZZ", "%", "MAIA%", "favicon.ico", "robots.txt", "====", "%00", "a/b/c", &twice, &raw[1..]]
        {
            let answer = Answer::read(&lab.get(path));
            assert_eq!((answer.status, answer.octets.len()), (MALFORMED, 5), "{path}");
        }
        for path in ["M A", "\u{e9}", "\x01"] {
            let page = lab.get(path);
            assert!(page.status == 400 || page.body == [0x30, 3, 10, 1, MALFORMED], "{path:?} {page:?}");
        }
    });
}

#[test]
fn g12_t3_a_browser_is_told_what_this_is() {
    holds(&["G12", "T3"], |lab| {
        let page = lab.get("");
        assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
        assert!(page.text().contains("OCSP"), "{page:?}");
        is_good(&lab.post(&lab.good()), "it lives");
    });
}

#[test]
fn g14_to_g18_t6_caching_headers_to_the_second_and_to_the_octet() {
    holds(&["G14", "G15", "G16", "G17", "G18", "G19", "T6", "T7"], |lab| {
        let path = base64(&lab.good());
        let full = lab.get(&path);
        let answer = Answer::read(&full);
        let single = answer.single();
        let since = |time: &x509_ocsp::OcspGeneralizedTime| {
            i64::try_from(time.0.to_unix_duration().as_secs()).unwrap()
        };
        let header = |name: &str| full.header(name).unwrap_or_else(|| panic!("no {name}: {full:?}"));
        let next_update = since(single.next_update.as_ref().unwrap());
        assert_eq!(seconds(header("expires")), next_update);
        assert_eq!(seconds(header("last-modified")), since(&single.this_update));
        let (date, age) = (seconds(header("date")), max_age(&full));
        // Less than what is left, and an hour of jitter at the most.
        assert!((next_update - date - 3700..next_update - date + 1).contains(&age), "{full:?}");
        assert_eq!(header("cache-control"), format!("max-age={age}, public, no-transform, must-revalidate"));
        assert_eq!(header("content-length"), full.body.len().to_string());
        assert_eq!(full.header("pragma"), None);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("body"), &full.body).unwrap();
        let digest = crate::support::run(folder.path(), "openssl", &["dgst", "-sha256", "-r", "body"]).out;
        assert_eq!(header("etag"), format!("\"{}\"", &digest[..64]));

        // HEAD says the same of an answer of its own moment; a condition that is met gets 304.
        let mut connection = lab.connect();
        connection.send(format!("HEAD /{path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let head = connection.head();
        assert_eq!((head.status, head.header("content-type")), (200, Some("application/ocsp-response")));
        assert_eq!((head.header("expires"), head.body.len()), (full.header("expires"), 0));
        connection.send(format!(
            "GET /{path} HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: {}\r\n\r\n",
            header("last-modified")
        ));
        let unchanged = connection.head();
        assert_eq!(unchanged.status, 304);
        for name in ["expires", "last-modified"] {
            assert_eq!(unchanged.header(name), full.header(name));
        }
        assert!(unchanged.header("etag").is_some() && unchanged.header("cache-control").is_some());
        for condition in ["If-None-Match: *".to_owned(), format!("If-None-Match: \"x\", {}", header("etag"))]
        {
            connection.send(format!("GET /{path} HTTP/1.1\r\nHost: a\r\n{condition}\r\n\r\n"));
            // Where the answer is signed anew for each request, its ETag is new as well.
            let page = connection.receive();
            assert!(page.status == 304 || condition != "If-None-Match: *" && page.status == 200, "{page:?}");
        }
        connection.send(format!("GET /{path} HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\n\r\n"));
        is_good(&connection.receive(), "a condition that is not met");
    });
}

#[test]
fn c12_e6_g16_what_is_for_one_client_or_one_moment_is_not_shared() {
    holds(&["C12", "E6", "G16"], |lab| {
        let id = lab.cert_id("auth-good", "sha1");
        let unknown = lab.cert_id("auth-unissued", "sha1");
        for asked in [request(&[&id], &[nonce(&[3; 32])]), request(&[&unknown], &[])] {
            for page in [lab.post(&asked), lab.get(&base64(&asked))] {
                assert_eq!(Answer::read(&page).status, 0);
                let control = page.header("cache-control").unwrap();
                // RFC 9919 7.2: no-store and no-cache never stand on an authoritative answer.
                assert!(control.contains("private") && control.contains("max-age=0"), "{control}");
                assert!(!control.contains("no-"), "{control}");
                assert_eq!((page.header("etag"), page.header("expires")), (None, None));
            }
        }
        for page in [lab.get("%ZZ"), lab.post(b"no")] {
            assert_eq!(page.header("cache-control"), Some("no-store"));
            assert_eq!((page.header("etag"), page.header("last-modified")), (None, None));
        }
    });
}

#[test]
fn g20_g21_g32_methods_and_types() {
    holds(&["G20", "G21", "G32"], |lab| {
        for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let page = lab.ask_raw(format!("{method} / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
            assert_eq!((page.status, page.header("allow")), (405, Some("GET, HEAD, POST")), "{method}");
            assert_ne!(page.header("content-type"), Some("application/ocsp-response"));
        }
        let asked = lab.good();
        for types in ["Content-Type: Application/OCSP-Request; charset=binary\r\n", ""] {
            is_good(&lab.ask_raw(post_with(types, &asked)), types);
        }
        let page = lab.ask_raw(post_with("Content-Type: application/json\r\n", &asked));
        assert_eq!(page.status, 415);
        assert_ne!(page.header("content-type"), Some("application/ocsp-response"));
    });
}

#[test]
fn g24_g25_g29_g31_chunks_expectations_and_wishes() {
    holds(&["G24", "G25", "G29", "G31"], |lab| {
        let asked = lab.good();
        let (first, second) = asked.split_at(7);
        let chunk = |octets: &[u8]| [format!("{:x}\r\n", octets.len()).as_bytes(), octets, b"\r\n"].concat();
        let mut connection = lab.connect();
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nTransfer-Encoding: chunked\r\n\r\n");
        connection.send([chunk(first), chunk(second), b"0\r\n\r\n".to_vec()].concat());
        is_good(&connection.receive(), "chunked");

        connection.send(format!(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
            asked.len()
        ));
        assert_eq!(connection.head().status, 100);
        connection.send(&asked);
        is_good(&connection.receive(), "100-continue");
        let tea = lab.ask_raw("GET /x HTTP/1.1\r\nHost: a\r\nExpect: tea\r\n\r\n");
        assert_eq!(tea.status, 417);

        let wishes = "Accept-Encoding: gzip, br\r\nCache-Control: no-cache\r\nPragma: no-cache\r\nAccept: text/html\r\n";
        let page = lab.ask_raw(format!("GET /{} HTTP/1.1\r\nHost: a\r\n{wishes}\r\n", base64(&asked)));
        is_good(&page, "wishes");
        assert_eq!((page.header("content-encoding"), page.header("pragma")), (None, None));
    });
}

#[test]
fn g26_g27_g30_versions_hosts_and_pipelines() {
    holds(&["G26", "G27", "G30"], |lab| {
        let asked = lab.good();
        let path = base64(&asked);
        for host in ["", "Host: a\r\n"] {
            let mut connection = lab.connect();
            connection.send(format!("GET /{path} HTTP/1.0\r\n{host}\r\n"));
            is_good(&connection.receive(), "HTTP/1.0");
            assert!(connection.is_closed());
            connection = lab.connect();
            for _ in 0..2 {
                connection.send(format!("GET /{path} HTTP/1.0\r\n{host}Connection: keep-alive\r\n\r\n"));
                is_good(&connection.receive(), "HTTP/1.0 that stays");
            }
        }
        let get = format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n").into_bytes();
        let mut connection = lab.connect();
        connection.send([get.clone(), post(b"no"), get.clone(), post(&asked)].concat());
        let statuses: Vec<u8> = (0..4).map(|_| Answer::read(&connection.receive()).status).collect();
        assert_eq!(statuses, [0, MALFORMED, 0, 0]);

        assert_eq!(lab.ask_raw("GET / HTTP/1.1\r\n\r\n").status, 400, "no Host");
        assert_eq!(lab.ask_raw("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 400, "two Hosts");
        is_good(
            &lab.ask_raw(format!("GET http://ocsp.example/{path} HTTP/1.1\r\nHost: a\r\n\r\n")),
            "absolute",
        );
        for other in
            [&b"PRI * HTTP/2.0\r\n\r\nSN\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abc"]
        {
            let mut connection = lab.connect();
            connection.send(other);
            let said = connection.drain();
            assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 4"), "{said:?}");
        }
        // HTTP/2: a DATA frame of no request is an error of the connection, told in a GOAWAY.
        let mut connection = lab.connect();
        connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let said = connection.drain();
        let (mut kinds, mut rest) = (Vec::new(), &said[..]);
        while let [_, high, low, kind, ..] = *rest {
            kinds.push(kind);
            rest = &rest[9 + usize::from(high) * 256 + usize::from(low)..];
        }
        assert_eq!((kinds.first(), kinds.last()), (Some(&4), Some(&7)), "SETTINGS, GOAWAY: {said:?}");
    });
}
