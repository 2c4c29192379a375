//! Traces as OTLP has them: `ExportTraceServiceRequest` in the JSON encoding of protobuf, with OTLP's two exceptions,
//! identifiers in hexadecimal and enumerations as numbers (OTLP 1.x, "JSON Protobuf Encoding"). Whole numbers of
//! 64 bits are texts there.

use super::{Attribute, Dated, Kind, Span, Trace, Value};
use crate::signing::{NoRandomness, fill_random};
use serde::{Deserialize, Serialize};
use std::time::{Instant, UNIX_EPOCH};

const SPAN_KIND_INTERNAL: u8 = 1;
const SPAN_KIND_CLIENT: u8 = 3;
const STATUS_CODE_ERROR: u8 = 2;

/// What is said of the process.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Tells one machine from another.
    pub host: Option<String>,
}

/// The request that brings `batch` to a collector.
///
/// # Errors
/// When there are no random numbers to name spans by.
pub fn encode(resource: &Resource, batch: &[Dated]) -> Result<Vec<u8>, NoRandomness> {
    let mut about = vec![
        KeyValue::word("service.name", env!("CARGO_PKG_NAME")),
        KeyValue::word("service.version", env!("CARGO_PKG_VERSION")),
    ];
    about.extend(resource.host.as_deref().map(|host| KeyValue::word("host.name", host)));
    let mut spans = Vec::new();
    for dated in batch {
        push_trace(&mut spans, dated)?;
    }
    let scope = Scope { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION") };
    let request = Request {
        resource_spans: [ResourceSpans {
            resource: About { attributes: about },
            scope_spans: [ScopeSpans { scope, spans }],
        }],
    };
    // Of texts, numbers and lists; writing them to memory does not fail.
    Ok(serde_json::to_vec(&request).unwrap_or_default())
}

fn push_trace<'a>(spans: &mut Vec<SpanJson<'a>>, dated: &'a Dated) -> Result<(), NoRandomness> {
    let Trace { root, steps } = &dated.trace;
    let (trace, first) = (random::<16>()?, random::<8>()?);
    spans.push(SpanJson::new(dated, root, trace.clone(), first.clone(), None));
    for step in steps {
        spans.push(SpanJson::new(dated, step, trace.clone(), random::<8>()?, Some(first.clone())));
    }
    Ok(())
}

/// So many octets, in hexadecimal, not all zero.
fn random<const N: usize>() -> Result<String, NoRandomness> {
    let mut octets = [0; N];
    while octets == [0; N] {
        fill_random(&mut octets)?;
    }
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: About<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct About<'a> {
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<SpanJson<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    trace_id: String,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<KeyValue<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Status>,
}

impl<'a> SpanJson<'a> {
    fn new(
        dated: &Dated,
        span: &'a Span,
        trace_id: String,
        span_id: String,
        parent_span_id: Option<String>,
    ) -> Self {
        Self {
            trace_id,
            span_id,
            parent_span_id,
            name: span.name,
            kind: match span.kind {
                Kind::Ours => SPAN_KIND_INTERNAL,
                Kind::Question => SPAN_KIND_CLIENT,
            },
            start_time_unix_nano: unix_nanos(dated, span.began),
            end_time_unix_nano: unix_nanos(dated, span.ended),
            attributes: span.attributes.iter().map(KeyValue::of).collect(),
            status: span.is_failed.then_some(Status { code: STATUS_CODE_ERROR }),
        }
    }
}

/// Both clocks are those of one moment, so that no step begins before the one before it ends.
fn unix_nanos(dated: &Dated, at: Instant) -> String {
    let now = dated.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let then = match dated.at.checked_duration_since(at) {
        Some(before) => now.saturating_sub(before),
        None => now.saturating_add(at.saturating_duration_since(dated.at)),
    };
    then.as_nanos().to_string()
}

#[derive(Serialize)]
struct Status {
    code: u8,
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'static str,
    value: AnyValue<'a>,
}

#[derive(Serialize)]
enum AnyValue<'a> {
    #[serde(rename = "stringValue")]
    Text(&'a str),
    #[serde(rename = "intValue")]
    Number(String),
    #[serde(rename = "boolValue")]
    Truth(bool),
}

impl<'a> KeyValue<'a> {
    fn word(key: &'static str, word: &'a str) -> Self {
        Self { key, value: AnyValue::Text(word) }
    }

