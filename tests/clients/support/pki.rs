//! A small PKI made by openssl: CRLs and certificates that our own code had no hand in.

use super::{Said, run};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const CONFIGURATION: &str = "\
[ca]
default_ca = here
[here]
database = index.txt
crlnumber = crlnumber
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
policy = any
unique_subject = no
crl_extensions = crl
[any]
countryName = optional
organizationName = optional
commonName = supplied
[req]
distinguished_name = dn
string_mask = utf8only
[dn]
[crl]
authorityKeyIdentifier = keyid
[pointed]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical,@point
[point]
fullname = URI:http://crl.example/north.crl
[critical]
authorityKeyIdentifier = keyid
1.3.6.1.4.1.32473.1 = critical,ASN1:NULL
[strange]
authorityKeyIdentifier = keyid
1.3.6.1.4.1.32473.1 = ASN1:NULL
[partition_a]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical,@point_a
[point_a]
fullname = URI:http://crl.example/a
[partition_b]
authorityKeyIdentifier = keyid
issuingDistributionPoint = critical,@point_b
[point_b]
fullname = URI:http://crl.example/b
[delta_from_5]
authorityKeyIdentifier = keyid
2.5.29.27 = critical,DER:020105
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[responder]
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[plain]
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[web]
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// The name of the CA that the servers here serve.
pub const NAME: &str = "/C=JP/O=Prefecture of Tests/CN=Test CA";

/// A configuration that is right, less its ports; tests break it.
const SERVED: &str = "\
[store]
path = \"data\"

[[issuer]]
name = \"test\"
certificate = \"ca.pem\"
signer = { certificate = \"ocsp.pem\", key = \"ocsp.key\" }
crls = [\"ca.crl\"]
";

/// A CA in a folder of its own: `ca.pem`, `ca.key` and what it issues.
pub struct Pki {
    dir: TempDir,
}

/// What is to stand in a CRL. Serial numbers in hexadecimal, two digits an octet.
#[derive(Clone, Copy)]
pub struct Crl<'a> {
    pub number: &'a str,
    pub this_update: &'a str,
    pub next_update: &'a str,
    /// Serial number and reason.
    pub entries: &'a [(&'a str, &'a str)],
    /// When each of them was revoked, as UTCTime.
    pub revoked: &'a str,
    /// `crl`, `critical` with an extension that nobody knows, `strange` with one
    /// that is not critical, `pointed`, `partition_a` or `partition_b` of a
    /// distribution point, `delta_from_5`.
    pub extensions: &'a str,
}

impl Crl<'_> {
    /// In force since years, for years to come.
    pub const CURRENT: Crl<'static> = Crl {
        number: "05",
        this_update: "20240101000000Z",
        next_update: "20490101000000Z",
        entries: &[("1001", "keyCompromise")],
        revoked: "231101000000Z",
        extensions: "crl",
    };
}

impl Pki {
    /// A CA with a key of its own under `name`, and an OCSP signer `ocsp.pem`.
    pub fn new(name: &str) -> Self {
        let pki = Self { dir: TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap() };
        pki.write("ca.cnf", CONFIGURATION);
        pki.write("index.txt", "");
        pki.write("serial", "50\n");
        pki.key("ca.key");
        let request = ["req", "-x509", "-new", "-key", "ca.key", "-days", "3650", "-config", "ca.cnf"];
        pki.openssl(&[&request[..], &["-subj", name, "-extensions", "authority", "-out", "ca.pem"]].concat());
        pki.issue("ocsp", "responder", "20240101000000Z", "20350101000000Z");
        pki
    }

    /// The CA that the servers serve: `ocsprey.toml` with its current CRL.
    pub fn served() -> Self {
        let pki = Self::new(NAME);
        pki.crl("ca.crl", Crl::CURRENT);
        pki.write("ocsprey.toml", SERVED);
        pki
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn into_dir(self) -> TempDir {
        self.dir
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    pub fn openssl(&self, args: &[&str]) -> Said {
        let said = run(self.dir(), "openssl", args);
        assert_eq!(said.code, Some(0), "openssl {args:?}: {said:#?}");
        said
    }

    fn key(&self, name: &str) {
        let curve = ["-pkeyopt", "ec_paramgen_curve:P-256"];
        self.openssl(&[&["genpkey", "-algorithm", "EC", "-out", name][..], &curve].concat());
    }

    /// `NAME.pem` and `NAME.key`, valid from `start` to `end`.
    pub fn issue(&self, name: &str, extensions: &str, start: &str, end: &str) {
        let [key, certificate, request, subject] =
            [format!("{name}.key"), format!("{name}.pem"), format!("{name}.csr"), format!("/CN={name}")];
        self.key(&key);
        self.openssl(&[
            "req", "-new", "-key", &key, "-subj", &subject, "-config", "ca.cnf", "-out", &request,
        ]);
        let kind = ["-extensions", extensions, "-startdate", start, "-enddate", end];
        self.openssl(
            &[
                &["ca", "-config", "ca.cnf", "-batch", "-notext", "-in", &request, "-out", &certificate][..],
                &kind,
            ]
            .concat(),
        );
    }

    /// Signs a CRL into the file `name`, in DER, and returns its octets.
    pub fn crl(&self, name: &str, crl: Crl<'_>) -> Vec<u8> {
        let row = |(serial, reason): &(&str, &str)| {
            let revoked = crl.revoked;
            format!("R\t491231000000Z\t{revoked},{reason}\t{serial}\tunknown\t/CN=card {serial}\n")
        };
        let issued = fs::read(self.path("index.txt")).unwrap();
        self.write("index.txt", crl.entries.iter().map(row).collect::<String>());
        self.write("crlnumber", format!("{}\n", crl.number));
        let times = ["-crl_lastupdate", crl.this_update, "-crl_nextupdate", crl.next_update];
        let into = ["-crlexts", crl.extensions, "-out", "crl.pem"];
        self.openssl(&[&["ca", "-config", "ca.cnf", "-gencrl"][..], &times, &into].concat());
        self.write("index.txt", issued);
        self.openssl(&["crl", "-in", "crl.pem", "-outform", "DER", "-out", name]);
        fs::read(self.path(name)).unwrap()
    }
}
