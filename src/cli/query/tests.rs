//! The client against OpenSSL's own responder, and against answers that must not be believed.

use super::error::AnswerError;
use super::verify::{NamedCrl, NonceSeen, Signer, Verified};
use super::*;
use crate::signing::VerifyError;
use crate::x509::{CrlReason, KeyAlgorithm, Revocation, SignatureAlgorithm};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

const GOOD: &str = "1a2b";
const REVOKED: &str = "1a2c";
const UNLISTED: &str = "0fff";

/// A CA, its delegates and its index, as OpenSSL makes them.
struct Pki {
    folder: tempfile::TempDir,
    issuer: Certificate,
}

impl Pki {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        openssl(
            &folder,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
             -subj /C=JP/CN=CA -days 30",
        );
        let index = "V\t401231000000Z\t\t1A2B\tunknown\t/CN=a\n\
                     R\t401231000000Z\t260101000000Z,keyCompromise\t1A2C\tunknown\t/CN=b\n";
        fs::write(folder.path().join("index.txt"), index).unwrap();
        let issuer = Certificate::from_pem_or_der(&fs::read(folder.path().join("ca.pem")).unwrap()).unwrap();
        let pki = Self { folder, issuer };
        pki.delegate("ocsp", "ca", "OCSPSigning", "digitalSignature");
        pki
    }

    /// A certificate of `ca` in NAME.pem, with its key in NAME.key.
    fn delegate(&self, name: &str, ca: &str, purpose: &str, usage: &str) {
        openssl(
            &self.folder,
            &format!(
                "req -x509 -CA {ca}.pem -CAkey {ca}.key -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
                 -keyout {name}.key -out {name}.pem -subj /C=JP/CN={name} -days 20 -set_serial 0x1a2b \
                 -addext basicConstraints=critical,CA:FALSE -addext keyUsage=critical,{usage} \
                 -addext extendedKeyUsage={purpose} -addext noCheck=ignored"
            ),
        );
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn cert_id(&self, serial: &str) -> CertId {
        CertId::new(HashAlgorithm::Sha256, &self.issuer, SerialNumber::from_hex(serial).unwrap())
    }

    /// What OpenSSL answers to our request, with these further options.
    fn answer(&self, request: &[u8], options: &str) -> Vec<u8> {
        fs::write(self.path("request.der"), request).unwrap();
        openssl(
            &self.folder,
            &format!("ocsp -index index.txt -CA ca.pem -reqin request.der -respout response.der {options}"),
        );
        fs::read(self.path("response.der")).unwrap()
    }

    fn believe(&self, response: &[u8], nonce: Option<&[u8]>, now: UnixTime) -> Result<Verified, AnswerError> {
        let response = verify::basic_response(response)?;
        verify::verified(&response, &self.cert_id(GOOD), &self.issuer, nonce, now)
    }

    /// What becomes of the answer to a request about the good certificate.
    fn ask(&self, options: &str, later: i64) -> Result<Verified, AnswerError> {
        let response = self.answer(&request::encode(&self.cert_id(GOOD), None), options);
        self.believe(&response, None, Clock::System.now().plus(later))
    }

    fn query(&self, url: &str, serial: &str) -> QueryArgs {
        QueryArgs {
            issuer: self.path("ca.pem"),
            cert: None,
            serial: Some(serial.into()),
            hash: Hash::Sha256,
            nonce: false,
            get: false,
            json: false,
            url: url.into(),
        }
    }
}

const SIGNER: &str = "-rsigner ocsp.pem -rkey ocsp.key -ndays 1";

