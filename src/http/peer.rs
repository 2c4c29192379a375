//! Who is at the other end of a connection: where it comes from, and the certificate that it showed.
//!
//! Made once a connection by [`super::listener`], and looked at for each request: what a certificate is worth may
//! change while the connection stands.

use crate::verifiers::{CertificateKey, Standing};
use crate::x509::Certificate;
use std::net::IpAddr;

/// The other end of a connection.
#[derive(Debug)]
pub(super) struct Peer {
    /// IPv4 as such, also where it came by a socket of both kinds.
    pub address: IpAddr,
    pub certificate: Option<PeerCertificate>,
}

impl Peer {
    pub fn new(address: IpAddr, certificate: Option<PeerCertificate>) -> Self {
        Self { address: address.to_canonical(), certificate }
    }
}

/// What a client showed in the handshake; TLS has verified it, and that the client has its key.
#[derive(Debug)]
pub(super) struct PeerCertificate {
    pub fingerprint: CertificateKey,
    /// What it is looked up by where the registry has names; `None`: it is stranger than what is read here.
    pub names: Option<CertificateKey>,
    pub certificate: Option<Certificate>,
    pub standing: Standing,
}

impl PeerCertificate {
    pub fn new(der: &[u8]) -> Self {
        let certificate = Certificate::from_der(der).ok();
        let names = certificate.as_ref();
        let names = names.and_then(|one| CertificateKey::of_names(one.issuer(), one.subject()).ok());
        let (fingerprint, standing) = (CertificateKey::of_der(der), Standing::default());
        Self { fingerprint, names, certificate, standing }
    }
}