    fn of((key, value): &'a Attribute) -> Self {
        let value = match value {
            Value::Text(text) => AnyValue::Text(text),
            Value::Word(word) => AnyValue::Text(word),
            Value::Number(number) => AnyValue::Number(number.to_string()),
            Value::Truth(truth) => AnyValue::Truth(*truth),
        };
        Self { key, value }
    }
}

/// How many spans of a request the collector has not taken, as it says: `ExportTraceServiceResponse`. What cannot be
/// read is an answer like any other: it was a 200.
pub fn rejected(answer: &[u8]) -> u64 {
    let said = serde_json::from_slice::<Response>(answer).ok();
    match said.and_then(|response| response.partial_success?.rejected_spans) {
        Some(Count::Number(count)) => count,
        Some(Count::Text(text)) => text.parse().unwrap_or(0),
        None => 0,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    partial_success: Option<PartialSuccess>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PartialSuccess {
    rejected_spans: Option<Count>,
}

/// Either is lawful.
#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Number(u64),
    Text(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::collections::BTreeSet;
    use std::time::Duration;

    fn span(name: &'static str, from: Instant, millis: (u64, u64)) -> Span {
        let at = |millis| from + Duration::from_millis(millis);
        let (began, ended) = (at(millis.0), at(millis.1));
        Span { name, kind: Kind::Ours, began, ended, attributes: Vec::new(), is_failed: false }
    }

    #[test]
    fn a_trace_is_written_as_otlp_has_it() {
        let from = Instant::now();
        let mut root = span("ingest", from, (0, 5));
        root.attributes = vec![
            ("a", Value::Text("\"b\"".to_owned())),
            ("c", Value::Word("d")),
            ("e", Value::Number(u64::MAX >> 1)),
            ("f", Value::Truth(true)),
        ];
        let mut fetch = span("fetch", from, (1, 2));
        (fetch.kind, fetch.is_failed) = (Kind::Question, true);
        let trace = Trace { root, steps: vec![fetch, span("read", from, (2, 4))] };
        let wall = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let batch = [Dated { trace, wall, at: from + Duration::from_millis(5) }];
        let resource = Resource { host: Some("one".to_owned()) };
        let octets = encode(&resource, &batch).unwrap();
        let request: serde_json::Value = serde_json::from_slice(&octets).unwrap();

        let of_all = &request["resourceSpans"][0];
        assert_eq!(of_all["resource"]["attributes"][0]["value"]["stringValue"], "ocsprey");
        assert_eq!(
            of_all["resource"]["attributes"][2],
            json!({ "key": "host.name", "value": { "stringValue": "one" } })
        );
        let spans = of_all["scopeSpans"][0]["spans"].as_array().unwrap();
        let [root, fetch, read] = &spans[..] else { panic!("three spans: {spans:#?}") };
        assert_eq!(root["startTimeUnixNano"], "1699999999995000000");
        assert_eq!(root["endTimeUnixNano"], "1700000000000000000");
        assert_eq!(
            root["attributes"],
            json!([
                { "key": "a", "value": { "stringValue": "\"b\"" } },
                { "key": "c", "value": { "stringValue": "d" } },
                { "key": "e", "value": { "intValue": "9223372036854775807" } },
                { "key": "f", "value": { "boolValue": true } },
            ])
        );
        assert_eq!((&root["kind"], &fetch["kind"]), (&json!(1), &json!(3)));
        assert_eq!((&root["status"], &fetch["status"]), (&json!(null), &json!({ "code": 2 })));
        assert!(root["parentSpanId"].is_null() && read["attributes"].is_null());
        for child in [fetch, read] {
            assert_eq!((&child["traceId"], &child["parentSpanId"]), (&root["traceId"], &root["spanId"]));
        }
        assert_eq!(root["traceId"].as_str().unwrap().len(), 32);
        let ids: BTreeSet<&str> = spans.iter().map(|span| span["spanId"].as_str().unwrap()).collect();
        assert!(ids.len() == 3 && ids.iter().all(|id| id.len() == 16));
    }

    #[test]
    fn what_a_collector_rejects_is_read_in_either_spelling() {
        assert_eq!(rejected(b""), 0);
        assert_eq!(rejected(b"{}"), 0);
        assert_eq!(rejected(b"{\"partialSuccess\":{}}"), 0);
        assert_eq!(rejected(b"{\"partialSuccess\":{\"rejectedSpans\":\"7\",\"errorMessage\":\"no\"}}"), 7);
        assert_eq!(rejected(b"{\"partialSuccess\":{\"rejectedSpans\":7}}"), 7);
        assert_eq!(rejected(b"<html>"), 0);
    }
}
