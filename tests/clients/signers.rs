//! Several signers of one CA key: clients that prefer an algorithm get it, verified by openssl.

use crate::support::{Said, Server, demo_copy, get, ocsprey, post, run, wait_until};
use std::fs;
use std::path::Path;

/// id-pkix-ocsp-pref-sig-algs, ecdsa-with-SHA384, sha256WithRSAEncryption; each a whole OBJECT IDENTIFIER.
const PREFERRED: &[u8] = b"\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x08";
const P384: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03";
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b\x05\x00";

const EXTENSIONS: &str =
    "keyUsage=critical,digitalSignature\nextendedKeyUsage=OCSPSigning\nnoCheck=ignored\n";

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length: &[u8] = match u8::try_from(content.len()).unwrap() {
        short @ ..0x80 => &[short],
        long => &[0x81, long],
    };
    [&[tag], length, &content].concat()
}

/// `NAME.pem` and `NAME.key`, issued by the demo's CA for signing its answers.
fn issue(dir: &Path, name: &str, key: &[&str], days: &str) {
    let file = |kind: &str| format!("{name}.{kind}");
    let openssl = |args: &[&str]| {
        let said = run(dir, "openssl", args);
        assert_eq!(said.code, Some(0), "openssl {args:?}: {said:#?}");
    };
    fs::write(dir.join(file("ext")), EXTENSIONS).unwrap();
    openssl(&[&["genpkey", "-out", &file("key")][..], key].concat());
    openssl(&["req", "-new", "-key", &file("key"), "-subj", &format!("/CN={name}"), "-out", &file("csr")]);
    let of = ["-CA", "auth-ca.pem", "-CAkey", "auth-ca.key", "-set_serial", "0x7fff01", "-days", days];
    let as_ = ["-in", &file("csr"), "-extfile", &file("ext"), "-out", &file("pem")];
    openssl(&[&["x509", "-req"][..], &of, &as_].concat());
}

const EC_P384: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
const RSA_2048: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

/// Gives the authentication CA's key these further signers.
fn configure(dir: &Path, signers: &str) {
    let path = dir.join("ocsprey.toml");
    let mut table: toml::Table = fs::read_to_string(&path).unwrap().parse().unwrap();
    let issuers = table.get_mut("issuer").unwrap().as_array_mut().unwrap();
    let auth = issuers.iter_mut().map(|issuer| issuer.as_table_mut().unwrap());
    let auth = auth.into_iter().find(|issuer| issuer["certificate"].as_str() == Some("auth-ca.pem")).unwrap();
    auth.remove("signers");
    auth.extend(signers.parse::<toml::Table>().unwrap());
    fs::write(path, toml::to_string(&table).unwrap()).unwrap();
}

/// What openssl says of the answer to a request about `auth-good.pem` with these preferences.
fn ask(server: &Server, preferred: &[&[u8]]) -> Said {
    let dir = server.dir();
    let about = ["ocsp", "-issuer", "auth-ca.pem", "-cert", "auth-good.pem", "-no_nonce"];
    run(dir, "openssl", &[&about[..], &["-reqout", "plain.der"]].concat());
    // OCSPRequest { TBSRequest { requestList } }, all with lengths of one octet.
    let plain = fs::read(server.path("plain.der")).unwrap();
    let list = &plain[4..];
    let entries: Vec<u8> = preferred.iter().flat_map(|one| der(0x30, &[&der(0x30, &[one])])).collect();
    let value = der(0x04, &[&der(0x30, &[&entries])]);
    let extensions = der(0xa2, &[&der(0x30, &[&der(0x30, &[PREFERRED, &value])])]);
    let request = der(0x30, &[&der(0x30, &[list, &extensions])]);
    let page = post(&server.url, "application/ocsp-request", &request);
    fs::write(server.path("answer.der"), &page.body).unwrap();
    let judged = ["-CAfile", "auth-ca.pem", "-respin", "answer.der", "-resp_text"];
    let said = run(dir, "openssl", &[&about[..], &judged].concat());
    said.assert_says_one_of(&["Response verify OK"], "an answer");
    said
}

