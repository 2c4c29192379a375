//! A web server of a few lines that does whatever a test wants, good manners not among it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a path does.
pub enum Reply {
    /// Head and body, as they are sent; then the connection is closed.
    Octets(Vec<u8>),
    /// Says nothing for as long as the client likes.
    Hang,
}

impl Reply {
    /// A whole answer. `headers` end each in `\r\n`.
    pub fn with(status: &str, headers: &str, body: &[u8]) -> Self {
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
        Self::Octets([head.as_bytes(), body].concat())
    }
}

/// It runs until the test process ends.
pub struct Web {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// `reply` is given the path and the whole head in small letters.
    pub fn start(reply: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (reply, seen) = (Arc::new(reply), Arc::clone(&heads));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (reply, seen) = (Arc::clone(&reply), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, &*reply, &seen));
            }
        });
        Self { url, heads }
    }

    /// The heads of the requests for `path`, in order.
    pub fn asked(&self, path: &str) -> Vec<String> {
        let heads = self.heads.lock().unwrap();
        heads.iter().filter(|head| head.starts_with(&format!("get {path} "))).cloned().collect()
    }
}

fn serve(mut stream: TcpStream, reply: &dyn Fn(&str, &str) -> Reply, seen: &Mutex<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<String> =
        lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let head = head.join("\n").to_lowercase();
    let Some(path) = head.split(' ').nth(1).map(str::to_owned) else { return };
    seen.lock().unwrap().push(head.clone());
    match reply(&path, &head) {
        // The client may have gone.
        Reply::Octets(octets) => drop(stream.write_all(&octets)),
        Reply::Hang => drop(lines.next()),
    }
}
