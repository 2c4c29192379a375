//! The real binary, judged from outside: by `openssl ocsp`, by GnuTLS' `ocsptool`, by what an
//! operator does to it (SIGTERM, kill -9, a broken configuration) and by CRLs that must be refused.
//!
//! Nothing here reaches into the library. Every server is a process that the test started, on
//! ports that were free, in a folder that goes away with it. The judges are installed by `make test`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test stops where it fails")]
#![allow(clippy::print_stderr, reason = "what a process said is told where a test fails")]
#![allow(clippy::disallowed_methods, reason = "a test waits for processes, with a deadline")]
#![allow(clippy::disallowed_types, reason = "tests share the ports that they took")]

mod audit;
mod broken_configurations;
mod by_hand;
mod copies;
mod crash;
mod explained;
mod failing_sync;
mod full_disk;
mod futex;
mod gnutls;
mod guard;
mod hand_over;
mod lifecycle;
mod openssl;
mod presigned;
mod records;
mod references;
mod refused_crls;
mod sample_configuration;
mod signers;
mod support;
mod sweep;
mod traces;
mod urls;