/// The algorithm of the answer's own signature, which openssl tells last before the certificate.
fn algorithm(said: &Said) -> String {
    let lines = said.out.lines().map(str::trim);
    let mut algorithms = lines.filter_map(|line| line.strip_prefix("Signature Algorithm: "));
    algorithms.next().unwrap_or_default().to_owned()
}

#[test]
fn h1_h2_a_client_gets_the_algorithm_that_it_prefers_and_a_reload_changes_who_signs() {
    let dir = demo_copy("p256");
    issue(dir.path(), "p384", EC_P384, "365");
    issue(dir.path(), "rsa", RSA_2048, "5");
    let p384 = r#"{ certificate = "p384.pem", key = "p384.key", presign = ["sha1"] }"#;
    configure(dir.path(), &format!(r#"signers = [{p384}, {{ certificate = "rsa.pem", key = "rsa.key" }}]"#));

    // One that ends soon is told, and breaks nothing.
    let checked = ocsprey(dir.path(), &["check", "--config", "ocsprey.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:#?}");
    checked.assert_says_one_of(
        &["clients that prefer RSA with SHA-256 get the default signer's answers"],
        "check",
    );

    let server = Server::start(dir);
    for (preferred, signed) in [
        (&[P384][..], "ecdsa-with-SHA384"),
        (&[RSA, P384], "sha256WithRSAEncryption"),
        (&[b"\x06\x03\x2a\x03\x04", P384], "ecdsa-with-SHA384"),
        (&[b"\x06\x03\x2a\x03\x04"], "ecdsa-with-SHA256"),
        (&[], "ecdsa-with-SHA256"),
    ] {
        let said = ask(&server, preferred);
        assert_eq!(algorithm(&said), signed, "{said:#?}");
    }

    let status = get(&format!("{}/api/v1/status", server.admin)).text();
    for subject in ["CN=p384", "CN=rsa"] {
        assert!(status.contains(subject), "{status}");
    }
    let metrics = || get(&format!("{}/metrics", server.admin)).text();
    let end = |text: &str| {
        let line = text
            .lines()
            .find(|line| line.starts_with("signer_not_after_timestamp_seconds{issuer=\"user-auth"));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<i64>().ok()).unwrap()
    };
    // The nearest of all: the RSA signer's five days.
    let nearest = end(&metrics());

    // Its own series is signed beforehand, and the default's, which nobody asked for, is not: 2,000 cards.
    let answers = || {
        let status = get(&format!("{}/api/v1/status", server.admin)).text();
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        status["presigned"]["answers"].as_u64()
    };
    wait_until(
        || format!("{:?} answers are signed beforehand\n{}", answers(), server.said()),
        || answers().filter(|answers| (2000..2100).contains(answers)),
    );

    configure(server.dir(), "");
    server.reload();
    wait_until(
        || format!("the reload changed nothing\n{}", server.said()),
        || (algorithm(&ask(&server, &[P384])) == "ecdsa-with-SHA256").then_some(()),
    );
    wait_until(metrics, || (end(&metrics()) > nearest + 20 * 86_400).then_some(()));
}

#[test]
fn t16_signers_that_no_client_could_tell_apart_and_files_that_are_not_there_are_told() {
    let dir = demo_copy("p256");
    issue(dir.path(), "second", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "365");
    configure(
        dir.path(),
        r#"signers = [{ certificate = "second.pem", key = "second.key" }, { certificate = "away.pem", key = "second.key" }]"#,
    );
    let said = ocsprey(dir.path(), &["check", "--config", "ocsprey.toml"]);
    assert_ne!(said.code, Some(0), "{said:#?}");
    said.assert_says_one_of(
        &["signs with ECDSA with SHA-256, as another signer of this CA key does"],
        "check",
    );
    said.assert_says_one_of(&["away.pem: there is no such file"], "check");
}
