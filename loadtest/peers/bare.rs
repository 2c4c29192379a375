//! The floor: a hyper server that returns the same octets whatever is asked, and does nothing else.
//!
//! `bare POST-FILE GET-FILE [KEY]` answers each method with what stands in its file, an HTTP response as it came
//! over the wire from the responder that it is compared with: same headers, same body. With a key it makes, and
//! throws away, one signature for each POST: the floor of a server that signs, whose clients sleep between two
//! answers and are woken by each, and whose caches the signature has to itself. Its runtime is laid
//! out as ocsprey's is: one current-thread runtime per core that it may use, each with its own listener on
//! one address (SO_REUSEPORT), the same allocator, requests' bodies read to their end. It prints its URL
//! and serves until it is ended. `loadtest/peers/run` calls it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ocsprey::signing::{Signer, SoftwareKey};
use socket2::{Domain, Protocol, Socket, Type};
use std::hint::black_box;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;
use std::rc::Rc;
use tokio::runtime::Builder;
use tokio::task::LocalSet;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is returned.
struct Constant {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Constant {
    /// From an HTTP response; what hyper writes by itself is left out.
    fn read(file: &str) -> io::Result<Self> {
        let octets = std::fs::read(file)?;
        let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{file}: {why}"));
        let mut room = [httparse::EMPTY_HEADER; 32];
        let mut head = httparse::Response::new(&mut room);
        let end = match head.parse(&octets) {
            Ok(httparse::Status::Complete(end)) => end,
            other => return Err(wrong(format!("not an HTTP response: {other:?}"))),
        };
        let status =
            StatusCode::from_u16(head.code.unwrap_or_default()).map_err(|why| wrong(why.to_string()))?;
        let mut headers = HeaderMap::new();
        for header in head.headers.iter() {
            let name = HeaderName::try_from(header.name).map_err(|why| wrong(why.to_string()))?;
            let value = HeaderValue::from_bytes(header.value).map_err(|why| wrong(why.to_string()))?;
            if ![DATE, CONTENT_LENGTH, CONNECTION].contains(&name) {
                headers.append(name, value);
            }
        }
        let body = octets.get(end..).unwrap_or_default();
        Ok(Self { status, headers, body: Bytes::copy_from_slice(body) })
    }

    fn response(&self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body.clone()));
        *response.status_mut() = self.status;
        response.headers_mut().clone_from(&self.headers);
        response
    }
}

/// What is returned, and what is signed with before.
struct Answers {
    post: Constant,
    get: Constant,
    key: Option<SoftwareKey>,
}

impl Answers {
    fn read(arguments: &Arguments) -> io::Result<Self> {
        let key = arguments.key.as_ref().map(|file| {
            let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, format!("{file}: {why}"));
            SoftwareKey::from_pkcs8_pem(&std::fs::read(file)?).map_err(|why| wrong(why.to_string()))
        });
        let (post, get) = (Constant::read(&arguments.post)?, Constant::read(&arguments.get)?);
        Ok(Self { post, get, key: key.transpose()? })
    }

    /// As much as a response has without its certificates, and the nonce that keeps it from being foreseen.
    fn sign(&self, asked: &[u8]) {
        let Some(key) = &self.key else { return };
        let mut message = [0x5a; TO_BE_SIGNED];
        let count = asked.len().min(TO_BE_SIGNED);
        message[..count].copy_from_slice(&asked[..count]);
        let mut signature = Vec::with_capacity(512);
        let signed = key.sign(&message, &mut signature);
        assert!(black_box(signed).is_ok(), "the key does not sign");
        black_box(&signature);
    }
}

/// tbsResponseData about one certificate, by the octet or so.
const TO_BE_SIGNED: usize = 170;

#[derive(Clone)]
struct Arguments {
    post: String,
    get: String,
    key: Option<String>,
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

async fn answer(
    request: Request<Incoming>,
    answers: &Answers,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    if request.method() == Method::POST {
        let asked = request.into_body().collect().await?.to_bytes();
        answers.sign(&asked);
        return Ok(answers.post.response());
    }
    Ok(answers.get.response())
}

fn serve(listener: TcpListener, arguments: &Arguments) -> io::Result<()> {
    let answers = Rc::new(Answers::read(arguments)?);
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let answers = Rc::clone(&answers);
            tokio::task::spawn_local(async move {
                let service = service_fn(|request| {
                    let answers = Rc::clone(&answers);
                    async move { answer(request, &answers).await }
                });
                let connection = http1::Builder::new()
                    .header_read_timeout(None)
                    .serve_connection(TokioIo::new(stream), service);
                // A client that has gone is its own affair.
                let _ = connection.await;
            });
        }
    })
}

fn start() -> io::Result<()> {
    let mut files = std::env::args().skip(1);
    let arguments = match (files.next(), files.next(), files.next(), files.next()) {
        (Some(post), Some(get), key, None) => Arguments { post, get, key },
        _ => {
            let usage = "usage: bare POST-FILE GET-FILE [KEY]";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, usage));
        }
    };
    let first = listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..std::thread::available_parallelism()?.get() {
        listeners.push(listen(address)?);
    }
    writeln!(io::stdout(), "http://{address}")?;
    let workers = listeners.into_iter().map(|listener| {
        let arguments = arguments.clone();
        std::thread::spawn(move || serve(listener, &arguments))
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.join().map_err(|_| io::Error::other("a worker ended"))??;
    }
    Ok(())
}

fn main() -> ExitCode {
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: bare: {error}");
            ExitCode::from(1)
        }
    }
}
