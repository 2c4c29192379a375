//! The values of a configuration that are more than text: addresses, durations, sizes, sources.
//!
//! Called by `read` alone. Each function says in its error what is wrong, and in its hint how
//! it is written; neither ever panics on any text.

use super::CrlSource;
use crate::asn1::{Reader, tag};
use crate::ocsp::CertIdForm;
use crate::verifiers::{Network, NetworkError};
use crate::x509::UnixTime;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// Why a text is not such a value, and what to write instead.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) why: String,
    pub(super) hint: String,
}

fn wrong<T>(why: impl Into<String>, hint: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong { why: why.into(), hint: hint.into() })
}

/// `127.0.0.1:8080`, `[::1]:8080`. No names: which address a name means is not decided at start-up.
pub(super) fn address(text: &str) -> Result<SocketAddr, Wrong> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let why = format!("\"{text}\" is not an address and port");
    if let Some(port) = text.strip_prefix(':').filter(|port| port.parse::<u16>().is_ok()) {
        return wrong(why, format!("for every address of this machine write \"0.0.0.0:{port}\""));
    }
    if text.parse::<std::net::IpAddr>().is_ok() {
        return wrong(why, "add the port, as in \"127.0.0.1:8080\" or \"[::1]:8080\"");
    }
    if let Some((host, port)) = text.rsplit_once(':')
        && port.parse::<u16>().is_ok()
        && host.starts_with(|first: char| first.is_ascii_alphabetic())
        && !host.contains(':')
    {
        let number = if host == "localhost" { "127.0.0.1" } else { "its IP address" };
        return wrong(why, format!("instead of {host} write {number}, as in \"127.0.0.1:{port}\""));
    }
    wrong(why, "write it like \"127.0.0.1:8080\" or \"[::1]:8080\"")
}

/// `24h`, `1day 12h`, `90m`: whole seconds, from one second to a year.
pub(super) fn duration(text: &str) -> Result<Duration, Wrong> {
    let duration = whole_seconds(text)?;
    if duration > Duration::from_secs(366 * 86_400) {
        return wrong(format!("\"{text}\" is over a year"), "write it like \"24h\", \"90m\" or \"1day 12h\"");
    }
    Ok(duration)
}

/// `10years`, `90days`: as [`duration`], up to a hundred years.
pub(super) fn long_duration(text: &str) -> Result<Duration, Wrong> {
    let duration = whole_seconds(text)?;
    if duration > Duration::from_secs(100 * 366 * 86_400) {
        return wrong(
            format!("\"{text}\" is over a hundred years"),
            "write it like \"10years\" or \"90days\"",
        );
    }
    Ok(duration)
}

/// `+09:00`, `-05:30`, `Z`: seconds ahead of UTC.
pub(super) fn utc_offset(text: &str) -> Result<i64, Wrong> {
    let number = |digits: &str, below: i64| {
        let number = digits.bytes().all(|octet| octet.is_ascii_digit()).then(|| digits.parse::<i64>().ok());
        number.flatten().filter(|number| digits.len() == 2 && *number < below)
    };
    let offset = || {
        if matches!(text, "Z" | "UTC") {
            return Some(0);
        }
        let (sign, rest) = match text.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.strip_prefix('+')?),
        };
        let (hours, minutes) = rest.split_once(':')?;
        Some(sign * (number(hours, 15)? * 3600 + number(minutes, 60)? * 60))
    };
    match offset() {
        Some(seconds) => Ok(seconds),
        None => wrong(
            format!("\"{text}\" is not a difference from UTC"),
            "write it like \"+09:00\", \"-05:30\" or \"Z\"; daylight saving time is not followed",
        ),
    }
}

/// `30%`, from 0 to 100.
pub(super) fn percent(text: &str) -> Result<u8, Wrong> {
    let number = text.trim().strip_suffix('%').and_then(|number| number.trim_end().parse::<u8>().ok());
    match number.filter(|number| *number <= 100) {
        Some(number) => Ok(number),
        None => {
            wrong(format!("\"{text}\" is not a part of the whole"), "write it like \"30%\", from 0% to 100%")
        }
    }
}

