//! `[usage]`: what is kept of answers.

use super::{parse, problems_above};

/// An issuer that is complete, so that only the section before it can be wrong.
fn usage(text: &str) -> Option<crate::config::UsageConfig> {
    let issuer = "[[issuer]]\nname = \"a\"\ncertificate = \"a.pem\"\nsigner = { key = \"a.key\" }\n";
    parse(&format!("{text}\n{issuer}")).unwrap().usage
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
