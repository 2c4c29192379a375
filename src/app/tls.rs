//! From `server.tls` to what the TLS listener shows: reads the files, and checks that they belong together.
//!
//! Called by `serve`, by the intake when it reloads, and by `check`.

use super::Fault;
use crate::config::{TlsConfig, io_reason};
use crate::http::{TlsFile, TlsIdentity, TlsMaterial};
use crate::x509::{Certificate, UnixTime};
use std::path::Path;

/// How long before its end a certificate is worth a word.
const ENDS_SOON: i64 = 14 * 86_400;

/// # Errors
/// Every file that cannot be read, or the first that does not fit.
pub(super) fn load(config: &TlsConfig) -> Result<TlsIdentity, Vec<Fault>> {
    let read = |path: &Path| std::fs::read(path).map_err(|why| Fault::of_file(path, io_reason(&why)));
    let (certificate, key) = (read(&config.certificate), read(&config.key));
    let client_ca = config.client_ca.as_deref().map(read).transpose();
    let (certificate, key, client_ca) = match (certificate, key, client_ca) {
        (Ok(certificate), Ok(key), Ok(client_ca)) => (certificate, key, client_ca),
        (certificate, key, client_ca) => {
            return Err([certificate.err(), key.err(), client_ca.err()].into_iter().flatten().collect());
        }
    };
    let material = TlsMaterial {
        certificate: &certificate,
        key: &key,
        client_ca: client_ca.as_deref(),
        client_certificates: config.client_certificates,
        oldest: config.oldest,
    };
    TlsIdentity::new(&material).map_err(|why| {
        let path = match why.file() {
            TlsFile::Certificate => &config.certificate,
            TlsFile::Key => &config.key,
            // It is there, or nothing could be wrong with it.
            TlsFile::ClientCa => config.client_ca.as_ref().unwrap_or(&config.certificate),
        };
        vec![Fault::of_file(path, why)]
    })
}

/// What the times of the certificates in these files say: what is over, and what will be before long.
pub(super) fn ends(config: &TlsConfig, now: UnixTime) -> (Vec<Fault>, Vec<Fault>) {
    let (mut over, mut soon) = (Vec::new(), Vec::new());
    for path in std::iter::once(&config.certificate).chain(&config.client_ca) {
        let certificates =
            std::fs::read(path).ok().and_then(|pem| Certificate::all_from_pem_or_der(&pem).ok());
        for certificate in certificates.unwrap_or_default() {
            let (name, end) = (certificate.subject_text(), certificate.not_after());
            if now > end {
                over.push(Fault::of_file(path, format!("{name} expired at {end} (get a new certificate)")));
            } else if now < certificate.not_before() {
                let begin = certificate.not_before();
                over.push(Fault::of_file(
                    path,
                    format!("{name} is not valid before {begin} (is the clock right?)"),
                ));
            } else if end.since(now) < ENDS_SOON {
                soon.push(Fault::of_file(
                    path,
                    format!("{name} expires at {end} (a reload takes up a new one)"),
                ));
            }
        }
    }
    (over, soon)
}
