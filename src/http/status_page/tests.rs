//! The page as a whole, for one CA and for a country.

use super::*;
use crate::http::explanation::{AnswerTiers, Explanation, Fact, HeldAnswer};
use crate::http::history::Sample;
use crate::http::status::{
    AuditStatus, IssuerStatus, PresignedStatus, QuarantineStatus, ScopeStatus, SignerStatus, SourceStatus,
    UsageStatus, VerifierStatus,
};

fn now() -> UnixTime {
    UnixTime::from_civil(2026, 11, 22, 12, 0, 0).unwrap()
}

fn scope(place: &str, left: i64) -> ScopeStatus {
    ScopeStatus {
        distribution_point: format!("CN={place} CRLDP,OU=Tokyo-to,O=JPKI"),
        signer: "0123456789abcdef".into(),
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

fn verifier(id: &str) -> VerifierStatus {
    VerifierStatus {
        id: id.into(),
        name: format!("{id} & Co"),
        rights: vec!["auth".into()],
        valid: true,
        ..VerifierStatus::default()
    }
}

#[test]
fn verifiers_that_need_somebody_come_first_and_say_why() {
    let mut shown = status(vec![]);
    let quiet = verifier("quiet");
    let until = |days: i64| Some(now().plus(days * 86_400).to_string());
    let ended = VerifierStatus { valid: false, ends: until(-2), ..verifier("ended") };
    let soon = VerifierStatus { ends: until(5), ..verifier("soon") };
    let refusals = [("quota_per_second".to_owned(), 12), ("suspended".to_owned(), 3)].into();
    let refused =
        VerifierStatus { refused: 15, refusals, admitted: 1_234, suspended: true, ..verifier("loud") };
    let full = VerifierStatus {
        per_day: Some(1_000),
        used_today: 1_000,
        used_in_bulk: 77,
        used_now: Some(3),
        per_second_now: Some(50),
        rights: vec!["*".into()],
        ..verifier("full")
    };
    shown.verifiers = vec![quiet, soon, refused, full, ended];
    shown.refusals =
        [("quota_per_second".to_owned(), 12), ("unregistered".to_owned(), 99), ("network".to_owned(), 0)]
            .into();
    let shown = page(&shown, "");
    assert!(in_order(
        &shown,
        &["Verifiers", "5 registered, 1 suspended", "99 <small>unregistered", "12 <small>quota per second"]
    ));
    assert!(!shown.contains("network"), "what never was is not told");
    let order = [
        ">ended ",
        "ENDED 2 d",
        ">full ",
        ">loud ",
        "suspended",
        ">soon ",
        "5 d 0 h left",
        ">quiet ",
        "no end",
    ];
    assert!(in_order(&shown, &order), "{shown}");
    let full = ["about every issuer", "1,000 <small>of 1,000", "100 %", "77 in bulk hours", "3 <small>of 50"];
    assert!(in_order(&shown, &full), "{shown}");
    assert!(in_order(&shown, &["1,234", "12 <small>quota per second", "3 <small>suspended"]), "{shown}");
    assert!(shown.contains("quiet &amp; Co"), "{shown}");
}

#[test]
fn of_a_thousand_verifiers_ten_are_shown_and_the_rest_is_found() {
    let mut many = status(vec![]);
    many.verifiers = (0..1_000).map(|number| verifier(&format!("bank-{number:04}"))).collect();
    let shown = page(&many, "");
    assert!(shown.len() < 32 << 10, "{} octets", shown.len());
    assert!(shown.contains("bank-0009") && !shown.contains("bank-0010") && shown.contains("990 more"));
    assert!(page(&many, "q=BANK-0777").contains("bank-0777"));
    let found = page(&many, "q=auth");
    assert!(found.contains("bank-0199") && !found.contains("bank-0200"), "by right, as far as a page goes");
    assert!(page(&many, "all=1").contains("bank-0999"));
    assert!(page(&many, "q=nobody").contains("No verifier matches."));
    many.verifiers.clear();
    assert!(!page(&many, "").contains("Verifiers"), "everybody may ask");
    many.refusals = [("unregistered".to_owned(), 0)].into();
    assert!(page(&many, "").contains("nobody may ask"));
}

#[test]
fn what_is_kept_of_answers_says_when_it_is_late() {
    let mut shown = status(vec![]);
    assert!(!page(&shown, "").contains("Records of answers"));
    let ago = |seconds: i64| Some(now().plus(-seconds).to_string());
    shown.usage = Some(UsageStatus { last_written: ago(3), ..UsageStatus::default() });
    shown.audit = Some(AuditStatus {
        when_full: "gap".into(),
        last_committed: ago(120),
        records: 1_234,
        waiting: 5,
        missing: 6,
        write_failures: 7,
        segment: 12,
        segment_records: 34,
        ..AuditStatus::default()
    });
    let late = page(&shown, "");
    let audit =
        ["bad\">2 min ago", "7 tries failed", "1,234", "5 waiting", "6 missing: a gap", "12", "34 records"];
    assert!(in_order(&late, &audit), "{late}");
    assert!(in_order(&late, &["answer, and count the gap", "counts for bills", "good\">3 s ago"]), "{late}");
    // The log is committed several times a second; counts are written where there are any.
    shown.audit = Some(AuditStatus { last_committed: ago(1), ..AuditStatus::default() });
    shown.usage = Some(UsageStatus { last_written: ago(7_200), ..UsageStatus::default() });
    let quiet = page(&shown, "");
    assert!(in_order(&quiet, &["good\">1 s ago", "tryLater", "good\">2 h 0 min ago"]), "{quiet}");
    shown.usage = Some(UsageStatus { last_written: ago(7_200), unwritten: 9, ..UsageStatus::default() });
    assert!(in_order(&page(&shown, ""), &["bad\">2 h 0 min ago", "9 not written yet"]));
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
        facts: vec![Fact { name: "CRL".into(), value: "number 7".into() }],
        tiers: vec![
            AnswerTiers {
                form: "sha1".into(),
                algorithm: "Ed25519".into(),
                from: "memory",
                memory: HeldAnswer {
                    state: "fresh",
                    until: Some("2026-11-23T07:00:00Z".into()),
                    because: None,
                },
                presigned: HeldAnswer { state: "over", until: None, because: Some("it says another status") },
            },
            AnswerTiers {
                form: "sha256".into(),
                from: "none",
                memory: HeldAnswer { state: "off", ..HeldAnswer::default() },
                presigned: HeldAnswer { state: "none", ..HeldAnswer::default() },
                ..AnswerTiers::default()
            },
        ],
    };
    let shown = render_explained(&Ok(vec![explanation]));
    assert!(in_order(
        &shown,
        &["<h2>auth", "CN=&lt;CA&gt;", "revoked", "a CRL lists it", "<th>CRL", "number 7"]
    ));
    let tiers =
        ["sha1", "Ed25519", "good\">memory", "until 2026-11-23 07:00:00 UTC", "no more: it says another"];
    assert!(in_order(&shown, &tiers), "{shown}");
    assert!(in_order(&shown, &["sha256", "bad\">nowhere", "no cache", "not yet"]), "{shown}");
    assert!(!shown.contains("<script"));
    assert!(render_explained(&Err("no serial".into())).contains("no serial"));
}

#[test]
fn the_policy_names_the_script_of_the_page() {
    let policy = policy();
    assert!(policy.starts_with("default-src 'none';") && policy.contains("script-src 'sha256-"), "{policy}");
    assert!(page(&status(vec![]), "").contains(&format!("<script>{SCRIPT}</script>")));
}
