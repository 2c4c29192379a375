//! What a bill is made from: counts of a period, by who asked, with what they cost.
//!
//! Made from the rows of a store by `ocsprey usage report`, also of one that a server is writing: then it has
//! what was written when the store was opened, at most a second less than what was answered. A server makes it of its
//! own store, and sends it as JSON to whoever asks for it with `--admin`.

use super::day::Day;
use super::prices::Prices;
use super::{UsageMethod, UsageResult};
use crate::store::{Store, StoreError, UsageKey};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// Which counts, and how they are put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Period {
    pub from: Day,
    /// Included.
    pub to: Day,
    /// Only those of this verifier; `-` for those of nobody who is registered.
    pub verifier: Option<String>,
    /// A line for each day, instead of one for all.
    pub by_day: bool,
}

/// What makes a line: day, verifier, on whose behalf, issuer, method, result.
type Kind = (Option<Day>, String, String, String, UsageMethod, UsageResult);

/// The verifier, and the issuer, of who is none.
const NOBODY: &str = "-";

/// Counts of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Of the whole period, where days are not told apart.
    pub day: Option<String>,
    /// The id; `-`: nobody who is registered.
    pub verifier: String,
    pub on_behalf_of: String,
    /// The name in the configuration; `-`: no issuer of ours.
    pub issuer: String,
    pub method: Cow<'static, str>,
    pub result: Cow<'static, str>,
    pub count: u64,
    /// In the smallest unit of the currency, of all counts that have a price.
    pub amount: u128,
    /// Counts without a price.
    pub unpriced: u64,
}

/// All lines together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub count: u64,
    pub amount: u128,
    pub unpriced: u64,
}

/// What was counted in a period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub from: String,
    pub to: String,
    /// `None`: there is no price list, and everything is unpriced.
    pub currency: Option<String>,
    pub lines: Vec<Line>,
    pub totals: Totals,
}

impl Report {
    /// From the rows of `store`. `issuers` are names by number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn of(
        store: &Store,
        period: &Period,
        issuers: &HashMap<u32, String>,
        prices: Option<&Prices>,
    ) -> Result<Self, StoreError> {
        let verifiers: HashMap<_, _> = store.verifiers()?.into_iter().collect();
        let mut lines: BTreeMap<Kind, Totals> = BTreeMap::new();
        store.for_each_usage(period.from.0, period.to.0, |key, count| {
            let UsageKey { day, verifier, issuer, method, result, on_behalf_of } = key;
            let verifier = match verifier {
                None => NOBODY.to_owned(),
                // It asked once and its number was never lost; only an id that is gone is a number.
                Some(number) => {
                    verifiers.get(&number).cloned().unwrap_or_else(|| format!("verifier {number}"))
                }
            };
            if period.verifier.as_ref().is_some_and(|wanted| *wanted != verifier) {
                return Ok::<_, StoreError>(());
            }
            let issuer = match issuer {
                None => NOBODY.to_owned(),
                Some(number) => issuers.get(&number.get()).cloned().unwrap_or_else(|| format!("CA {number}")),
            };
            let price = prices.and_then(|prices| prices.of(Day(day), &issuer, result));
            let day = period.by_day.then_some(Day(day));
            lines.entry((day, verifier, on_behalf_of, issuer, method, result)).or_default().add(count, price);
            Ok(())
        })?;
        let mut totals = Totals::default();
        let lines = lines.into_iter().map(|((day, verifier, on_behalf_of, issuer, method, result), sum)| {
            totals.count += sum.count;
            totals.amount += sum.amount;
            totals.unpriced += sum.unpriced;
            Line {
                day: day.map(|day| day.to_string()),
                verifier,
                on_behalf_of,
                issuer,
                method: method.name().into(),
                result: result.name().into(),
                count: sum.count,
                amount: sum.amount,
                unpriced: sum.unpriced,
            }
        });
        let lines = lines.collect();
        Ok(Self {
            from: period.from.to_string(),
            to: period.to.to_string(),
            currency: prices.map(|prices| prices.currency.clone()),
            lines,
            totals,
        })
    }
}

impl Totals {
    fn add(&mut self, count: u64, price: Option<u64>) {
        self.count += count;
        match price {
            // Two numbers of 64 bits always fit.
            Some(price) => self.amount += u128::from(count) * u128::from(price),
            None => self.unpriced += count,
        }
    }
}
