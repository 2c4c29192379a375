//! `[usage]`: what is kept of answers, for bills.

use super::{Walk, values};
use crate::config::UsageConfig;
use crate::config::document::Section;
use std::time::Duration;

const DAY: u64 = 86_400;
/// As many as a national operator's largest integrator has offices.
const DEFAULT_NAMES_PER_DAY: u64 = 10_000;
/// Each is a row a day, an issuer, a method and a result.
const MOST_NAMES_PER_DAY: u64 = 1_000_000;

impl Walk<'_> {
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
    fn keep(&mut self, field: &crate::config::document::Field<'_>, example: &str) -> Option<Duration> {
        let text = field.text(&mut self.problems, example)?;
        let keep = self.accept(field, values::long_duration(text))?;
        if keep.as_secs() < DAY {
            field.wrong(&mut self.problems, "is less than a day", format!("write it like {example}"));
            return None;
        }
        Some(keep)
    }
}
