//! `ocsprey query`: asks a responder about one certificate, and believes only what it can prove.
//!
//! Exit: 0 good, 3 revoked, 4 unknown, 1 no valid answer, 2 wrong usage. The serial number goes into
//! the request and nowhere else: it is not printed, and not logged.

#![expect(clippy::disallowed_methods, reason = "a client says how long the answer took")]

mod error;
mod print;
mod request;
#[cfg(test)]
mod tests;
mod verify;

use super::http_client;
use super::{Exit, Failure};
use crate::clock::Clock;
use crate::config::io_reason;
use crate::ocsp::CertStatus;
use crate::signing::{IssuanceError, fill_random, verify_issued_by};
use crate::x509::{Certificate, HashAlgorithm, SerialNumber, UnixTime};
use clap::{Args, ValueEnum};
use request::{CertId, NONCE_LEN};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use verify::Verified;

/// Patience with a responder.
const TIMEOUT: Duration = Duration::from_secs(15);
/// An OCSP response takes some 300 to 3,000 octets; a web page in its place shall not fill memory.
const MAX_RESPONSE: u64 = 1 << 20;

/// Ask a responder about one certificate and verify the answer
///
/// The answer is checked as a careful relying party would: its signature, the signer's
/// authorisation by the CA, its times, that it is about this very certificate, and its nonce.
/// Exit code: 0 good, 3 revoked, 4 unknown, 1 no valid answer.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ocsprey query --issuer auth-ca.pem --cert auth-good.pem http://127.0.0.1:8080
  ocsprey query --issuer auth-ca.pem --serial 03fffc --hash sha1 --get http://127.0.0.1:8080
  ocsprey query --issuer auth-ca.pem --cert auth-good.pem --nonce --json http://127.0.0.1:8080")]
