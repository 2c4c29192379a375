//! The page as a whole, for one CA and for a country.

use super::*;
use crate::http::admin::Explanation;
use crate::http::history::Sample;
use crate::http::status::{
    IssuerStatus, PresignedStatus, QuarantineStatus, ScopeStatus, SignerStatus, SourceStatus,
};

fn now() -> UnixTime {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
}

fn scope(place: &str, left: i64) -> ScopeStatus {
    ScopeStatus {
        distribution_point: format!("CN={place} CRLDP,OU=Tokyo-to,O=JPKI"),
        crl_number: "12".into(),
        this_update: now().plus(-86_400).to_string(),
        next_update: now().plus(left).to_string(),
        entries: 1_234,
        ingested_at: now().to_string(),
        retired: false,
    }
}

fn issuer(name: &str, signer_days: i64, scopes: Vec<ScopeStatus>) -> IssuerStatus {
    IssuerStatus {
        name: name.into(),
        subject: "O=JPKI".into(),
        signers: vec![SignerStatus {
            subject: "CN=OCSP".into(),
            algorithm: "ECDSA with SHA-256".into(),
            not_after: now().plus(signer_days * 86_400).to_string(),
        }],
        inventory: None,
        scopes,
        missing: Vec::new(),
    }
}

fn status(issuers: Vec<IssuerStatus>) -> Status {
    Status { version: "0.1.0".into(), now: now().to_string(), issuers, ..Status::default() }
}

fn quiet() -> Traffic {
    Traffic { seconds_each: 5, now: Sample::default(), samples: vec![], connections: 0, cache_bytes: 0 }
}

fn page(status: &Status, query: &str) -> String {
    render(status, &quiet(), &Asked::of_query(Some(query)))
}

/// Whether `parts` come one after the other.
fn in_order(page: &str, parts: &[&str]) -> bool {
    let mut rest = page;
    parts.iter().all(|part| match rest.find(part) {
        Some(place) => {
            rest = &rest[place + part.len()..];
            true
        }
        None => false,
    })
}

#[test]
fn nothing_of_a_status_becomes_markup() {
    let evil = "<script>alert('1' & \"2\")</script>";
    let mut shown = status(vec![issuer(evil, 100, vec![scope(evil, 1)])]);
    shown.not_ready = vec![evil.into()];
    shown.sources =
        vec![SourceStatus { source: evil.into(), problem: Some(evil.into()), ..SourceStatus::default() }];
    shown.quarantine =
        vec![QuarantineStatus { source: evil.into(), reason: evil.into(), ..QuarantineStatus::default() }];
    let shown = render(&shown, &quiet(), &Asked { search: evil.into(), all: true });
    assert!(!shown.contains("<script>alert"), "{shown}");
    assert!(shown.contains("&lt;script&gt;alert(&#39;1&#39; &amp; &quot;2&quot;)&lt;/script&gt;"));
    assert_eq!(shown.matches("<script>").count(), 1, "our own");
}

#[test]
fn the_worst_issuer_and_its_worst_scopes_come_first() {
    let scopes = vec![scope("Kiyose-shi", 86_400), scope("Sakai-shi", -3_600), scope("Uji-shi", 5 * 3_600)];
    let shown =
        page(&status(vec![issuer("auth", 100, vec![scope("A", 90_000)]), issuer("sign", 5, scopes)]), "");
    let order =
        ["<h2>sign", "signer: 5 d 0 h left", "CN=Sakai-shi CRLDP", "EXPIRED 1 h 0 min ago", "CN=Uji-shi"];
    assert!(in_order(&shown, &order), "{shown}");
    assert!(in_order(
        &shown,
        &["badge warn\">5 h 0 min", "CN=Kiyose-shi CRLDP", "badge good\">1 d 0 h", "<h2>auth"]
    ));
    assert!(shown.contains("badge warn\">signer: 5 d"), "{shown}");
    assert!(shown.contains("Ready: every issuer can answer"));
}

#[test]
fn why_it_is_not_ready_stands_on_top() {
    let mut shown = status(vec![issuer("auth", -1, vec![])]);
    shown.not_ready = vec!["issuer auth: no CRL is loaded".into()];
    let shown = page(&shown, "");
    assert!(in_order(
        &shown,
        &["NOT READY", "issuer auth: no CRL is loaded", "<dl", "signer EXPIRED", "No CRL is loaded."]
    ));
}

