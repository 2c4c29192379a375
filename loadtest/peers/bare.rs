//! The floor: a hyper server that returns the same octets whatever is asked, and does nothing else.
//!
//! `bare POST-FILE GET-FILE` answers each method with what stands in its file, an HTTP response as it came
//! over the wire from the responder that it is compared with: same headers, same body. Its runtime is laid
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
use socket2::{Domain, Protocol, Socket, Type};
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
    post: &Constant,
    get: &Constant,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    if request.method() == Method::POST {
        request.into_body().collect().await?;
        return Ok(post.response());
    }
    Ok(get.response())
}

fn serve(listener: TcpListener, files: &[String; 2]) -> io::Result<()> {
    let constants = Rc::new((Constant::read(&files[0])?, Constant::read(&files[1])?));
    let runtime = Builder::new_current_thread().enable_io().enable_time().build()?;
    let local = LocalSet::new();
    local.block_on(&runtime, async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let constants = Rc::clone(&constants);
            tokio::task::spawn_local(async move {
                let service = service_fn(|request| {
                    let constants = Rc::clone(&constants);
                    async move { answer(request, &constants.0, &constants.1).await }
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
    let files: Vec<String> = std::env::args().skip(1).collect();
    let files: [String; 2] = files
        .try_into()
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, "usage: bare POST-FILE GET-FILE"))?;
    let first = listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..std::thread::available_parallelism()?.get() {
        listeners.push(listen(address)?);
    }
    writeln!(io::stdout(), "http://{address}")?;
    let workers = listeners.into_iter().map(|listener| {
        let files = files.clone();
        std::thread::spawn(move || serve(listener, &files))
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
