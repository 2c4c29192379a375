//! Who asked how often, for bills: counted exactly, kept in the store, told as a report.
//!
//! Called by `app`: each worker has a [`Counter`], one thread runs the [`Ledger`], and `ocsprey usage report`
//! makes a [`Report`] from what the store holds, while a server runs or not. A running server's own report waits until
//! its workers have handed over what they counted ([`Questions`]), and has every answer up to then.
//!
//! **What counts as one**: each certificate that was answered (a SingleResponse), as good, revoked or unknown;
//! and each request that got an error status instead, by that status, refusals among them. HTTP errors are no
//! OCSP answers and are not counted. A GET that was told 304 counts like any other.
//!
//! **How exact**: each count reaches the store once. A process that is killed loses at most what it counted in
//! its last second (a quarter of a second as a rule: [`HAND_OVER_EVERY`]); one that ends in order, or reloads,
//! loses nothing. What a machine that stops may lose is as much: the store is synced every second.
//!
//! **What is kept** of a person: nothing. Rows are sums of a day over all certificates.
//!
//! Errors: those of the store, which the ledger counts, logs and tries again; [`PricesError`].

mod counter;
mod day;
mod ledger;
mod prices;
mod questions;
mod report;
#[cfg(test)]
mod tests;

pub use counter::{Counted, Counter};
pub use day::{Day, NotADay};
pub use ledger::{Ledger, UsageOptions};
pub use prices::{Prices, PricesError};
pub use questions::Questions;
pub use report::{Line, Period, Report, Totals};

pub use crate::store::{LONGEST_NAME, UsageMethod, UsageResult};

use std::time::Duration;

/// How often a worker gives its counts to the ledger, which writes them at once.
pub const HAND_OVER_EVERY: Duration = Duration::from_millis(250);

/// The name under which names are counted when there are too many of a day. No name of a client has a parenthesis.
pub const OTHER: &str = "(other)";
/// The name for what is too long for a name, or has characters that none has.
pub const UNFIT: &str = "(unfit)";
