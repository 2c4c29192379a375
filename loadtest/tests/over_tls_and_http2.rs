//! Whole runs over TLS, with client certificates, and over HTTP/2, against servers made of hyper and rustls
//! as any other responder might be.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use ocsprey::demo::{Authority, CardCa};
use ocsprey::ocsp::{OcspRequest, OcspResponseStatus, error_response};
use ocsprey::signing::KeyKind;
use ocsprey::x509::Certificate;
use ocsprey_load::drive::Job;
use ocsprey_load::plan::{ClientPlan, Http, Order, Plan, TlsPlan};
use ocsprey_load::progress::Progress;
use ocsprey_load::report::Report;
use ocsprey_load::run::{self, Watch};
use ocsprey_load::serials::Serials;
use ocsprey_load::target::{Reach, Target};
use ocsprey_load::transport::{Transport, TransportError};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

/// What a server saw.
#[derive(Default)]
struct Seen {
    connections: AtomicU64,
    at_a_time: AtomicU64,
    most_at_a_time: AtomicU64,
    gets: AtomicU64,
    malformed: AtomicU64,
}

async fn answer(seen: Arc<Seen>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let now = seen.at_a_time.fetch_add(1, Ordering::SeqCst) + 1;
    seen.most_at_a_time.fetch_max(now, Ordering::SeqCst);
    let status = if request.method() == Method::GET {
        seen.gets.fetch_add(1, Ordering::SeqCst);
        OcspResponseStatus::TryLater
    } else {
        let octets = request.into_body().collect().await.unwrap().to_bytes();
        match OcspRequest::parse(&octets) {
            Ok(_) => OcspResponseStatus::TryLater,
            Err(_) => {
                seen.malformed.fetch_add(1, Ordering::SeqCst);
                OcspResponseStatus::MalformedRequest
            }
        }
    };
    // The other streams of the connection have their turn while this one is out.
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    seen.at_a_time.fetch_sub(1, Ordering::SeqCst);
    let body = Full::new(Bytes::from_static(error_response(status)));
    Ok(Response::builder().header("content-type", "application/ocsp-response").body(body).unwrap())
}

async fn attend<S>(seen: Arc<Seen>, stream: S, http: Http)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let io = TokioIo::new(stream);
    let service = service_fn(move |request| answer(Arc::clone(&seen), request));
    // How a client ends its connection is its affair.
    let _ = match http {
        Http::One => http1::Builder::new().serve_connection(io, service).await,
        Http::Two => http2::Builder::new(TokioExecutor::new()).serve_connection(io, service).await,
    };
}

/// A server on a thread of its own, to the end of the process. Names of the clients' certificates come
/// through the receiver.
fn serve(tls: Option<ServerConfig>, http: Http) -> (SocketAddr, Arc<Seen>, Receiver<Vec<u8>>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (seen, acceptor) = (Arc::new(Seen::default()), tls.map(|config| TlsAcceptor::from(Arc::new(config))));
    let (clients, receiver) = channel();
    let server = Arc::clone(&seen);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(accept(listener, acceptor, http, server, clients));
    });
    (address, seen, receiver)
}

async fn accept(
    listener: std::net::TcpListener,
    acceptor: Option<TlsAcceptor>,
    http: Http,
    seen: Arc<Seen>,
    clients: Sender<Vec<u8>>,
) {
    listener.set_nonblocking(true).unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (seen, acceptor, clients) = (Arc::clone(&seen), acceptor.clone(), clients.clone());
        tokio::spawn(async move {
            let Some(acceptor) = acceptor else {
                seen.connections.fetch_add(1, Ordering::SeqCst);
                return attend(seen, stream, http).await;
            };
            // The look whether anybody listens is no TLS.
            let Ok(stream) = acceptor.accept(stream).await else { return };
            seen.connections.fetch_add(1, Ordering::SeqCst);
            let expected: &[u8] = if http == Http::Two { b"h2" } else { b"http/1.1" };
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(expected));
            if let Some([client, ..]) = stream.get_ref().1.peer_certificates() {
                let _ = clients.send(client.to_vec());
            }
            attend(seen, stream, http).await;
        });
    }
}

