//! What the answerer turned away is counted by its class, and told `tryLater`.

use super::*;
use crate::respond::{Effort, Work};

/// Turns away what the second octet of the content says: 0, 1, 2.
struct Pressed;

impl Answerer for Pressed {
    fn answer(&self, request: &[u8], _: UnixTime, allowance: Allowance) -> Answer {
        assert_eq!(allowance, Allowance::ALL, "nobody presses this worker");
        let (effort, has_nonce) = match request.last() {
            Some(0) => (Effort::Held, false),
            Some(1) => (Effort::Signature, false),
            _ => (Effort::Signature, true),
        };
        let mut answer = Answer::error(OcspResponseStatus::TryLater, None);
        answer.work = Work { effort, has_nonce, is_shed: true };
        answer
    }
}

#[test]
fn what_is_shed_is_counted_by_class_and_told_to_come_later() {
    let metrics = Arc::new(Metrics::new().unwrap());
    let clock = Clock::fixed(UnixTime::from_seconds(NOW));
    let service = OcspService::new(Pressed, Arc::clone(&metrics), clock, Limits::default(), None);
    let server = Server::run(Arc::clone(&metrics), move |listener, shutdown| {
        serve_ocsp(listener, None, service, shutdown)
    });
    let mut client = server.connect();
    for (class, count) in [(0, 1), (1, 2), (2, 3)] {
        for _ in 0..count {
            let head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\x30\x02\x05";
            client.send([&head[..], &[class]].concat());
            assert_eq!(client.receive().body, crate::ocsp::error_response(OcspResponseStatus::TryLater));
        }
    }
    let shed = &metrics.shed;
    assert_eq!((shed.held.get(), shed.signatures.get(), shed.nonces.get()), (1, 2, 3));
    assert_eq!(metrics.presigned_hits.get(), 0);
    assert_eq!(metrics.no_issuer.try_later.get(), 6);
}
