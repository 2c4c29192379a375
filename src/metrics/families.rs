//! How families are made: each registered once, when [`Metrics::new`](super::Metrics::new) is called.

use prometheus::{
    HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
};

/// The one label of most families.
pub(super) const ISSUER: &[&str] = &["issuer"];

/// Makes a family and registers it.
pub(super) struct Families<'a>(&'a Registry);

impl<'a> Families<'a> {
    /// Of a registry, in which the version that runs is there already.
    pub fn of(registry: &'a Registry) -> Result<Self, prometheus::Error> {
        let families = Self(registry);
        families.build_info()?;
        Ok(families)
    }

    /// A counter without labels.
    pub fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(IntCounter::new(name, help)?)
    }

    /// Says which version runs.
    fn build_info(&self) -> Result<(), prometheus::Error> {
        let version = [("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned())].into();
        let build =
            Opts::new("ocsprey_build_info", "1; the label says which version runs.").const_labels(version);
        self.add(IntGauge::with_opts(build)?)?.set(1);
        Ok(())
    }

    /// A gauge without labels.
    pub fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::new(name, help)?)
    }

    pub fn add<C: prometheus::core::Collector + Clone + 'static>(
        &self,
        collector: C,
    ) -> Result<C, prometheus::Error> {
        self.0.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    pub fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub fn gauges(&self, name: &str, help: &str) -> Result<IntGaugeVec, prometheus::Error> {
        self.add(IntGaugeVec::new(Opts::new(name, help), ISSUER)?)
    }

    pub fn histograms(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
    ) -> Result<HistogramVec, prometheus::Error> {
        self.add(HistogramVec::new(HistogramOpts::new(name, help).buckets(buckets.to_vec()), ISSUER)?)
    }
}
