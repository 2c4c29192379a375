//! Answers that are not in memory: read by the worker while that is quick, else elsewhere.

use super::*;
use std::sync::Mutex;
use std::thread::ThreadId;

/// Has nothing in memory, and reads as slowly as it is told to; says who read.
struct Slow {
    read: Duration,
    readers: Arc<Mutex<Vec<ThreadId>>>,
}

impl Answerer for Slow {
    fn answer(&self, request: &[u8], now: UnixTime, allowance: Allowance) -> Answer {
        self.readers.lock().unwrap().push(std::thread::current().id());
        // Waits and does not work, as for a disk.
        let (_sender, receiver) = std::sync::mpsc::channel::<()>();
        let _ = receiver.recv_timeout(self.read);
        Echo.answer(request, now, allowance)
    }

    fn answer_from_memory(&self, _: &[u8], _: UnixTime, _: Allowance) -> Option<Answer> {
        None
    }
}

/// Who read for ten requests, one after the other, and which thread the worker is.
fn readers(read: Duration) -> (Vec<ThreadId>, ThreadId) {
    let metrics = Arc::new(Metrics::new().unwrap());
    let clock = Clock::fixed(UnixTime::from_seconds(NOW));
    let readers = Arc::default();
    let slow = Slow { read, readers: Arc::clone(&readers) };
    let service = OcspService::new(slow, Arc::clone(&metrics), clock, Limits::default(), None);
    let server = Server::run(Arc::clone(&metrics), move |listener, shutdown| {
        serve_ocsp(listener, None, service, shutdown)
    });
    let mut client = server.connect();
    for _ in 0..10 {
        client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n\x30\x02\x05\x00");
        assert_eq!(client.receive().body, SHARED);
    }
    assert_eq!(metrics.disk_reads.get(), 10);
    let worker = server.thread.as_ref().unwrap().thread().id();
    let found = readers.lock().unwrap().clone();
    (found, worker)
}

#[test]
fn a_slow_disk_is_met_once_and_then_left_to_other_threads() {
    let (readers, worker) = readers(Duration::from_millis(20));
    assert_eq!(readers[0], worker, "nobody knew yet");
    assert!(readers[1..].iter().all(|reader| *reader != worker));
}
