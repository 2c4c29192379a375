//! A day of those who may not ask, and of those who may: the real binary behind real TLS, asked by curl, by
//! openssl and by a client of rustls that is as rude as it likes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(clippy::print_stderr, reason = "what a process said is told where a test fails")]
#![allow(clippy::disallowed_methods, reason = "a test waits for processes, with a deadline")]
#![allow(clippy::disallowed_types, reason = "tests share the ports that they took")]

mod client;
mod counted;
mod day;
mod handshakes;
mod lab;
#[path = "../clients/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "made for tests/clients, of which a part is used here")]
mod support;
mod told;
