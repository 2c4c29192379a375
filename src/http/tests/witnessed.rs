//! Every OCSP answer is told to the witness, once, as it was given.

use super::*;
use crate::ocsp::OcspResponseStatus as Status;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

type Told = (Method, Option<Vec<u8>>, Status, Consent, Vec<u8>, i64);

#[derive(Default)]
struct Book {
    is_full: AtomicBool,
    told: Mutex<Vec<Told>>,
}

impl Witness for Book {
    fn may_answer(&self) -> bool {
        !self.is_full.load(Ordering::SeqCst)
    }

    fn saw(&self, seen: &Seen<'_>) {
        assert_eq!(seen.caller, Caller::default());
        self.told.lock().unwrap().push((
            seen.method,
            seen.request.map(<[u8]>::to_vec),
            seen.answer.outcome.status,
            seen.consent,
            seen.answer.body.to_vec(),
            seen.now.seconds(),
        ));
    }
}

fn server(book: &Arc<Book>) -> Server {
    let metrics = Arc::new(Metrics::new().unwrap());
    let clock = Clock::fixed(UnixTime::from_seconds(NOW));
    let service = OcspService::new(Echo, Arc::clone(&metrics), clock, Limits::default(), None);
    let service = service.witnessed_by(Arc::clone(book) as Arc<dyn Witness>);
    Server::run(metrics, move |listener, shutdown| serve_ocsp(listener, None, service, shutdown))
}

fn posted(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

#[test]
fn the_witness_is_told_of_every_ocsp_answer_and_of_nothing_else() {
    let book = Arc::new(Book::default());
    let server = server(&book);
    server.get(&format!("/{}", STANDARD.encode(SHARED)));
    server.get("/no-request");
    server.ask(posted(&SHARED));
    server.ask(posted(b"x"));
    // No OCSP answer: the page for people, a wrong method, a wrong type.
    server.get("/");
    server.ask("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    server.ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\nx");
    let (good, bad) = (Status::Successful, Status::MalformedRequest);
    let shared = || Some(SHARED.to_vec());
    let malformed = Answer::error(bad, None).body.to_vec();
    let expected: Vec<Told> = vec![
        (Method::Get, shared(), good, Consent::Given, SHARED.to_vec(), NOW),
        (Method::Get, None, bad, Consent::Given, malformed, NOW),
        (Method::Post, shared(), good, Consent::Given, SHARED.to_vec(), NOW),
        (Method::Post, Some(b"x".to_vec()), bad, Consent::Given, MALFORMED.to_vec(), NOW),
    ];
    assert_eq!(*book.told.lock().unwrap(), expected);
}

#[test]
fn without_consent_nothing_is_asked_of_the_answerer_and_the_client_is_told_to_come_later() {
    let book = Arc::new(Book::default());
    book.is_full.store(true, Ordering::SeqCst);
    let server = server(&book);
    let reply = server.ask(posted(&SHARED));
    let later = Answer::error(Status::TryLater, None).body.to_vec();
    assert_eq!((reply.status, &reply.body), (200, &later));
    book.is_full.store(false, Ordering::SeqCst);
    assert_eq!(server.ask(posted(&SHARED)).body, SHARED);
    let told = book.told.lock().unwrap();
    assert_eq!(told.len(), 2);
    assert_eq!((told[0].2, told[0].3), (Status::TryLater, Consent::Withheld));
    assert_eq!((told[1].2, told[1].3), (Status::Successful, Consent::Given));
    assert_eq!(server.metrics.no_issuer.try_later.get(), 1);
}
