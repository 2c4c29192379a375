//! HTTP (ledger G, trap 4): limits, smuggling shapes, clients that are slow or gone.

use crate::lab::{Answer, base64, holds, post};
use std::time::{Duration, Instant};

#[test]
fn g13_long_paths_up_to_the_limit_and_414_beyond() {
    holds(&["G13"], |lab| {
        let asked = lab.good();
        // Slashes in front are the padding of a path; over 255 octets, as RFC 6960 has clients use POST for.
        for length in [256, 4000, 8000] {
            let path = format!("{}{}", "/".repeat(length), base64(&asked));
            let page = lab.get(&path[..path.len().min(8100)]);
            assert_eq!(page.status, 200, "{length}");
        }
        for length in [8193, 65_536] {
            assert_eq!(lab.get(&"A".repeat(length)).status, 414, "{length}");
        }
    });
}

#[test]
fn g22_t4_a_body_over_the_limit_is_refused_before_it_is_read() {
    holds(&["G22", "T4"], |lab| {
        let mut connection = lab.connect();
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
        assert_eq!(connection.receive().status, 413, "from its length alone");
        let mut connection = lab.connect();
        connection.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..9 {
            connection.send(format!("400\r\n{}\r\n", "0".repeat(1024)));
        }
        assert_eq!(connection.receive().status, 413, "in chunks");
        let empty = Answer::read(&lab.post(b""));
        assert_eq!(empty.status, 1, "an empty body is malformed, and no hang");
    });
}

#[test]
fn g23_lengths_that_smuggle_or_lie() {
    holds(&["G23"], |lab| {
        assert_eq!(lab.ask_raw("POST / HTTP/1.1\r\nHost: a\r\n\r\n").status, 411);
        for lengths in [
            "Content-Length: -1",
            "Content-Length: 0x10",
            "Content-Length: 4, 5",
            "Content-Length: 4\r\nContent-Length: 5",
            "Transfer-Encoding: gzip",
            "Transfer-Encoding: chunked, gzip",
            "Content-Length : 4",
        ] {
            let mut connection = lab.connect();
            connection.send(format!("POST / HTTP/1.1\r\nHost: a\r\n{lengths}\r\n\r\n"));
            assert_eq!(connection.receive().status, 400, "{lengths}");
            assert!(connection.is_closed(), "{lengths}");
        }
        // A length and chunks at once: whatever counts, nothing that follows is taken for a request.
        let mut connection = lab.connect();
        connection
            .send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n");
        connection.send("0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
        let said = String::from_utf8_lossy(&connection.drain()).into_owned();
        assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    });
}

#[test]
fn g28_heads_that_are_too_large_and_clients_that_are_too_slow() {
    holds(&["G28"], |lab| {
        let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(100_000));
        assert_eq!(lab.ask_raw(long).status, 431);
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(1000));
        assert_eq!(lab.ask_raw(many).status, 431);
        // One octet a while, for ever: the head is not waited for for ever.
        let mut connection = lab.connect();
        connection.stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        connection.send("GET / HTTP/1.1\r\nX: ");
        let start = Instant::now();
        loop {
            let mut octet = [0];
            if matches!(std::io::Read::read(&mut connection.stream, &mut octet), Ok(0)) {
                break;
            }
            connection.send("x");
            assert!(start.elapsed() < Duration::from_secs(60), "still open after a minute");
        }
        assert_eq!(Answer::read(&lab.ask_raw(post(&lab.good()))).statuses(), ["good"]);
    });
}
