//! Run as in production, with what `deploy/` holds: watched by a real Prometheus, told of by systemd's
//! protocol, behind a real nginx and a real HAProxy.
//!
//! The programs come with Debian's packages (`make tools`). Everything runs on free ports of the loopback
//! interface, in folders that go away with the test.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(clippy::print_stderr, reason = "what a process said is told where a test fails")]
#![allow(clippy::disallowed_methods, reason = "a test waits for processes, with a deadline")]
#![allow(clippy::disallowed_types, reason = "tests share the ports that they took")]

#[allow(dead_code, unused_imports, reason = "the harness serves the tests of other clients too")]
#[path = "../clients/support/mod.rs"]
mod support;

mod fronts;
mod names;
mod prometheus;
mod rules;
mod samples;
mod supervised;