#[test]
fn a_partition_that_is_gone_and_answers_signed_beforehand_are_shown() {
    let mut one = issuer("auth", 100, vec![scope("Kiyose-shi CRLDP", 86_400)]);
    one.missing = vec!["CN=Gone-mura CRLDP".into()];
    let mut shown = status(vec![one]);
    shown.presigned = Some(PresignedStatus { answers: 12_345, first_expires: now().plus(3_600).to_string() });
    let shown = page(&shown, "");
    assert!(in_order(&shown, &["signed beforehand", "12,345", "missing", "CN=Gone-mura", "Kiyose-shi"]));
}

#[test]
fn of_a_country_the_worst_are_shown_and_the_rest_is_found() {
    let scopes =
        |count: i64| (0..count).map(|place| scope(&format!("Demo-ku {place:04}"), 86_400 + place)).collect();
    let country = status(vec![issuer("auth", 100, scopes(1_900)), issuer("sign", 100, scopes(1_900))]);
    let shown = page(&country, "");
    assert!(shown.len() < 32 << 10, "{} octets", shown.len());
    assert!(shown.contains("Demo-ku 0009") && !shown.contains("Demo-ku 0010"));
    assert!(shown.contains("1,890 more last longer"));
    let found = page(&country, "q=demo-KU+1234");
    assert_eq!(found.matches("<td class=\"name\" title=\"CN=Demo-ku 1234 ").count(), 2, "{found}");
    assert!(page(&country, "all=1").contains("Demo-ku 1899"));
    assert!(page(&country, "q=nowhere").contains("No CRL scope of this issuer matches."));
}

#[test]
fn refused_crls_and_troubled_sources_say_why() {
    let mut shown = status(vec![]);
    let source = |name: &str, problem: Option<&str>| SourceStatus {
        source: name.into(),
        last_tried: Some(now().plus(-12).to_string()),
        problem: problem.map(Into::into),
        ..SourceStatus::default()
    };
    shown.sources = vec![source("crl/auth", None), source("http://crl.example/", Some("timed out"))];
    shown.quarantine = vec![QuarantineStatus {
        source: "crl/auth/a.crl".into(),
        refused_at: now().plus(-120).to_string(),
        reason: "is not signed by this CA".into(),
        issuers: vec!["auth".into()],
    }];
    let shown = page(&shown, "");
    assert!(in_order(
        &shown,
        &["Refused CRLs", "crl/auth/a.crl", "It is not signed by this CA", "2 min ago"]
    ));
    assert!(in_order(
        &shown,
        &["Sources", "http://crl.example/", "timed out", "crl/auth<", "12 s ago", "never"]
    ));
}

#[test]
fn forms_are_read_as_browsers_write_them() {
    let field = |form: &str, name| form_field(form.as_bytes(), name);
    assert_eq!(field("q=a+b%2Fc&all=1", "q").as_deref(), Some("a b/c"));
    assert_eq!(field("q=a&all=1", "all").as_deref(), Some("1"));
    assert_eq!(field("serial=%E6%B8%85", "serial").as_deref(), Some("清"));
    for broken in ["q=%", "q=%4", "q=%zz", "q=%FF", "q", ""] {
        assert_eq!(field(broken, "q"), None, "{broken}");
    }
}

#[test]
fn an_explanation_shows_its_facts_and_an_error_itself() {
    let explanation = Explanation {
        issuer: "auth".into(),
        key: "CN=<CA>".into(),
        answer: "revoked".into(),
        is_answered: true,
        because: "a CRL lists it".into(),
        facts: vec![("CRL".into(), "number 7".into())],
    };
    let shown = render_explained(&Ok(vec![explanation]));
    assert!(in_order(
        &shown,
        &["<h2>auth", "CN=&lt;CA&gt;", "revoked", "a CRL lists it", "<th>CRL", "number 7"]
    ));
    assert!(!shown.contains("<script"));
    assert!(render_explained(&Err("no serial".into())).contains("no serial"));
}

#[test]
fn the_policy_names_the_script_of_the_page() {
    let policy = policy();
    assert!(policy.starts_with("default-src 'none';") && policy.contains("script-src 'sha256-"), "{policy}");
    assert!(page(&status(vec![]), "").contains(&format!("<script>{SCRIPT}</script>")));
}
