//! ingest

pub mod sort;
