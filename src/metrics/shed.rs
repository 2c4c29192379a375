//! What was turned away because a worker had no time for it, by class.

#![expect(clippy::disallowed_methods, reason = "handles are looked up by label once, at start")]

use super::families::Families;
use prometheus::IntCounter;

/// `ocsp_requests_shed_total`
#[derive(Debug)]
pub struct ShedCounters {
    pub nonces: IntCounter,
    pub signatures: IntCounter,
    pub held: IntCounter,
}

impl ShedCounters {
    pub(super) fn new(families: &Families<'_>) -> Result<Self, prometheus::Error> {
        let family = families.counters(
            "ocsp_requests_shed_total",
            "Requests that were told tryLater before the work was done, because others waited: for a signature with a \
             nonce, for a signature, for an answer held in the store. Aim: none of held, ever; of the others under one a \
             second.",
            &["class"],
        )?;
        let class = |class: &str| family.with_label_values(&[class]);
        Ok(Self { nonces: class("nonce"), signatures: class("signature"), held: class("held") })
    }
}
