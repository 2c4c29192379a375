//! `server.tls`: what the TLS listener shows, and what it demands of clients.

use super::Walk;
use crate::config::document::Field;
use crate::config::{ClientCertificates, OldestTls, TlsConfig};
use std::net::SocketAddr;

const EXAMPLE: &str = "tls = { listen = [\"0.0.0.0:8443\"], certificate = \"tls.pem\", key = \"tls.key\" }";

const CLIENT_CERTIFICATES: &[(&str, ClientCertificates)] =
    &[("required", ClientCertificates::Required), ("optional", ClientCertificates::Optional)];

const VERSIONS: &[(&str, OldestTls)] = &[("1.2", OldestTls::Tls12), ("1.3", OldestTls::Tls13)];

impl Walk<'_> {
    /// `plain` is where HTTP is spoken without TLS.
    pub(super) fn tls(&mut self, field: &Field<'_>, plain: &[SocketAddr]) -> Option<TlsConfig> {
        let mut section = self.table(field, "server.tls.", EXAMPLE)?;
        let listen = section.require("listen", &mut self.problems, "listen = [\"0.0.0.0:8443\"]");
        let listen = listen.map(|field| {
            let addresses = self.addresses(&field);
            for twice in addresses.iter().filter(|address| address.port() != 0 && plain.contains(address)) {
                let hint = "give TLS a port of its own, as in \"0.0.0.0:8443\"";
                field.wrong(&mut self.problems, format!("{twice} already serves plain HTTP"), hint);
            }
            addresses
        });
        let certificate = self.required_path(&mut section, "certificate", "certificate = \"tls.pem\"");
        let key = self.required_path(&mut section, "key", "key = \"tls.key\"");
        let client_ca = section.take("client_ca").and_then(|field| self.path(&field));
        let demanded = section.take("client_certificates");
        if let (Some(demanded), None) = (&demanded, &client_ca) {
            let hint = "add client_ca = \"verifiers-ca.pem\", the CAs that issue them";
            demanded.wrong(&mut self.problems, "nobody is named whose certificates would count", hint);
        }
        let client_certificates = demanded.and_then(|field| self.word(&field, CLIENT_CERTIFICATES));
        let oldest = section.take("min_version").and_then(|field| self.word(&field, VERSIONS));
        section.finish(&mut self.problems);
        Some(TlsConfig {
            listen: listen.unwrap_or_default(),
            certificate: certificate.unwrap_or_default(),
            key: key.unwrap_or_default(),
            client_ca,
            client_certificates: client_certificates.unwrap_or_default(),
            oldest: oldest.unwrap_or_default(),
        })
    }
}
