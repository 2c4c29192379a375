//! Speaking HTTP to a responder or to its admin pages: one agent, and its errors in words.
//!
//! Used by `query`, and by whatever has `--admin`.

use super::Failure;
use serde::Serialize;
use serde_json::Value;
use std::io;
use std::time::Duration;

/// To connect; a responder that takes longer is as good as gone.
const CONNECT: Duration = Duration::from_secs(5);

/// An agent that gives up after `patience` and leaves judging HTTP statuses to the caller.
pub(super) fn agent(patience: Duration) -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(patience))
        .user_agent(concat!("ocsprey/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// `url`, with `http://` in front where no scheme stands.
///
/// # Errors
/// When it has another scheme than http and https, or no host. `what` names where it stood.
pub(super) fn url(what: &str, url: &str) -> Result<String, Failure> {
    let example = "write it like http://127.0.0.1:8080";
    let full = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
    let rest = full.strip_prefix("http://").or_else(|| full.strip_prefix("https://"));
    match rest {
        None => Err(Failure::usage(what, format!("\"{url}\" is neither http:// nor https://"), example)),
        Some(host) if host.is_empty() || host.starts_with('/') || host.contains(char::is_whitespace) => {
            Err(Failure::usage(what, format!("\"{url}\" is not a URL"), example))
        }
        Some(_) => Ok(full),
    }
}

/// What is ordered may wait for a CRL of 50 million entries, and a backup for another disk.
pub(super) const REPORT_PATIENCE: Duration = Duration::from_secs(3600);
/// A report of thousands of scopes.
const MAX_REPORT: u64 = 64 << 20;

/// Has the server of these admin pages carry out an order, and gives its report. `what` stands in front of its
/// refusal.
///
/// # Errors
/// Why nothing was reported.
pub(super) fn order<T: Serialize>(admin: &str, path: &str, what: &str, order: &T) -> Result<Value, Failure> {
    let body = serde_json::to_string(order).map_err(|error| Failure::work(what, error, ""))?;
    let url = page(admin, path);
    let sent = agent(REPORT_PATIENCE).post(&url).header("Content-Type", "application/json").send(body);
    report(&url, what, sent)
}

/// The address of an admin page.
pub(super) fn page(admin: &str, path: &str) -> String {
    format!("{}{path}", admin.trim_end_matches('/'))
}

/// What an admin page says in JSON: a report, or `{"error": "…"}`.
///
/// # Errors
/// The page's error after `what`, or why there is no answer.
pub(super) fn report(
    url: &str,
    what: &str,
    sent: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Value, Failure> {
    let mut response = sent.map_err(|error| failure(url, &error))?;
    let status = response.status().as_u16();
    let body = response.body_mut().with_config().limit(MAX_REPORT).read_to_string();
    let body = body.map_err(|error| failure(url, &error))?;
    let value: Value = serde_json::from_str(&body).unwrap_or_default();
    match (status, value["error"].as_str()) {
        (200, _) => Ok(value),
        (404, _) => Err(Failure::work(
            url,
            "there is no such page",
            "is this the admin address of ocsprey, and is it of this version?",
        )),
        (_, Some(why)) => Err(Failure::work(what, why, "")),
        (_, None) => Err(Failure::work(url, format!("the server answered HTTP {status}"), "")),
    }
}

/// Why nothing came back.
pub(super) fn failure(what: &str, error: &ureq::Error) -> Failure {
    let (why, hint) = match error {
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::ConnectionRefused => {
                ("nobody listens there".to_owned(), "is the server running, and is this its address?")
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
                ("the connection was cut off".to_owned(), "the server's log may say why")
            }
            _ => (crate::config::io_reason(error), ""),
        },
        ureq::Error::Timeout(_) => (
            "no answer came in time".to_owned(),
            "is it the right address, and does a firewall let it through?",
        ),
        ureq::Error::HostNotFound => ("there is no host of this name".to_owned(), "check the spelling"),
        ureq::Error::BadUri(_) => ("it is not a URL".to_owned(), "write it like http://127.0.0.1:8080"),
        ureq::Error::BodyExceedsLimit(limit) => {
            (format!("the answer is over {limit} octets"), "is this the right URL?")
        }
        other => (other.to_string(), ""),
    };
    Failure::work(what, why, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_may_leave_out_its_scheme_but_not_its_host() {
        assert_eq!(url("--admin", "127.0.0.1:9090").unwrap(), "http://127.0.0.1:9090");
        assert_eq!(url("--admin", "https://x/y").unwrap(), "https://x/y");
        assert_eq!(
            url("--admin", "ftp://x").unwrap_err().to_string(),
            "--admin: \"ftp://x\" is neither http:// nor https:// (write it like http://127.0.0.1:8080)"
        );
        assert!(url("URL", "http://").is_err());
        assert!(url("URL", "").is_err());
    }

    #[test]
    fn nobody_at_the_address_is_told_plainly() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let address = format!("http://{closed}/");
        let error = agent(Duration::from_secs(5)).get(&address).call().unwrap_err();
        assert_eq!(
            failure(&address, &error).to_string(),
            format!("{address}: nobody listens there (is the server running, and is this its address?)")
        );
    }
}