/// `sha1`, `sha256-bare`: a form of CertIDs that is not among `others`.
pub(super) fn cert_id_form(text: &str, others: &[CertIdForm]) -> Result<CertIdForm, Wrong> {
    match CertIdForm::ALL.into_iter().find(|form| form.name() == text) {
        Some(form) if !others.contains(&form) => Ok(form),
        Some(_) => wrong(format!("\"{text}\" stands there twice"), "write it once"),
        None => {
            let names = CertIdForm::ALL.map(CertIdForm::name).join(", ");
            wrong(format!("\"{text}\" is not a form of CertIDs"), format!("one of {names}"))
        }
    }
}

fn whole_seconds(text: &str) -> Result<Duration, Wrong> {
    let hint = "write it like \"24h\", \"90m\" or \"1day 12h\"";
    let Ok(duration) = humantime::parse_duration(text) else {
        return wrong(format!("\"{text}\" is not a duration"), hint);
    };
    if duration < Duration::from_secs(1) || duration.subsec_nanos() != 0 {
        return wrong(format!("\"{text}\" is not a duration of whole seconds, one or more"), hint);
    }
    Ok(duration)
}

/// `1GiB`, `512 MiB`, `65536`: octets.
pub(super) fn size(text: &str) -> Result<u64, Wrong> {
    let hint = "write it like \"1GiB\" or \"512MiB\"";
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        _ => return wrong(format!("\"{text}\" is not a size"), hint),
    };
    let Ok(number) = number.parse::<u64>() else {
        return wrong(format!("\"{text}\" is not a size"), hint);
    };
    match number.checked_mul(factor) {
        Some(size) => Ok(size),
        None => wrong(format!("\"{text}\" is more than any machine has"), hint),
    }
}

/// A file, a folder or a URL. `folder` is what relative paths start at.
pub(super) fn crl_source(text: &str, folder: &Path) -> Result<CrlSource, Wrong> {
    if let Some((scheme, rest)) = text.split_once("://") {
        let web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        if !web {
            return wrong(
                format!("CRLs are not fetched over {scheme}:"),
                "use http:// or https://, or fetch them into a folder and name that",
            );
        }
        if rest.is_empty() || rest.starts_with('/') || rest.contains(char::is_whitespace) {
            return wrong(
                format!("\"{text}\" is not a URL"),
                "write it like \"http://crl.example/auth.crl\"",
            );
        }
        return Ok(CrlSource::Url(text.into()));
    }
    let path = folder.join(text);
    Ok(if text.ends_with('/') || path.is_dir() { CrlSource::Folder(path) } else { CrlSource::File(path) })
}

/// Where a collector takes traces. It stands in the log when nobody does.
pub(super) fn collector(text: &str) -> Result<String, Wrong> {
    let hint = "write it like \"http://127.0.0.1:4318/v1/traces\"";
    let Some((scheme, rest)) = text.split_once("://") else {
        return wrong(format!("\"{text}\" is not a URL"), hint);
    };
    if !["http", "https"].iter().any(|web| scheme.eq_ignore_ascii_case(web)) {
        return wrong(
            format!("traces are not sent over {scheme}:"),
            "use http:// or https://: OTLP over HTTP, in JSON",
        );
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    if authority.contains('@') || path.contains(['?', '#']) {
        let hint = "what a collector wants to know beside is for one on this machine to add";
        return wrong("is more than a host, a port and a path", hint);
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (authority, "443"),
    };
    let is_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty() && host.bytes().all(|one| one.is_ascii_alphanumeric() || b"-._".contains(&one))
        }
    };
    let is_port =
        port.bytes().all(|one| one.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0);
    if !is_host || !is_port || !path.bytes().all(|one| one.is_ascii_graphic()) {
        return wrong(format!("\"{text}\" is not a URL"), hint);
    }
    if path.is_empty() {
        return wrong("names no path", format!("collectors have one for traces: {hint}"));
    }
    Ok(text.into())
}

/// A Name as RFC 4514 writes it: its DER.
pub(super) fn name(text: &str) -> Result<Vec<u8>, Wrong> {
    let general = if text.contains("://") { None } else { crate::cli::distribution_point(text) };
    // What a distribution point's text means is a GeneralName around the Name.
    let name = general.and_then(|general| {
        let mut reader = Reader::new(&general);
        Some(reader.expect(tag::context_constructed(4)).ok()?.content.to_vec())
    });
    match name {
        Some(name) => Ok(name),
        None => wrong(format!("\"{text}\" is not a name"), "write it like \"CN=Bank,O=Example,C=JP\""),
    }
}

