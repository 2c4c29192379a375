//! `deploy/ocsprey.toml`, the configuration to start from, is one that works.

use crate::support::{Server, demo_copy, ocsprey, run};
use std::fs;

#[test]
fn the_sample_configuration_serves_the_demo() {
    let dir = demo_copy("p256");
    let sample = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/ocsprey.toml")).unwrap();
    let here = dir.path().to_str().unwrap();
    let sample = sample.replace("/etc/ocsprey", here).replace("/var/lib/ocsprey", here);
    fs::write(dir.path().join("ocsprey.toml"), sample).unwrap();
    let _ = crate::support::set_ports(&dir.path().join("ocsprey.toml"));
    let said = ocsprey(dir.path(), &["check", "--config", "ocsprey.toml"]);
    assert_eq!(said.code, Some(0), "{said:#?}");

    let server = Server::start(dir);
    for (certificate, status) in
        [("auth-good.pem", "good"), ("sign-revoked.pem", "revoked"), ("sign-unissued.pem", "unknown")]
    {
        let issuer = format!("{}-ca.pem", &certificate[..4]);
        let args =
            ["ocsp", "-CAfile", &issuer, "-issuer", &issuer, "-cert", certificate, "-url", &server.url];
        let said = run(server.dir(), "openssl", &args);
        said.assert_says_one_of(&[&format!("{certificate}: {status}")], certificate);
        said.assert_says_one_of(&["Response verify OK"], certificate);
    }
}
