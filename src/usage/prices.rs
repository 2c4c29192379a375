//! A price list: what one count costs, from which day on.
//!
//! Read by `ocsprey usage report` alone; a server never looks at it, so that a price may be corrected at any
//! time. Amounts are whole numbers of the smallest unit of one currency.
//!
//! Of the prices that fit a count and are valid on its day the most particular one counts: one that names issuer
//! and result before one that names the issuer, that before one that names the result, that before one that
//! names neither; of equals the latest. What no price fits is not free, it is *unpriced*, and a report says so.

use super::day::Day;
use super::{NotADay, UsageResult};
use serde::Deserialize;

/// Why a text is no price list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PricesError {
    #[error("it is not TOML, or has a key that no price list has: {0}")]
    Syntax(String),
    #[error("price {place}: {why}")]
    Day { place: usize, why: NotADay },
    #[error("price {place}: there is no result \"{result}\" (one of {})", UsageResult::ALL.map(UsageResult::name).join(", "))]
    Result { place: usize, result: String },
    #[error("prices {first} and {second} are for the same counts from the same day on: take one of them out")]
    Twice { first: usize, second: usize },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenList {
    currency: String,
    #[serde(default)]
    price: Vec<WrittenPrice>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenPrice {
    from: toml::value::Datetime,
    issuer: Option<String>,
    result: Option<String>,
    amount: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Price {
    from: Day,
    issuer: Option<String>,
    result: Option<UsageResult>,
    amount: u64,
}

/// What counts cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    pub currency: String,
    prices: Vec<Price>,
}

impl Prices {
    /// From the text of a price list.
    ///
    /// # Errors
    /// The first thing that is wrong with it. Prices are counted from 1.
    pub fn parse(text: &str) -> Result<Self, PricesError> {
        let written: WrittenList = toml::from_str(text).map_err(|why| {
            let line =
                why.span().map_or(1, |span| 1 + text.get(..span.start).unwrap_or("").matches('\n').count());
            PricesError::Syntax(format!("line {line}: {}", why.message().replace('\n', " ")))
        })?;
        let mut prices: Vec<Price> = Vec::with_capacity(written.price.len());
        for (place, price) in (1..).zip(written.price) {
            let from = price.from.to_string().parse().map_err(|why| PricesError::Day { place, why })?;
            let known = |name: &String| UsageResult::ALL.into_iter().find(|result| result.name() == name);
            let result = match &price.result {
                None => None,
                Some(name) => {
                    let result = name.clone();
                    Some(known(name).ok_or(PricesError::Result { place, result })?)
                }
            };
            let price = Price { from, issuer: price.issuer, result, amount: price.amount };
            let same = |other: &Price| {
                (other.from, &other.issuer, other.result) == (price.from, &price.issuer, price.result)
            };
            if let Some(first) = prices.iter().position(same) {
                return Err(PricesError::Twice { first: first + 1, second: place });
            }
            prices.push(price);
        }
        Ok(Self { currency: written.currency, prices })
    }

    /// What one count of `result` for `issuer` costs on `day`; `None`: there is no price for it.
    #[must_use]
    pub fn of(&self, day: Day, issuer: &str, result: UsageResult) -> Option<u64> {
        let fits = |price: &&Price| {
            price.from <= day
                && price.issuer.as_ref().is_none_or(|name| name == issuer)
                && price.result.is_none_or(|one| one == result)
        };
        let rank = |price: &&Price| (price.issuer.is_some(), price.result.is_some(), price.from);
        self.prices.iter().filter(fits).max_by_key(rank).map(|price| price.amount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        currency = "JPY"
        [[price]]
        from = 2026-01-01
        amount = 0
        [[price]]
        from = 2026-01-01
        result = "good"
        amount = 2
        [[price]]
        from = 2026-04-01
        result = "good"
        amount = 3
        [[price]]
        from = 2026-02-01
        issuer = "sign"
        amount = 10
        [[price]]
        from = 2026-02-01
        issuer = "sign"
        result = "try_later"
        amount = 0
    "#;

    #[test]
    fn the_most_particular_price_of_the_day_counts_and_of_equals_the_latest() {
        let prices = Prices::parse(LIST).unwrap();
        let of = |day: &str, issuer, result| prices.of(day.parse().unwrap(), issuer, result);
        assert_eq!(of("2025-12-31", "auth", UsageResult::Good), None);
        assert_eq!(of("2026-01-01", "auth", UsageResult::Good), Some(2));
        assert_eq!(of("2026-01-01", "auth", UsageResult::Revoked), Some(0));
        assert_eq!(of("2026-03-31", "auth", UsageResult::Good), Some(2));
        assert_eq!(of("2026-04-01", "auth", UsageResult::Good), Some(3));
        assert_eq!(of("2026-01-31", "sign", UsageResult::Good), Some(2));
        assert_eq!(of("2026-05-01", "sign", UsageResult::Good), Some(10));
        assert_eq!(of("2026-05-01", "sign", UsageResult::TryLater), Some(0));
    }

    #[test]
    fn what_is_wrong_with_a_list_is_said_by_name() {
        let told = |text: &str| Prices::parse(text).unwrap_err().to_string();
        assert!(
            told("price = 1").starts_with("it is not TOML, or has a key that no price list has: line 1: ")
        );
        assert!(
            told("currency = \"JPY\"\n[[price]]\nfrom = 2026-01-01\namuont = 1")
                .contains("line 4: unknown field")
        );
        let price =
            |rest: &str| format!("currency = \"JPY\"\n[[price]]\nfrom = 2026-01-01\namount = 1\n{rest}");
        assert!(
            told(&price("result = \"godo\""))
                .starts_with("price 1: there is no result \"godo\" (one of good, ")
        );
        assert!(told(&price("amount = -1")).contains("line 5"));
        let twice = price("[[price]]\nfrom = 2026-01-01\namount = 2");
        assert!(told(&twice).starts_with("prices 1 and 2 are for the same counts"));
        let hour = "currency = \"JPY\"\n[[price]]\nfrom = 2026-01-01T10:00:00Z\namount = 1";
        assert!(told(hour).starts_with("price 1: \"2026-01-01T10:00:00Z\" is not a day"));
    }
}
