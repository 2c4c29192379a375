//! The responder that is put under load, and the rule that it is on this machine.
//!
//! Called by `command`. Invariants: a [`Target`] is a loopback address, or its caller said that a remote
//! one is meant. A load generator that can be pointed at anybody by a typing error is a weapon.

use std::net::{SocketAddr, ToSocketAddrs};

/// Whether a machine other than this one may be put under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    ThisMachine,
    /// `--allow-remote`
    Anywhere,
}

/// Where requests go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// As it was given.
    pub url: String,
    pub address: SocketAddr,
    /// `host:port`, as the Host header has it.
    pub authority: String,
    /// The host alone: the name that a certificate is for.
    pub host: String,
    /// Whether TLS is spoken.
    pub secure: bool,
    /// Without a trailing `/`: what GET puts the request behind.
    pub path: String,
}

/// Why nothing is sent there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("{url}: not an http:// or https:// URL (such as http://127.0.0.1:8080)")]
    NotHttp { url: String },
    #[error("{url}: no such host: {why} (check the name, or give an address)")]
    Unresolved { url: String, why: String },
    #[error(
        "{url}: {address} is not a loopback address: only this machine is put under load \
         (--allow-remote lifts the rule, for a responder whose owner agreed)"
    )]
    Remote { url: String, address: SocketAddr },
}

impl Target {
    /// From `http://HOST[:PORT][/PATH]`, or `https://`.
    pub fn new(url: &str, reach: Reach) -> Result<Self, TargetError> {
        let owned = || url.to_owned();
        let (rest, secure) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Err(TargetError::NotHttp { url: owned() }),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        // What goes into a request's head must not be able to end a line of it.
        let printable = rest.bytes().all(|octet| octet.is_ascii_graphic());
        if authority.is_empty() || authority.contains('@') || !printable || path.contains(['?', '#']) {
            return Err(TargetError::NotHttp { url: owned() });
        }
        let split = authority.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        let host = split.map_or(authority, |(host, _)| host).trim_matches(['[', ']']).to_owned();
        let default_port = if secure { 443 } else { 80 };
        let with_port = match split {
            Some(_) => authority.to_owned(),
            None => format!("{authority}:{default_port}"),
        };
        let addresses = with_port
            .to_socket_addrs()
            .map_err(|why| TargetError::Unresolved { url: owned(), why: why.to_string() })?;
        let addresses: Vec<SocketAddr> = addresses.collect();
        // Every address: a name that also leads elsewhere is not this machine.
        let remote = addresses.iter().find(|address| !address.ip().to_canonical().is_loopback());
        if let (Some(&address), Reach::ThisMachine) = (remote, reach) {
            return Err(TargetError::Remote { url: owned(), address });
        }
        let &address = addresses
            .first()
            .ok_or_else(|| TargetError::Unresolved { url: owned(), why: "it has no address".into() })?;
        let path = path.trim_end_matches('/').to_owned();
        Ok(Self { url: owned(), address, authority: authority.to_owned(), host, secure, path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, TargetError> {
        Target::new(url, Reach::ThisMachine)
    }

    #[test]
    fn this_machine_is_accepted_by_address_and_by_name() {
        let found = target("http://127.0.0.1:8080/ocsp/").unwrap();
        assert_eq!((found.address.port(), found.path.as_str()), (8080, "/ocsp"));
        assert_eq!(found.authority, "127.0.0.1:8080");
        assert_eq!(target("http://127.0.0.1").unwrap().address.port(), 80);
        assert!(target("http://127.9.9.9:1").is_ok());
        assert!(target("http://[::1]:8080").is_ok());
        assert!(target("http://[::ffff:127.0.0.1]:8080").is_ok());
        assert!(target("http://localhost:8080").is_ok());
    }

    #[test]
    fn another_machine_is_refused_by_the_rule_unless_it_is_lifted() {
        for url in
            ["http://192.0.2.1:80", "http://10.0.0.1:8080/", "http://0.0.0.0:80", "http://[2001:db8::1]:80"]
        {
            let error = target(url).unwrap_err();
            assert!(matches!(error, TargetError::Remote { .. }), "{url}: {error:?}");
            let told = error.to_string();
            assert!(told.contains("only this machine") && told.contains("--allow-remote"), "{told}");
            assert!(Target::new(url, Reach::Anywhere).is_ok(), "{url}");
        }
    }

    #[test]
    fn https_has_its_own_port_and_keeps_the_name_for_the_certificate() {
        let found = target("https://localhost/ocsp").unwrap();
        assert_eq!((found.address.port(), found.secure, found.host.as_str()), (443, true, "localhost"));
        let found = target("https://[::1]:8443").unwrap();
        assert_eq!((found.address.port(), found.secure, found.host.as_str()), (8443, true, "::1"));
        assert!(!target("http://localhost:8080").unwrap().secure);
        assert!(matches!(target("https://192.0.2.1"), Err(TargetError::Remote { .. })));
    }

    #[test]
    fn what_is_no_http_url_is_refused() {
        for url in [
            "127.0.0.1:80",
            "http://",
            "http://a@127.0.0.1",
            "http://127.0.0.1/a b",
            "http://127.0.0.1/\r\nX: y",
        ] {
            assert!(matches!(target(url), Err(TargetError::NotHttp { .. })), "{url}");
        }
    }
}
