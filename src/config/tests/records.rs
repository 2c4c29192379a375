//! `[usage]` and `[audit]`: what is kept of answers.

use super::{ISSUER, parse, problems_above};
use crate::config::{KeyPeriod, WhenFull};
use std::time::Duration;

fn usage(text: &str) -> Option<crate::config::UsageConfig> {
    parse(&format!("{text}\n{ISSUER}")).unwrap().usage
}

#[test]
fn without_its_section_nothing_is_counted_and_with_it_everything_has_a_default() {
    assert_eq!(usage(""), None);
    let usage = usage("[usage]").unwrap();
    assert_eq!(
        (usage.prices, usage.day_begins, usage.keep_days, usage.names_per_day),
        (None, 0, None, 10_000)
    );
}

#[test]
fn every_key_of_usage_is_understood() {
    let text =
        "[usage]\nprices = \"prices.toml\"\nday_begins = \"-05:30\"\nkeep = \"90days\"\nnames_per_day = 0";
    let usage = usage(text).unwrap();
    assert!(usage.prices.unwrap().ends_with("prices.toml"));
    assert_eq!((usage.day_begins, usage.keep_days, usage.names_per_day), (-19_800, Some(90), 0));
}

#[test]
fn what_is_wrong_with_usage_is_told_with_its_line() {
    let told =
        problems_above("[usage]\nday_begins = \"9\"\nkeep = \"3h\"\nnames_per_day = 2000000\nprice = 1\n");
    let begins = [
        "line 2, usage.day_begins: \"9\" is not a difference from UTC (write it like \"+09:00\"",
        "line 3, usage.keep: is less than a day (write it like keep = ",
        "line 4, usage.names_per_day: 2000000 names a day are too many",
        "line 5, usage.price: unknown key (did you mean prices?)",
    ];
    assert_eq!(told.len(), begins.len(), "{told:?}");
    for (told, begin) in told.iter().zip(begins) {
        assert!(told.starts_with(begin), "{told}");
    }
    for text in ["+15:00", "+9:00", "09:00", "+09:60", "+09", "--1:00", "+-1:00"] {
        assert_eq!(problems_above(&format!("[usage]\nday_begins = \"{text}\"\n")).len(), 1, "{text}");
    }
}

fn audit(text: &str) -> Option<crate::config::AuditConfig> {
    parse(&format!("{text}\n{ISSUER}")).unwrap().audit
}

#[test]
fn an_audit_log_needs_a_folder_and_a_key_and_has_a_default_for_the_rest() {
    assert_eq!(audit(""), None);
    let least = audit("[audit]\npath = \"audit\"\nkey = \"audit.key\"").unwrap();
    assert!(least.path.ends_with("audit") && least.pseudonym_keys.ends_with("audit-keys"));
    assert_eq!((least.when_full, least.pseudonym_period), (WhenFull::Refuse, KeyPeriod::Day));
    assert_eq!((least.keep, least.keep_keys, least.segment_size), (None, None, 64 << 20));
    let told = problems_above("[audit]\n");
    assert!(
        told[0].contains("audit.path: is missing") && told[1].contains("audit.key: is missing"),
        "{told:?}"
    );
}

#[test]
fn every_key_of_audit_is_understood_and_what_is_wrong_is_told() {
    let all = "[audit]\npath = \"a\"\nkey = \"a.key\"\npseudonym_keys = \"k\"\npseudonym_period = \"month\"\n\
               keep = \"2years\"\nkeep_keys = \"90days\"\nsegment_size = \"1MiB\"\nsegment_time = \"1h\"\n\
               when_full = \"gap\"";
    let audit = audit(all).unwrap();
    assert!(audit.pseudonym_keys.ends_with("k"));
    assert_eq!((audit.when_full, audit.pseudonym_period), (WhenFull::Gap, KeyPeriod::Month));
    let day = Duration::from_secs(86_400);
    assert_eq!((audit.keep_keys, audit.segment_time), (Some(90 * day), day / 24));
    let least = "[audit]\npath = \"a\"\nkey = \"a.key\"\n";
    for (line, why) in [
        ("pseudonym_keys = \"a/keys\"", "audit.pseudonym_keys: lies within audit.path"),
        ("when_full = \"wait\"", "audit.when_full: \"wait\" is not a choice here"),
        ("segment_size = 1", "audit.segment_size: is no good size of a segment"),
        ("keep = \"1h\"", "audit.keep: is less than a day"),
        ("keys = \"x\"", "audit.keys: unknown key"),
    ] {
        let told = problems_above(&format!("{least}{line}\n"));
        assert!(told.len() == 1 && told[0].contains(why), "{told:?}");
    }
}
