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
    /// Without a trailing `/`: what GET puts the request behind.
    pub path: String,
}

/// Why nothing is sent there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("{url}: not an http:// URL (such as http://127.0.0.1:8080)")]
    NotHttp { url: String },
    #[error("{url}: TLS is not in this release (name the plain HTTP listener)")]
    Tls { url: String },
    #[error("{url}: no such host: {why} (check the name, or give an address)")]
    Unresolved { url: String, why: String },
    #[error(
        "{url}: {address} is not a loopback address: only this machine is put under load \
         (--allow-remote lifts the rule, for a responder whose owner agreed)"
    )]
    Remote { url: String, address: SocketAddr },
}

impl Target {
    /// From `http://HOST[:PORT][/PATH]`.
    pub fn new(url: &str, reach: Reach) -> Result<Self, TargetError> {
        let owned = || url.to_owned();
        if url.starts_with("https://") {
            return Err(TargetError::Tls { url: owned() });
        }
        let rest = url.strip_prefix("http://").ok_or_else(|| TargetError::NotHttp { url: owned() })?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        // What goes into a request's head must not be able to end a line of it.
        let printable = rest.bytes().all(|octet| octet.is_ascii_graphic());
        if authority.is_empty() || authority.contains('@') || !printable || path.contains(['?', '#']) {
            return Err(TargetError::NotHttp { url: owned() });
        }
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let with_port = if has_port { authority.to_owned() } else { format!("{authority}:80") };
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
        Ok(Self { url: owned(), address, authority: authority.to_owned(), path })
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
    fn what_is_no_plain_http_url_is_refused() {
        assert!(matches!(target("https://127.0.0.1"), Err(TargetError::Tls { .. })));
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