fn openssl(folder: &Path, line: &str) {
    let done = Command::new("openssl").current_dir(folder).args(line.split(' ')).output().unwrap();
    assert!(done.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A CA for TLS in `folder`, and certificates by it: `server` for 127.0.0.1, `one` and `two` for clients.
fn tls_pki(folder: &Path) {
    let curve = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(folder, &format!("req -x509 {curve} -keyout ca.key -out ca.pem -days 30 -subj /CN=tls"));
    std::fs::write(folder.join("server.cnf"), "subjectAltName = IP:127.0.0.1\n").unwrap();
    for name in ["one", "two"] {
        std::fs::write(folder.join(format!("{name}.cnf")), "extendedKeyUsage = clientAuth\n").unwrap();
    }
    for name in ["server", "one", "two"] {
        openssl(folder, &format!("req -new {curve} -keyout {name}.key -out {name}.csr -subj /CN={name}"));
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 \
                 -extfile {name}.cnf -out {name}.pem"
            ),
        );
    }
}

fn certificate(file: PathBuf) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

fn server_config(folder: &Path, http: Http, clients_only: bool) -> ServerConfig {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    let builder = if clients_only {
        let mut trusted = RootCertStore::empty();
        trusted.add(certificate(folder.join("ca.pem"))).unwrap();
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(trusted), provider);
        builder.with_client_cert_verifier(verifier.build().unwrap())
    } else {
        builder.with_no_client_auth()
    };
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let mut config = builder.with_single_cert(vec![certificate(folder.join("server.pem"))], key).unwrap();
    config.alpn_protocols = vec![if http == Http::Two { b"h2".to_vec() } else { b"http/1.1".to_vec() }];
    config
}

fn plan(requests: u64, http: Http) -> Plan {
    let mut plan = Plan::without_file();
    plan.load.connections = 4;
    plan.load.most_requests = requests;
    plan.load.seconds = Some(60.0);
    plan.load.http = http;
    plan.request.serials = Order::Random;
    plan
}

fn trusting(folder: &Path, clients: &[&str]) -> TlsPlan {
    let client = |name: &&str| ClientPlan {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    TlsPlan { ca: folder.join("ca.pem"), name: None, clients: clients.iter().map(client).collect() }
}

fn load(plan: Plan, url: &str) -> Result<Report, TransportError> {
    assert_eq!(plan.check(), Vec::<String>::new());
    let now = ocsprey::clock::Clock::System.now();
    let (_, issued) = Authority::create(CardCa::UserAuthentication, KeyKind::P256, now).unwrap();
    let issuer = Certificate::from_pem_or_der(issued.certificate.as_bytes()).unwrap();
    let target = Target::new(url, Reach::ThisMachine).unwrap();
    let transport = Transport::new(&target, plan.load.http, plan.tls.as_ref())?;
    let serials = Serials::random(1000, plan.load.seed);
    let progress = Progress::new(plan.seconds(), true);
    let job = Job { plan, target, transport, issuer, serials, samples: 0 };
    Ok(run::run(job, Watch { server_pid: None, progress, arguments: Vec::new() }).unwrap())
}

fn count(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::SeqCst)
}

#[test]
fn http2_carries_several_requests_at_a_time_over_few_connections() {
    let (address, seen, _) = serve(None, Http::Two);
    let mut plan = plan(400, Http::Two);
    plan.load.connections = 2;
    plan.load.streams = 8;
    plan.request.get_share = 0.5;
    let report = load(plan, &format!("http://{address}")).unwrap();
    assert_eq!((report.sent, report.answered), (400, 400), "{}", report.text());
    assert_eq!(report.statuses.get("tryLater"), Some(&400));
    assert_eq!((report.connections, report.reconnects), (2, 0));
    assert!(count(&seen.most_at_a_time) >= 8, "{}", count(&seen.most_at_a_time));
    assert!((100..300).contains(&count(&seen.gets)), "{}", count(&seen.gets));
}

