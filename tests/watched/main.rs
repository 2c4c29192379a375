//! Watched as in production: by a real Prometheus, with the rules and the dashboard of `deploy/`.
//!
//! `prometheus` and `promtool` come with Debian's package `prometheus` (`make tools`). Everything runs on
//! free ports of the loopback interface, in folders that go away with the test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]

#[allow(dead_code, unused_imports, reason = "the harness serves the tests of other clients too")]
#[path = "../clients/support/mod.rs"]
mod support;

mod names;
mod prometheus;
mod rules;
