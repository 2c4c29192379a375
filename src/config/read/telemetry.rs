//! `[telemetry]`: where traces go.

use super::{Walk, values};
use crate::config::TelemetryConfig;
use crate::config::document::Section;

const TRACES: &str = "traces = \"http://127.0.0.1:4318/v1/traces\"";

impl Walk<'_> {
    pub(super) fn telemetry(&mut self, mut section: Section<'_>) -> TelemetryConfig {
        let traces = section.require("traces", &mut self.problems, TRACES).and_then(|field| {
            let text = field.text(&mut self.problems, TRACES)?;
            self.accept(&field, values::collector(text))
        });
        section.finish(&mut self.problems);
        TelemetryConfig { traces: traces.unwrap_or_default() }
    }
}
