//! `server.tls`.

use super::*;

fn server(text: &str) -> Server {
    parse(&format!("[server]\n{text}\n{ISSUER}")).unwrap().server
}

#[test]
fn contract_3_tls_takes_the_place_of_plain_http_or_stands_beside_it() {
    let tls = "tls = { listen = [\"0.0.0.0:8443\"], certificate = \"t.pem\", key = \"t.key\", client_ca = \"c.pem\" }";
    let expected = TlsConfig {
        listen: vec!["0.0.0.0:8443".parse().unwrap()],
        certificate: "/etc/ocsprey/t.pem".into(),
        key: "/etc/ocsprey/t.key".into(),
        client_ca: Some("/etc/ocsprey/c.pem".into()),
        client_certificates: ClientCertificates::Required,
        oldest: OldestTls::Tls12,
    };
    for none in ["", "listen = []\n"] {
        let alone = server(&format!("{none}{tls}"));
        assert_eq!((alone.listen.len(), alone.tls.as_ref()), (0, Some(&expected)), "{none}");
    }
    let both = server(&format!("listen = [\"127.0.0.1:8080\"]\n{tls}"));
    let listeners: Vec<_> = both.listeners().map(|(key, address)| format!("{key} {address}")).collect();
    assert_eq!(listeners, ["server.listen 127.0.0.1:8080", "server.tls.listen 0.0.0.0:8443"]);
}

#[test]
fn what_tls_demands_of_clients_is_said_in_words() {
    let tls = "certificate = \"t.pem\"\nkey = \"t.key\"\nclient_ca = \"c.pem\"";
    let more = "client_certificates = \"optional\"\nmin_version = \"1.3\"";
    let found = server(&format!("[server.tls]\nlisten = \"0.0.0.0:8443\"\n{tls}\n{more}")).tls.unwrap();
    assert_eq!((found.client_certificates, found.oldest), (ClientCertificates::Optional, OldestTls::Tls13));
}

#[test]
fn everything_that_is_wrong_with_tls_is_told() {
    let text = "[server]\nlisten = [\"127.0.0.1:8443\"]\n[server.tls]\nlisten = [\"127.0.0.1:8443\"]\nkey = \"\"\n\
                client_certificates = \"optional\"\nmin_version = \"1.1\"\nclient_caa = 1\n";
    assert_eq!(
        problems_above(text),
        [
            "line 3, server.tls.certificate: is missing (write it like certificate = \"tls.pem\")",
            "line 4, server.tls.listen: 127.0.0.1:8443 already serves plain HTTP (give TLS a port of its own, as in \"0.0.0.0:8443\")",
            "line 5, server.tls.key: is empty (write it like \"certs/ca.pem\", a path in quotes)",
            "line 6, server.tls.client_certificates: nobody is named whose certificates would count (add client_ca = \"verifiers-ca.pem\", the CAs that issue them)",
            "line 7, server.tls.min_version: \"1.1\" is not a choice here (did you mean \"1.2\"? known: 1.2, 1.3)",
            "line 8, server.tls.client_caa: unknown key (did you mean client_ca?)",
        ]
    );
}
