//! A responder behind TLS: the demo's PKI, a CA of verifiers, a CA of nobody, and curl.

use crate::client::{Client, Shown};
use crate::support::{Pki, Said, Server, demo_copy, free_port, run, wait_until};
use std::fs;
use std::path::{Path, PathBuf};

/// From and until when certificates are valid that are valid.
const VALID: (&str, &str) = ("20240101000000Z", "20450101000000Z");

/// How a lab's server is configured beside what the demo says.
pub struct Lab {
    pub server: Server,
    /// Where TLS is spoken.
    pub port: u16,
    /// Issues `server.pem` and the certificates of verifiers.
    pub verifiers: Pki,
    /// Issues as well, and nobody trusts it.
    pub strangers: Pki,
}

/// Issues a client's certificate, `NAME.pem` and `NAME.key`.
pub fn issue(pki: &Pki, name: &str) {
    pki.issue(name, "plain", VALID.0, VALID.1);
}

impl Lab {
    /// Serves in TLS alone. `tls` is added to `server.tls`, `sections` to the configuration.
    pub fn new(tls: &str, sections: &str) -> Self {
        Self::prepared(tls, sections, |_, _| {})
    }

    /// As [`Lab::new`]; `prepare` is given the folder of the configuration before anything is served.
    pub fn prepared(tls: &str, sections: &str, prepare: impl FnOnce(&Path, &Pki)) -> Self {
        let dir = demo_copy("p256");
        let (verifiers, strangers) = (Pki::new("/CN=Verifiers' CA"), Pki::new("/CN=Nobody's CA"));
        verifiers.issue("server", "web", VALID.0, VALID.1);
        issue(&verifiers, "bank");
        issue(&verifiers, "shop");
        issue(&strangers, "stranger");
        verifiers.issue("late", "plain", "20200101000000Z", "20210101000000Z");
        for file in ["server.pem", "server.key", "ca.pem"] {
            fs::copy(verifiers.path(file), dir.path().join(format!("tls-{file}"))).unwrap();
        }
        prepare(dir.path(), &verifiers);
        let port = free_port();
        let text = fs::read_to_string(dir.path().join("ocsprey.toml")).unwrap();
        let secure = format!(
            "[server.tls]\nlisten = \"127.0.0.1:{port}\"\ncertificate = \"tls-server.pem\"\n\
             key = \"tls-server.key\"\nclient_ca = \"tls-ca.pem\"\n{tls}\n{sections}\n"
        );
        fs::write(dir.path().join("ocsprey.toml"), format!("{text}\n{secure}")).unwrap();
        Self { server: Server::start(dir), port, verifiers, strangers }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.server.path(name)
    }

    /// The octets of a request about one of the demo's certificates, `auth-good` and its like.
    pub fn request(&self, name: &str) -> Vec<u8> {
        self.request_with(name, &["-no_nonce"])
    }

    /// As [`Lab::request`], with more options of `openssl ocsp`.
    pub fn request_with(&self, name: &str, options: &[&str]) -> Vec<u8> {
        let (ca, certificate) = (format!("{}-ca.pem", &name[..4]), format!("{name}.pem"));
        let file = format!("request-{}.der", free_port());
        let args = ["ocsp", "-issuer", &ca, "-cert", &certificate, "-reqout", &file];
        let said = run(self.server.dir(), "openssl", &[&args[..], options].concat());
        assert_eq!(said.code, Some(0), "{said:?}");
        fs::read(self.path(&file)).unwrap()
    }

    pub fn shown<'a>(&'a self, name: &'a str) -> Shown<'a> {
        let pki = if name == "stranger" { &self.strangers } else { &self.verifiers };
        Shown { pki, name: Some(name) }
    }

    /// A connection of the verifier `name`.
    pub fn connect(&self, name: &str) -> Client {
        Client::connect(self.port, &self.shown(name), &[]).unwrap_or_else(|why| panic!("{name}: {why}"))
    }

    pub fn nobody(&self) -> Shown<'_> {
        Shown { pki: &self.verifiers, name: None }
    }

    /// The demo's request, asked by curl with `options`.
    pub fn curl(&self, request: &[u8], options: &[&str]) -> Said {
        fs::write(self.path("curl.der"), request).unwrap();
        let ca = self.verifiers.path("ca.pem");
        let url = format!("https://127.0.0.1:{}/", self.port);
        let args = [
            &["-sS", "--max-time", "60", "--cacert", ca.to_str().unwrap(), "-o", "answer.der"][..],
            &["-w", "%{http_code} %{http_version}", "-H", "Content-Type: application/ocsp-request"],
            &["--data-binary", "@curl.der"],
            options,
            &[url.as_str()],
        ];
        run(self.server.dir(), "curl", &args.concat())
    }

    /// `--cert` and `--key` of a verifier.
    pub fn curl_as(&self, name: &str, request: &[u8], options: &[&str]) -> Said {
        let pki = self.shown(name).pki;
        let (pem, key) = (pki.path(&format!("{name}.pem")), pki.path(&format!("{name}.key")));
        let own = ["--cert", pem.to_str().unwrap(), "--key", key.to_str().unwrap()];
        self.curl(request, &[&own[..], options].concat())
    }

    /// What openssl makes of the answer that curl brought.
    pub fn judged(&self, name: &str) -> String {
        let (ca, certificate) = (format!("{}-ca.pem", &name[..4]), format!("{name}.pem"));
        let args = ["ocsp", "-issuer", &ca, "-cert", &certificate, "-CAfile", &ca];
        let said = run(self.server.dir(), "openssl", &[&args[..], &["-respin", "answer.der"]].concat());
        format!("{}{}", said.out, said.err)
    }

    /// A metric's value; 0 where there is none of this name and these labels.
    pub fn metric(&self, line: &str) -> u64 {
        let page = crate::support::get(&format!("{}/metrics", self.server.admin)).text();
        let found = page.lines().find_map(|one| one.strip_prefix(line)?.trim().parse::<f64>().ok());
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it counts")]
        found.map_or(0, |value| value as u64)
    }

    /// SIGHUP, and until `words` have been logged once more.
    pub fn reload_until(&self, words: &str) {
        let before = self.server.said().matches(words).count();
        self.server.reload();
        wait_until(
            || self.server.said(),
            || (self.server.said().matches(words).count() > before).then_some(()),
        );
    }

    pub fn reload(&self) {
        self.reload_until("the configuration was reloaded");
    }
}
