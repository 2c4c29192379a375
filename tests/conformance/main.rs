//! The conformance ledger, and what it takes to be judged from outside: requests in raw octets, over real
//! sockets, to the real binary with a demo PKI behind it, and answers read by somebody else's decoder.
//!
//! `ledger.toml` has every requirement of RFC 6960, 9919, 9654, 5280, 9110 and 9112 that concerns a responder,
//! and every trap that others fell into: what is required, the verdict (pass, skip, divergence), why, and the
//! tests that prove it, wherever in the tree they stand. [`ledger`] checks it, and `make conformance`
//! writes `LEDGER.md` from it.
//!
//! A probe is a test here that is named for the items it judges. What it finds must be what the ledger says: an
//! item that diverges and suddenly holds fails as well as one that held and no longer does ([`lab::holds`]).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(clippy::print_stderr, reason = "what a process said is told where a test fails")]
#![allow(clippy::disallowed_methods, reason = "a test waits for processes, with a deadline")]
#![allow(clippy::disallowed_types, reason = "tests share a server")]
#![allow(clippy::cast_possible_truncation, reason = "lengths and random octets are small, or cut on purpose")]

mod answers;
mod hostile;
mod http;
mod http_limits;
mod lab;
mod ledger;
mod life;
mod octets;
mod requests;
#[path = "../clients/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "made for tests/clients, of which a part is used here")]
mod support;