pub(super) struct QueryArgs {
    /// The certificate of the CA that issued the certificate (PEM or DER)
    #[arg(long, value_name = "CA.pem")]
    issuer: PathBuf,
    /// The certificate to ask about (PEM or DER)
    #[arg(long, value_name = "CERT.pem", required_unless_present = "serial", conflicts_with = "serial")]
    cert: Option<PathBuf>,
    /// Or its serial number alone
    #[arg(long, value_name = "HEX")]
    serial: Option<String>,
    /// The hash function that names the CA in the request
    #[arg(long, value_enum, value_name = "HASH", default_value_t = Hash::Sha256)]
    hash: Hash,
    /// Send a nonce, and accept no answer without it
    #[arg(long)]
    nonce: bool,
    /// Ask by GET, which caches understand, instead of POST
    #[arg(long)]
    get: bool,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
    /// The responder, for example http://127.0.0.1:8080
    #[arg(value_name = "URL")]
    url: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl From<Hash> for HashAlgorithm {
    fn from(hash: Hash) -> Self {
        match hash {
            Hash::Sha1 => Self::Sha1,
            Hash::Sha256 => Self::Sha256,
            Hash::Sha384 => Self::Sha384,
            Hash::Sha512 => Self::Sha512,
        }
    }
}

/// How it was asked, for printing.
struct Asked {
    url: String,
    method: &'static str,
    hash: HashAlgorithm,
    response_octets: usize,
    took: Duration,
}

pub(super) fn run(args: &QueryArgs) -> Result<Exit, Failure> {
    let issuer = certificate("--issuer", &args.issuer)?;
    let now = Clock::System.now();
    let (verified, asked) = ask(args, &issuer, now)?;
    if args.json {
        super::print_json(&print::json(&verified, &asked))?;
    } else {
        super::print(&print::text(&verified, &asked, &issuer.subject_text(), now))?;
    }
    Ok(exit_of(verified.status))
}

fn exit_of(status: CertStatus) -> Exit {
    match status {
        CertStatus::Good => Exit::Done,
        CertStatus::Revoked(_) => Exit::Revoked,
        CertStatus::Unknown => Exit::Unknown,
    }
}

fn ask(args: &QueryArgs, issuer: &Certificate, now: UnixTime) -> Result<(Verified, Asked), Failure> {
    let url = http_client::url("URL", &args.url)?;
    let serial = serial_number(args, issuer)?;
    let cert_id = CertId::new(args.hash.into(), issuer, serial);
    let nonce = if args.nonce { Some(fresh_nonce()?) } else { None };
    let request = request::encode(&cert_id, nonce.as_ref());

    let started = Instant::now();
    let response = exchange(&url, &request, args.get)?;
    let took = started.elapsed();

    let nonce = nonce.as_ref().map(|nonce| &nonce[..]);
    let verified = verify::basic_response(&response)
        .and_then(|response| verify::verified(&response, &cert_id, issuer, nonce, now))
        .map_err(|error| Failure::work(&url, &error, error.hint()))?;
    let method = if args.get { "GET" } else { "POST" };
    Ok((verified, Asked { url, method, hash: cert_id.hash, response_octets: response.len(), took }))
}

fn certificate(option: &str, path: &Path) -> Result<Certificate, Failure> {
    let what = format!("{option} {}", path.display());
    let octets = fs::read(path).map_err(|error| Failure::usage(&what, io_reason(&error), ""))?;
    Certificate::from_pem_or_der(&octets)
        .map_err(|error| Failure::usage(&what, error, "it must be a certificate in PEM or DER"))
}

fn serial_number(args: &QueryArgs, issuer: &Certificate) -> Result<SerialNumber, Failure> {
    let Some(path) = &args.cert else {
        let text = args.serial.as_deref().unwrap_or_default();
        return SerialNumber::from_hex(text).map_err(|error| {
            Failure::usage("--serial", error, "write it in hexadecimal, as `openssl x509 -serial` prints it")
        });
    };
    let holder = certificate("--cert", path)?;
    let what = format!("--cert {}", path.display());
    match verify_issued_by(&holder, issuer) {
        Ok(()) => Ok(holder.serial_number()),
        Err(IssuanceError::Name) => {
            let why = format!("was issued by {}, not by {}", holder.issuer_text(), issuer.subject_text());
            Err(Failure::usage(what, why, "name the CA that issued it with --issuer"))
        }
        Err(error @ IssuanceError::Signature(_)) => {
            let why = format!("was not signed by this key of {}: {error}", issuer.subject_text());
            let hint = "a CA may have several certificates of one name: name another one with --issuer";
            Err(Failure::usage(what, why, hint))
        }
        Err(error @ IssuanceError::Algorithm(_)) => {
            Err(Failure::usage(what, error, "ask with --serial to leave its signature unchecked"))
        }
    }
}

fn fresh_nonce() -> Result<[u8; NONCE_LEN], Failure> {
    let mut nonce = [0; NONCE_LEN];
    fill_random(&mut nonce).map_err(|why| Failure::work("--nonce", why, ""))?;
    Ok(nonce)
}

/// Sends the request and returns what came back, if it is an OCSP response at all.
fn exchange(url: &str, request: &[u8], by_get: bool) -> Result<Vec<u8>, Failure> {
    let agent = http_client::agent(TIMEOUT);
    let sent = if by_get {
        agent.get(request::get_url(url, request)).header("Accept", "application/ocsp-response").call()
    } else {
        agent
            .post(url)
            .header("Content-Type", "application/ocsp-request")
            .header("Accept", "application/ocsp-response")
            .send(request)
    };
    let mut response = sent.map_err(|error| http_client::failure(url, &error))?;
    let status = response.status();
    if status != 200 {
        let why = format!("answered with HTTP {status} instead of an OCSP response");
        return Err(Failure::work(url, why, "is this the URL of an OCSP responder?"));
    }
    let kind = response.body().mime_type().unwrap_or("nothing").to_ascii_lowercase();
    if kind != "application/ocsp-response" {
        let why = format!("answered with {kind} instead of application/ocsp-response");
        return Err(Failure::work(url, why, "is this the URL of an OCSP responder?"));
    }
    let body = response.body_mut().with_config().limit(MAX_RESPONSE).read_to_vec();
    body.map_err(|error| http_client::failure(url, &error))
}
