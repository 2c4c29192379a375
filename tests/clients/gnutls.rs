//! GnuTLS' `ocsptool` as the judge. It asks with a nonce of 23 octets, which some responders refuse.

use crate::support::{ALGORITHMS, CAS, Server, run};

fn judge(algorithm: &str) {
    let server = Server::demo(algorithm);
    for ca in CAS {
        let issuer = format!("{ca}-ca.pem");
        for (name, expected) in
            [("good", "good"), ("revoked", "revoked"), ("hold", "revoked"), ("unissued", "unknown")]
        {
            let certificate = format!("{ca}-{name}.pem");
            for nonce in ["--nonce", "--no-nonce"] {
                let ask = format!("--ask={}", server.url);
                let files = ["--load-cert", &certificate, "--load-issuer", &issuer, "--load-trust", &issuer];
                let said = run(server.dir(), "ocsptool", &[&[ask.as_str()][..], &files, &[nonce]].concat());
                let status =
                    said.out.lines().find_map(|line| line.trim().strip_prefix("Certificate Status: "));
                assert_eq!(status, Some(expected), "{algorithm} {certificate} {nonce}: {said:#?}");
                said.assert_says_one_of(&["Verifying OCSP Response: Success."], &certificate);
                assert_eq!(said.out.contains("\tNonce: "), nonce == "--nonce", "{said:#?}");
            }
        }
    }
}

#[test]
fn gnutls_agrees_with_every_answer_signed_with_p256() {
    judge(ALGORITHMS[0]);
}

#[test]
fn gnutls_agrees_with_every_answer_signed_with_p384() {
    judge(ALGORITHMS[1]);
}

#[test]
fn gnutls_agrees_with_every_answer_signed_with_rsa2048() {
    judge(ALGORITHMS[2]);
}

#[test]
fn gnutls_agrees_with_every_answer_signed_with_ed25519() {
    judge(ALGORITHMS[3]);
}
