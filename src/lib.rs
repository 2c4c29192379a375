//! ocsprey: CRLs in, signed OCSP answers out, for national ID cards.
//!
//! The map. Imports go down only; `tests/architecture.rs` holds this table as data.
//!
//! | floor | module | what it is |
//! | --- | --- | --- |
//! | 5 | [`cli`] | one file a command |
//! | 5 | [`app`] | the life of a serving process: build, spawn, reload, drain |
//! | 5 | [`config`] | `ocsprey.toml` |
//! | 5 | [`demo`] | a national-ID style PKI to try everything on |
//! | 4 | [`http`] | the listeners: OCSP over HTTP, and the admin pages |
//! | 3 | [`respond`] | **the hot path**: request octets in, answer octets out |
//! | 3 | [`ingest`] | the write side: CRLs and inventories, verified, then applied |
//! | 3 | [`audit`] | what was answered, provable, without a profile of the citizens |
//! | 3 | [`usage`] | who asked how often, for bills |
//! | 3 | [`verifiers`] | who may ask |
//! | 3 | [`traces`] | what taking CRLs in took, for an OpenTelemetry collector |
//! | 2 | [`snapshot`] | what an answer is decided from, published through one pointer |
//! | 1 | [`store`] | RocksDB: formats, rows, batches; rows in memory |
//! | 1 | [`signing`] | keys that sign, signatures that are verified, hashes |
//! | 1 | [`metrics`] | what Prometheus reads |
//! | 1 | [`clock`] | the time, as a value |
//! | 0 | [`ocsp`] | RFC 6960 in octets |
//! | 0 | [`x509`] | RFC 5280 in octets |
//! | 0 | [`asn1`] | DER in octets |
//!
//! A request's way: [`http`] → [`respond`] → [`snapshot`] → [`store`], [`signing`] → back.
//! A CRL's way: [`ingest`] → [`x509`] (parse) → [`signing`] (verify) → [`store`] (apply) → [`snapshot`] (publish).

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        clippy::disallowed_methods,
        clippy::disallowed_types,
        clippy::items_after_statements,
        reason = "tests count to small numbers, take the time, and hold what they like"
    )
)]

pub mod app;
pub mod asn1;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod http;
pub mod ingest;
pub mod metrics;
pub mod ocsp;
pub mod respond;
pub mod signing;
pub mod snapshot;
pub mod store;
pub mod traces;
pub mod usage;
pub mod verifiers;
pub mod x509;
