//! `[usage]` and `[audit]`: what is kept of answers, for bills and as proof.

use super::{Walk, values};
use crate::config::document::{Field, Section};
use crate::config::{AuditConfig, KeyPeriod, UsageConfig, WhenFull};
use std::time::Duration;

const DAY: u64 = 86_400;
/// As many as a national operator's largest integrator has offices.
const DEFAULT_NAMES_PER_DAY: u64 = 10_000;
/// Each is a row a day, an issuer, a method and a result.
const MOST_NAMES_PER_DAY: u64 = 1_000_000;

/// 700,000 answers about one certificate each.
const DEFAULT_SEGMENT_SIZE: u64 = 64 << 20;
const LEAST_SEGMENT_SIZE: u64 = 64 << 10;
/// It is read as a whole.
const MOST_SEGMENT_SIZE: u64 = 1 << 30;
const DEFAULT_SEGMENT_TIME: Duration = Duration::from_secs(DAY);

const WHEN_FULL: &[(&str, WhenFull)] = &[("refuse", WhenFull::Refuse), ("gap", WhenFull::Gap)];
const PERIODS: &[(&str, KeyPeriod)] = &[("day", KeyPeriod::Day), ("month", KeyPeriod::Month)];

impl Walk<'_> {
    pub(super) fn audit(&mut self, mut section: Section<'_>) -> AuditConfig {
        let path = self.required_path(&mut section, "path", "path = \"audit\"").unwrap_or_default();
        let key = self.required_path(&mut section, "key", "key = \"audit.key\"").unwrap_or_default();
        let keys = section.take("pseudonym_keys").and_then(|field| {
            let keys = self.path(&field)?;
            if keys.starts_with(&path) {
                let hint = "name another folder: who may read the log is not who may read these keys";
                field.wrong(&mut self.problems, "lies within audit.path", hint);
            }
            Some(keys)
        });
        let period = section.take("pseudonym_period").and_then(|field| self.word(&field, PERIODS));
        let keep = section.take("keep").and_then(|field| self.keep(&field, "keep = \"2years\""));
        let keep_keys =
            section.take("keep_keys").and_then(|field| self.keep(&field, "keep_keys = \"90days\""));
        let mut segment_size = DEFAULT_SEGMENT_SIZE;
        if let Some(field) = section.take("segment_size")
            && let Some(size) = self.size(&field, "segment_size = \"64MiB\"")
        {
            if !(LEAST_SEGMENT_SIZE..=MOST_SEGMENT_SIZE).contains(&size) {
                field.wrong(&mut self.problems, "is no good size of a segment", "write 64KiB to 1GiB");
            }
            segment_size = size;
        }
        let segment_time = self.duration(&mut section, "segment_time", "segment_time = \"1day\"");
        let when_full = section.take("when_full").and_then(|field| self.word(&field, WHEN_FULL));
        section.finish(&mut self.problems);
        let beside = || path.with_file_name("audit-keys");
        AuditConfig {
            pseudonym_keys: keys.unwrap_or_else(beside),
            key,
            pseudonym_period: period.unwrap_or_default(),
            keep,
            keep_keys,
            segment_size,
            segment_time: segment_time.unwrap_or(DEFAULT_SEGMENT_TIME),
            when_full: when_full.unwrap_or_default(),
            path,
        }
    }

    pub(super) fn usage(&mut self, mut section: Section<'_>) -> UsageConfig {
        let prices = section.take("prices").and_then(|field| self.path(&field));
        let day_begins = section.take("day_begins").and_then(|field| {
            let text = field.text(&mut self.problems, "day_begins = \"+09:00\"")?;
            self.accept(&field, values::utc_offset(text))
        });
        let keep = section.take("keep").and_then(|field| {
            let keep = self.keep(&field, "keep = \"10years\"")?;
            Some(u32::try_from(keep.as_secs() / DAY).unwrap_or(u32::MAX))
        });
        let names = section.take("names_per_day").and_then(|field| {
            let number = field.number(&mut self.problems, "names_per_day = 10000")?;
            if number > MOST_NAMES_PER_DAY {
                let why = format!("{number} names a day are too many to be told apart");
                field.wrong(&mut self.problems, why, "write 1000000 or less");
            }
            Some(number)
        });
        section.finish(&mut self.problems);
        let names_per_day = usize::try_from(names.unwrap_or(DEFAULT_NAMES_PER_DAY)).unwrap_or(usize::MAX);
        UsageConfig { prices, day_begins: day_begins.unwrap_or(0), keep_days: keep, names_per_day }
    }

    /// Whole days, one or more.
    fn keep(&mut self, field: &Field<'_>, example: &str) -> Option<Duration> {
        let text = field.text(&mut self.problems, example)?;
        let keep = self.accept(field, values::long_duration(text))?;
        if keep.as_secs() < DAY {
            field.wrong(&mut self.problems, "is less than a day", format!("write it like {example}"));
            return None;
        }
        Some(keep)
    }
}