#[test]
fn malformed_requests_are_malformed_in_both_versions_of_http() {
    for http in [Http::One, Http::Two] {
        let (address, seen, _) = serve(None, http);
        let mut plan = plan(200, http);
        plan.request.malformed_share = 1.0;
        plan.request.nonce_share = 1.0;
        plan.request.certificates = 3;
        let report = load(plan, &format!("http://{address}")).unwrap();
        assert_eq!(report.statuses.get("malformedRequest"), Some(&200), "{}", report.text());
        assert_eq!(count(&seen.malformed), 200);
    }
}

#[test]
fn tls_is_spoken_with_either_http_and_each_request_has_its_handshake_without_keep_alive() {
    let folder = tempfile::tempdir().unwrap();
    tls_pki(folder.path());
    for http in [Http::One, Http::Two] {
        let (address, seen, _) = serve(Some(server_config(folder.path(), http, false)), http);
        let mut kept = plan(100, http);
        kept.tls = Some(trusting(folder.path(), &[]));
        let mut closed = kept.clone();
        closed.load.keep_alive = false;
        closed.load.most_requests = 20;
        let url = format!("https://{address}");
        let report = load(kept, &url).unwrap();
        assert_eq!((report.answered, report.connections), (100, 4), "{}", report.text());
        assert_eq!(count(&seen.connections), 4);
        let report = load(closed, &url).unwrap();
        assert_eq!((report.answered, report.connections), (20, 20), "{}", report.text());
        assert_eq!(count(&seen.connections), 24);
    }
}

#[test]
fn clients_take_turns_with_their_certificates_and_nobody_gets_in_without() {
    let folder = tempfile::tempdir().unwrap();
    tls_pki(folder.path());
    let (address, _, clients) = serve(Some(server_config(folder.path(), Http::One, true)), Http::One);
    let mut plan = plan(100, Http::One);
    plan.tls = Some(trusting(folder.path(), &["one", "two"]));
    let url = format!("https://{address}");
    let report = load(plan.clone(), &url).unwrap();
    assert_eq!(report.answered, 100, "{}", report.text());
    let shown: Vec<Vec<u8>> = clients.try_iter().collect();
    let expected = ["one", "two"].map(|name| certificate(folder.path().join(format!("{name}.pem"))).to_vec());
    assert_eq!(shown.len(), 4);
    assert_eq!(shown.into_iter().collect::<BTreeSet<_>>(), expected.into_iter().collect());

    plan.tls = Some(trusting(folder.path(), &[]));
    plan.load.keep_alive = false;
    plan.load.most_requests = 5;
    let report = load(plan, &url).unwrap();
    assert_eq!((report.answered, report.errors.values().sum::<u64>()), (0, 5), "{}", report.text());
}

#[test]
fn a_responder_that_leads_to_nobody_who_is_trusted_gets_no_request() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    tls_pki(folder.path());
    tls_pki(other.path());
    let (address, seen, _) = serve(Some(server_config(folder.path(), Http::One, false)), Http::One);
    let mut plan = plan(5, Http::One);
    plan.load.keep_alive = false;
    plan.tls = Some(trusting(other.path(), &[]));
    let url = format!("https://{address}");
    let report = load(plan.clone(), &url).unwrap();
    assert_eq!((report.answered, report.errors.get("connect")), (0, Some(&5)), "{}", report.text());
    plan.tls = Some(TlsPlan { name: Some("elsewhere.example".into()), ..trusting(folder.path(), &[]) });
    let report = load(plan.clone(), &url).unwrap();
    assert_eq!((report.answered, report.errors.get("connect")), (0, Some(&5)), "{}", report.text());
    assert_eq!(count(&seen.most_at_a_time), 0, "no request was sent");
    plan.tls = None;
    let refused = load(plan, &url).unwrap_err();
    assert!(matches!(refused, TransportError::NobodyToTrust { .. }), "{refused}");
}
