//! HTTP/2 with prior knowledge, in frames by hand (RFC 9113 6, RFC 7541 appendix A).

use super::*;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:method GET`, `:method POST` and `:status 200` of the static table.
const GET: &[u8] = &[0x82];
const POST: &[u8] = &[0x83];
const OK: u8 = 0x88;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The fields of a request for `path` at host `a`.
fn fields(method: &[u8], path: &str) -> Vec<u8> {
    let length = [u8::try_from(path.len()).unwrap()];
    [method, &[0x86, 0x04], &length, path.as_bytes(), &[0x01, 1, b'a']].concat()
}

struct Frame {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

impl Client {
    /// `None`: the server has closed.
    fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((head, rest)) = self.received.split_first_chunk::<9>() {
                let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
                if let Some(payload) = rest.get(..length) {
                    let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
                    let frame = Frame { kind: head[3], flags: head[4], stream, payload: payload.to_vec() };
                    self.received.drain(..9 + length);
                    return Some(frame);
                }
            }
            if !self.more() {
                return None;
            }
        }
    }
}

#[test]
fn g30_http_2_with_prior_knowledge_is_answered_as_http_2() {
    let server = Server::ocsp();
    let mut client = server.connect();
    // In two pieces, as a slow network might bring it.
    client.send(&PREFACE[..7]);
    let asked = [
        frame(SETTINGS, 0, 0, &[]),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &fields(GET, "/MAIFAA==")),
        frame(HEADERS, END_HEADERS, 3, &fields(POST, "/")),
        frame(DATA, END_STREAM, 3, &SHARED),
        frame(HEADERS, END_HEADERS | END_STREAM, 5, &fields(b"\x02\x04HEAD", "/MAIFAA==")),
    ];
    client.send([&PREFACE[7..], &asked.concat()].concat());
    let first = client.frame().unwrap();
    assert_eq!((first.kind, first.stream), (SETTINGS, 0));
    // SETTINGS_MAX_CONCURRENT_STREAMS.
    assert!(first.payload.chunks(6).any(|setting| setting == [0, 3, 0, 0, 0, 100]), "{:?}", first.payload);
    let mut ended = Vec::new();
    while ended.len() < 3 {
        let frame = client.frame().unwrap();
        match frame.kind {
            HEADERS => assert_eq!(frame.payload[0], OK, "{}", frame.stream),
            DATA => assert_eq!((frame.payload, frame.stream == 5), (SHARED.to_vec(), false)),
            _ => continue,
        }
        if frame.flags & END_STREAM != 0 {
            ended.push(frame.stream);
        }
    }
    ended.sort_unstable();
    assert_eq!(ended, [1, 3, 5]);
    server.shutdown.ask();
    while let Some(frame) = client.frame() {
        assert_ne!(frame.kind, DATA);
    }
}

#[test]
fn a_flood_of_cancelled_requests_is_shown_out() {
    let server = Server::ocsp();
    let mut client = server.connect();
    let cancelled = (0..1000).flat_map(|number| {
        let stream = 2 * number + 1;
        let asked = frame(HEADERS, END_HEADERS, stream, &fields(POST, "/"));
        [asked, frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes())].concat()
    });
    client.send(
        [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat().into_iter().chain(cancelled).collect::<Vec<_>>(),
    );
    let mut last = None;
    while let Some(frame) = client.frame() {
        last = Some(frame).filter(|frame| frame.kind == GOAWAY).or(last);
    }
    // ENHANCE_YOUR_CALM.
    assert_eq!(last.unwrap().payload[4..8], [0, 0, 0, 0x0b]);
}