/// SHA-256 in hexadecimal, with colons or without.
pub(super) fn fingerprint(text: &str) -> Result<[u8; 32], Wrong> {
    let digits: Vec<u8> = text.bytes().filter(|octet| *octet != b':').collect();
    let octet = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let octets: Option<Vec<u8>> = digits.chunks(2).map(octet).collect();
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    match octets.filter(|_| is_hex).and_then(|octets| octets.try_into().ok()) {
        Some(fingerprint) => Ok(fingerprint),
        None => wrong(
            format!("\"{text}\" is not a SHA-256 fingerprint"),
            "`openssl x509 -in FILE -noout -fingerprint -sha256` says it: 64 hexadecimal digits",
        ),
    }
}

/// `2027-01-01`, `2027-01-01T08:00:00Z`.
pub(super) fn date(text: &str) -> Result<UnixTime, Wrong> {
    let parts: Vec<u32> =
        text.split(['-', 'T', ' ', ':', 'Z']).filter_map(|part| part.parse().ok()).collect();
    let shaped = |shape: &str| {
        let same = |(one, form): (u8, u8)| if form == b'0' { one.is_ascii_digit() } else { one == form };
        text.len() == shape.len() && text.bytes().zip(shape.bytes()).all(same)
    };
    let time = match parts[..] {
        [year, month, day] if shaped("0000-00-00") => UnixTime::from_civil(year.into(), month, day, 0, 0, 0),
        [year, month, day, hour, minute, second]
            if shaped("0000-00-00T00:00:00Z") || shaped("0000-00-00 00:00:00Z") =>
        {
            UnixTime::from_civil(year.into(), month, day, hour, minute, second)
        }
        _ => None,
    };
    match time {
        Some(time) => Ok(time),
        None => wrong(
            format!("\"{text}\" is not a date"),
            "write it like \"2027-01-01\" or \"2027-01-01T08:00:00Z\", in UTC",
        ),
    }
}

/// `22:00`: seconds since midnight.
pub(super) fn time_of_day(text: &str) -> Result<u32, Wrong> {
    let parsed = text.split_once(':').and_then(|(hour, minute)| {
        let (hour, minute): (u32, u32) = (hour.parse().ok()?, minute.parse().ok()?);
        (hour < 24 && minute < 60).then_some(hour * 3600 + minute * 60)
    });
    match parsed {
        Some(seconds) => Ok(seconds),
        None => wrong(format!("\"{text}\" is not a time of day"), "write it like \"22:00\", in UTC"),
    }
}

/// A field name of HTTP (RFC 9110 5.1).
pub(super) fn field_name(text: &str) -> Result<String, Wrong> {
    let fit = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    if text.bytes().all(fit) && text.len() <= 64 {
        return Ok(text.to_ascii_lowercase());
    }
    wrong(format!("\"{text}\" is not the name of an HTTP header"), "write it like \"OCSP-On-Behalf-Of\"")
}

/// `192.0.2.0/24`.
pub(super) fn network(text: &str) -> Result<Network, Wrong> {
    let hint = "write it like \"192.0.2.0/24\", \"2001:db8::/32\" or \"192.0.2.7\"";
    text.parse().or_else(|why: NetworkError| wrong(format!("\"{text}\" {why}"), hint))
}

/// A verifier's id: it stands in metrics, reports and the store.
pub(super) fn verifier_id(text: &str) -> Result<String, Wrong> {
    let hint = "letters, digits, \"-\", \"_\" and \".\", as in \"first-bank\"";
    let fit = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    if !text.chars().all(fit) || text.len() > 64 {
        return wrong(format!("\"{text}\" is no good as an id of at most 64 characters"), hint);
    }
    Ok(text.into())
}

/// An issuer's name: it becomes a metric label and an argument of `--issuer`.
pub(super) fn issuer_name(text: &str) -> Result<String, Wrong> {
    let hint = "letters, digits, \"-\", \"_\" and \".\", as in \"user-authentication\"";
    let fit = |char: char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_' | '.');
    if !text.chars().all(fit) || text.len() > 64 {
        return wrong(format!("\"{text}\" is no good as a name of at most 64 characters"), hint);
    }
    if text == "none" {
        return wrong("\"none\" is what metrics call requests for no issuer of ours", "choose another name");
    }
    Ok(text.into())
}