fn openssl(folder: &tempfile::TempDir, line: &str) {
    let output =
        Command::new("openssl").args(line.split_whitespace()).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// OpenSSL's responder on a port of its own; ends with the value.
struct Responder {
    child: Child,
    url: String,
}

impl Responder {
    fn start(pki: &Pki) -> Self {
        let line = format!("ocsp -index index.txt -CA ca.pem -port 0 {SIGNER}");
        let mut child = Command::new("openssl")
            .args(line.split_whitespace())
            .current_dir(pki.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // `ACCEPT [::]:41481 PID=11283`
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let accepts = lines.into_iter().find(|line| line.starts_with("ACCEPT ")).unwrap();
        let address = accepts.split_whitespace().nth(1).unwrap();
        let port = address.rsplit(':').next().unwrap();
        Self { child, url: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn s4_1_1_a_request_with_sha1_is_openssls_octet_for_octet() {
    let pki = Pki::new();
    for serial in [GOOD, "80", "00", &"ff".repeat(20)] {
        openssl(&pki.folder, &format!("ocsp -issuer ca.pem -serial 0x{serial} -no_nonce -reqout theirs.der"));
        let number = SerialNumber::from_hex(serial).unwrap();
        let ours = request::encode(&CertId::new(HashAlgorithm::Sha1, &pki.issuer, number), None);
        assert_eq!(ours, fs::read(pki.path("theirs.der")).unwrap(), "{serial}");
    }
}

#[test]
fn a_1_the_base64_in_a_get_url_is_url_encoded_and_the_slash_is_one() {
    // Octets whose base64 has every character that must be encoded.
    let octets = [0xfb, 0xef, 0xff, 0xfe];
    assert_eq!(request::get_url("http://x/", &octets), "http://x/%2B%2B%2F%2F%2Fg%3D%3D");
    assert_eq!(request::get_url("http://x/a", &[0]), "http://x/a/AA%3D%3D");
}

#[test]
fn contract_2_openssls_responder_is_asked_and_believed_by_post_and_get_with_every_hash() {
    let pki = Pki::new();
    let responder = Responder::start(&pki);
    let now = Clock::System.now();
    let mut asked = 0;
    for get in [false, true] {
        for hash in [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512] {
            for (serial, status) in [
                (GOOD, CertStatus::Good),
                (UNLISTED, CertStatus::Unknown),
                (
                    REVOKED,
                    CertStatus::Revoked(Revocation {
                        time: UnixTime::from_civil(2026, 1, 1, 0, 0, 0).unwrap(),
                        reason: Some(CrlReason::KeyCompromise),
                        invalidity: None,
                    }),
                ),
            ] {
                let args = QueryArgs { get, hash, nonce: !get, ..pki.query(&responder.url, serial) };
                let (verified, told) = ask(&args, &pki.issuer, now).unwrap();
                assert_eq!(verified.status, status, "{args:?}");
                assert_eq!(verified.nonce, (!get).then_some(NonceSeen::Repeated));
                assert_eq!(told.method, if get { "GET" } else { "POST" });
                assert_eq!(verified.algorithm, SignatureAlgorithm::EcdsaSha256);
                asked += 1;
            }
        }
    }
    assert_eq!(asked, 24);

    let exit = |args: &QueryArgs| exit_of(ask(args, &pki.issuer, now).unwrap().0.status);
    for (serial, code) in [(GOOD, Exit::Done), (REVOKED, Exit::Revoked), (UNLISTED, Exit::Unknown)] {
        assert_eq!(exit(&pki.query(&responder.url, serial)), code);
    }
    let card = QueryArgs { cert: Some(pki.path("ocsp.pem")), serial: None, ..pki.query(&responder.url, "") };
    assert_eq!(exit(&card), Exit::Done, "--cert: its serial is the good one");
}

#[test]
fn s4_2_2_2_the_ca_itself_and_a_delegate_by_name_or_key_may_sign() {
    let pki = Pki::new();
    let by_name = pki.ask(SIGNER, 0).unwrap();
    let Signer::Delegated { subject, has_ocsp_nocheck, .. } = by_name.signer else { panic!("{by_name:?}") };
    assert_eq!((subject.as_str(), has_ocsp_nocheck), ("CN=ocsp,C=JP", true));
    let by_key = pki.ask(&format!("{SIGNER} -resp_key_id"), 0).unwrap();
    assert!(matches!(by_key.signer, Signer::Delegated { .. }));
    let ca = pki.ask("-rsigner ca.pem -rkey ca.key -resp_no_certs", 0).unwrap();
    assert!(matches!(ca.signer, Signer::Ca));
    assert_eq!(ca.next_update, None, "OpenSSL says none unless it is told to");
}

#[test]
fn s4_2_2_2_nobody_else_may_sign() {
    let pki = Pki::new();
    let signer = |name: &str| format!("-rsigner {name}.pem -rkey {name}.key -ndays 1");
    pki.delegate("web", "ca", "serverAuth", "digitalSignature");
    assert_eq!(
        pki.ask(&signer("web"), 0).unwrap_err(),
        AnswerError::SignerPurpose { signer: "CN=web,C=JP".into() }
    );
    pki.delegate("mute", "ca", "OCSPSigning", "keyEncipherment");
    assert_eq!(
        pki.ask(&signer("mute"), 0).unwrap_err(),
        AnswerError::SignerKeyUsage { signer: "CN=mute,C=JP".into() }
    );
    assert!(matches!(
        pki.ask(&format!("{SIGNER} -resp_no_certs"), 0).unwrap_err(),
        AnswerError::SignerMissing { .. }
    ));
    assert!(matches!(
        pki.ask("-rsigner ocsp.pem -rkey ocsp.key", 25 * 86_400).unwrap_err(),
        AnswerError::SignerValidity { .. }
    ));

    // A second key of the CA's very name: its delegate is nobody here.
    openssl(
        &pki.folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout twin.key -out twin.pem \
         -subj /C=JP/CN=CA -days 30",
    );
    pki.delegate("stranger", "twin", "OCSPSigning", "digitalSignature");
    let error = pki.ask(&signer("stranger"), 0).unwrap_err();
    let AnswerError::SignerIssuer { source: IssuanceError::Signature(_), .. } = &error else {
        panic!("{error:?}")
    };
    // And the twin itself, which calls itself by the CA's name.
    assert_eq!(
        pki.ask("-rsigner twin.pem -rkey twin.key -ndays 1", 0).unwrap_err(),
        AnswerError::Signature {
            signer: "CN=CA,C=JP".into(),
            source: VerifyError::Signature {
                algorithm: SignatureAlgorithm::EcdsaSha256,
                key: KeyAlgorithm::P256
            }
        }
    );
}

#[test]
fn s4_2_2_1_an_answer_counts_in_its_time_and_five_minutes_around() {
    let pki = Pki::new();
    let day = 86_400;
    assert!(pki.ask(SIGNER, day + 290).is_ok());
    assert!(matches!(pki.ask(SIGNER, day + 310).unwrap_err(), AnswerError::Stale { .. }));
    assert!(pki.ask("-rsigner ca.pem -rkey ca.key -ndays 1", -290).is_ok());
    assert!(matches!(
        pki.ask("-rsigner ca.pem -rkey ca.key -ndays 1", -310).unwrap_err(),
        AnswerError::NotYet { .. }
    ));
}

#[test]
fn rfc9654_a_nonce_that_was_sent_comes_back_as_it_was() {
    let pki = Pki::new();
    let now = Clock::System.now();
    let nonce = [7; NONCE_LEN];
    let with = pki.answer(&request::encode(&pki.cert_id(GOOD), Some(&nonce)), SIGNER);
    let without = pki.answer(&request::encode(&pki.cert_id(GOOD), None), SIGNER);
    assert_eq!(pki.believe(&with, Some(&nonce), now).unwrap().nonce, Some(NonceSeen::Repeated));
    assert_eq!(pki.believe(&with, None, now).unwrap().nonce, Some(NonceSeen::Unasked));
    assert_eq!(pki.believe(&with, Some(&[8; NONCE_LEN]), now).unwrap_err(), AnswerError::NonceOther);
    assert_eq!(pki.believe(&without, Some(&nonce), now).unwrap_err(), AnswerError::NonceMissing);
}

#[test]
fn s3_2_an_answer_about_another_certificate_is_none() {
    let pki = Pki::new();
    let now = Clock::System.now();
    let other = pki.answer(&request::encode(&pki.cert_id(REVOKED), None), SIGNER);
    assert_eq!(pki.believe(&other, None, now).unwrap_err(), AnswerError::OtherCertificate { others: 1 });
    // The same certificate by another hash is not what was asked either.
    let sha1 = CertId::new(HashAlgorithm::Sha1, &pki.issuer, SerialNumber::from_hex(GOOD).unwrap());
    let other = pki.answer(&request::encode(&sha1, None), SIGNER);
    assert_eq!(pki.believe(&other, None, now).unwrap_err(), AnswerError::OtherCertificate { others: 1 });
}

#[test]
fn no_octet_of_an_answer_can_be_changed_or_left_out() {
    let pki = Pki::new();
    let now = Clock::System.now();
    let response = pki.answer(&request::encode(&pki.cert_id(GOOD), None), SIGNER);
    assert!(pki.believe(&response, None, now).is_ok());
    for at in 0..response.len() {
        for bit in [0x01, 0x20, 0x80] {
            let mut changed = response.clone();
            changed[at] ^= bit;
            assert!(pki.believe(&changed, None, now).is_err(), "octet {at}, bit {bit:#04x}");
        }
        assert!(pki.believe(&response[..at], None, now).is_err(), "cut at {at}");
    }
    let mut longer = response;
    longer.push(0);
    assert!(pki.believe(&longer, None, now).is_err());
}

#[test]
fn s4_2_1_every_error_status_is_told_with_a_hint() {
    for status in [1, 2, 3, 4, 5, 6, 9] {
        let error = verify::basic_response(&[0x30, 3, 0x0a, 1, status]).unwrap_err();
        assert_eq!(error, AnswerError::Status(status));
        assert!(!error.hint().is_empty());
    }
    assert_eq!(
        AnswerError::Status(6).to_string(),
        "the responder answers unauthorized: it does not answer for this CA or certificate"
    );
    assert_eq!(
        AnswerError::Status(4).to_string(),
        "the responder answers with status 4, which does not exist"
    );
    assert_eq!(verify::basic_response(&[0x30, 3, 0x0a, 1, 0]).unwrap_err(), AnswerError::NotBasic);
}

/// What a query says of a server that answers every request with `response`.
fn told_of(pki: &Pki, response: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // The whole request is one write of well under this size.
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(response.as_bytes()).unwrap();
    });
    let failure = run(&QueryArgs { get: true, ..pki.query(&url, GOOD) }).unwrap_err();
    server.join().unwrap();
    assert_eq!((failure.exit, failure.lines.len()), (Exit::Failed, 1));
    failure.lines[0].replace(&url, "URL")
}

#[test]
fn contract_2_what_is_no_ocsp_response_is_exit_1_and_says_what_it_is() {
    let pki = Pki::new();
    assert_eq!(
        told_of(&pki, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        "URL: answered with HTTP 404 Not Found instead of an OCSP response (is this the URL of an OCSP responder?)"
    );
    assert_eq!(
        told_of(
            &pki,
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
        ),
        "URL: answered with text/html instead of application/ocsp-response (is this the URL of an OCSP responder?)"
    );
    assert_eq!(
        told_of(
            &pki,
            "HTTP/1.1 200 OK\r\nContent-Type: Application/OCSP-Response\r\nContent-Length: 5\r\nConnection: close\r\n\r\n\x30\x03\x0a\x01\x03"
        ),
        "URL: the responder answers tryLater: it cannot answer now (it lacks a fresh CRL or a valid signer, or is overloaded; see /readyz on its admin address)"
    );
}

#[test]
fn contract_2_a_certificate_that_does_not_fit_the_ca_is_exit_2() {
    let pki = Pki::new();
    openssl(
        &pki.folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout twin.key -out twin.pem \
         -subj /C=JP/CN=CA -days 30",
    );
    openssl(
        &pki.folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout else.key -out else.pem \
         -subj /C=JP/CN=Else -days 30",
    );
    let told = |issuer: &str, cert: &str| {
        let args = QueryArgs {
            issuer: pki.path(issuer),
            cert: Some(pki.path(cert)),
            serial: None,
            ..pki.query("http://127.0.0.1:1", "")
        };
        let failure = run(&args).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage, "{failure}");
        failure.to_string().replace(&format!("{}/", pki.folder.path().display()), "")
    };
    assert_eq!(
        told("else.pem", "ocsp.pem"),
        "--cert ocsp.pem: was issued by CN=CA,C=JP, not by CN=Else,C=JP (name the CA that issued it with --issuer)"
    );
    let twin = told("twin.pem", "ocsp.pem");
    assert!(
        twin.starts_with("--cert ocsp.pem: was not signed by this key of CN=CA,C=JP: ")
            && twin.ends_with(
                " (a CA may have several certificates of one name: name another one with --issuer)"
            ),
        "{twin}"
    );
    assert_eq!(told("no.pem", "ocsp.pem"), "--issuer no.pem: there is no such file or folder");
    assert!(told("ca.key", "ocsp.pem").starts_with("--issuer ca.key: the PEM file holds no CERTIFICATE"));
}

#[test]
fn an_answer_is_printed_for_people_and_for_programs_without_the_serial() {
    let asked = Asked {
        url: "http://x".into(),
        method: "POST",
        hash: HashAlgorithm::Sha256,
        response_octets: 1234,
        took: Duration::from_micros(3100),
    };
    let now = UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap();
    let revocation = Revocation {
        time: now.plus(-86_400 * 3),
        reason: Some(CrlReason::Superseded),
        invalidity: Some(now.plus(-86_400 * 4)),
    };
    let mut verified = Verified {
        status: CertStatus::Revoked(revocation),
        this_update: now.plus(-3600),
        next_update: Some(now.plus(7200)),
        produced_at: now,
        algorithm: SignatureAlgorithm::EcdsaSha256,
        signer: Signer::Delegated {
            subject: "CN=OCSP".into(),
            not_after: now.plus(86_400 * 30),
            has_ocsp_nocheck: false,
        },
        extended_revoke: false,
        nonce: Some(NonceSeen::Repeated),
        crl: Some(NamedCrl {
            url: Some("http://x/a.crl".into()),
            number: Some("12".into()),
            time: Some(now.plus(-3600)),
        }),
    };
    let expected = "\
revoked

revoked since      2026-11-19T12:00:00Z  3 days ago
reason             superseded
key suspect since  2026-11-18T12:00:00Z  4 days ago
status as of       2026-11-22T11:00:00Z  1 hour ago
next update        2026-11-22T14:00:00Z  in 2 hours
produced           2026-11-22T12:00:00Z  now
CRL                12 of 2026-11-22T11:00:00Z, http://x/a.crl
signed by          CN=OCSP
on behalf of       CN=CA
signer valid to    2026-12-22T12:00:00Z  in 30 days; its own revocation was not checked
signature          ECDSA with SHA-256, verified
nonce              repeated
asked              POST http://x, CertID by SHA-256
answered           1,234 octets in 3.1 ms
";
    assert_eq!(print::text(&verified, &asked, "CN=CA", now), expected);
    let value = print::json(&verified, &asked);
    assert_eq!(value["status"], "revoked");
    assert_eq!(value["revoked"]["reason"], "superseded");
    assert_eq!(value["revoked"]["never_issued"], false);
    assert_eq!(value["signer"]["kind"], "delegated");
    assert_eq!(value["crl"]["number"], "12");

    verified.extended_revoke = true;
    verified.status = CertStatus::Revoked(Revocation {
        time: UnixTime::EPOCH,
        reason: Some(CrlReason::CertificateHold),
        invalidity: None,
    });
    assert!(print::text(&verified, &asked, "CN=CA", now).starts_with("revoked: never issued\n"));
    assert_eq!(print::json(&verified, &asked)["revoked"]["never_issued"], true);
}
