//! What a person orders of a running server: a scope that is retired, a CRL that is taken back, a report of usage.
//!
//! The bodies of `POST /api/v1/crls/drop` and `POST /api/v1/crls/rollback`: read here by the admin pages, written by
//! `ocsprey crl drop|rollback --admin`, carried out by `app`. A key that is not known is an error: a misspelt
//! `scope` must not stand for all of them.

use super::ocsp_post::BodyRefusal;
use super::status_page::form_field;
use hyper::HeaderMap;
use hyper::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};

/// Octets of an order: names and a distribution point.
pub(super) const ORDER_OCTETS: usize = 16 << 10;

/// What is to become of CRLs that are held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    Drop(DropOrder),
    RollBack(RollbackOrder),
}

/// Retire a scope: see `ocsprey crl drop`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropOrder {
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// The distribution point as the status shows it.
    pub scope: String,
    /// Whose CRLs of it, where several keys sign some: the beginning of a signer's name as the status shows it, or
    /// `all`. `None`: those that are not of the newest live key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// Also if holds are released by it, or nothing is left to answer from.
    #[serde(default)]
    pub force: bool,
}

/// Take CRLs back: see `ocsprey crl rollback`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackOrder {
    /// The issuer's name in the configuration.
    pub issuer: String,
    /// The distribution point as the status shows it; `None`: all of the issuer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The backup to go back to: to a running server its name below `store.backups`. `None`: the newest copy from
    /// before the CRLs that are in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// What a report of usage is to tell: the query of `GET /api/v1/usage`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UsageQuestion {
    /// Days, like 2026-11-22; the last is included.
    pub from: String,
    pub to: String,
    /// Only this verifier's; `-` for those of nobody who is registered.
    pub verifier: Option<String>,
    /// A line for each day.
    pub daily: bool,
}

impl UsageQuestion {
    /// From a query. A word that is not known is an error: a bill of too much is worse than none.
    pub(super) fn of_query(query: Option<&str>) -> Result<Self, String> {
        let query = query.unwrap_or_default().as_bytes();
        let mut question = Self::default();
        for pair in query.split(|octet| *octet == b'&').filter(|pair| !pair.is_empty()) {
            let value = |name| form_field(pair, name);
            match (value("from"), value("to"), value("verifier"), value("daily").as_deref()) {
                (Some(from), ..) => question.from = from,
                (_, Some(to), ..) => question.to = to,
                (_, _, Some(verifier), _) => question.verifier = Some(verifier),
                (_, _, _, Some("0")) => question.daily = false,
                (_, _, _, Some("1")) => question.daily = true,
                _ => {
                    let pair = String::from_utf8_lossy(pair);
                    return Err(format!(
                        "\"{pair}\" is not known here: there are from=DATE, to=DATE, verifier=ID and daily=1"
                    ));
                }
            }
        }
        if question.from.is_empty() || question.to.is_empty() {
            return Err("say of which days with from=DATE and to=DATE".to_owned());
        }
        Ok(question)
    }
}

/// Why a body is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoOrder {
    /// What a page of another site could send from the browser of whoever may reach this address is not JSON.
    #[error("send JSON, with Content-Type: application/json")]
    MediaType,
    #[error("the body did not arrive whole, or is over {ORDER_OCTETS} octets")]
    Broken,
    #[error("this is no such order: {0}")]
    Unread(String),
}

pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).map_or(&b""[..], |value| value.as_bytes());
    let essence = value.split(|octet| *octet == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

pub(super) fn read<T: for<'a> Deserialize<'a>>(
    body: Result<bytes::Bytes, BodyRefusal>,
) -> Result<T, NoOrder> {
    let body = body.map_err(|_| NoOrder::Broken)?;
    serde_json::from_slice(&body).map_err(|why| NoOrder::Unread(why.to_string()))
}
