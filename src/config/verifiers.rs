//! `[verifiers]`, and the registry file that it names: who may ask.
//!
//! [`registry`] reads that file as [`Config::load`](super::Config::load) reads the configuration: once, and all that
//! is wrong with it. Files that it names are opened by `app`.

use super::{ConfigError, read, read_text};
use crate::verifiers::{CertificateKey, Network, Policy, Terms};
use std::path::{Path, PathBuf};

/// `[verifiers]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiersConfig {
    pub registry: PathBuf,
    pub policy: Policy,
}

/// `rights`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RightsConfig {
    All,
    /// Names of configured issuers.
    Issuers(Vec<String>),
}

/// A certificate, as the registry names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateConfig {
    /// By its hash, or by its names.
    Key(CertificateKey),
    /// The certificate itself.
    File(PathBuf),
}

/// `[[verifier]]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierConfig {
    /// Letters, digits, `-`, `_`, `.`; of one verifier only.
    pub id: String,
    /// For people.
    pub name: String,
    pub rights: RightsConfig,
    pub client_certificates: Vec<CertificateConfig>,
    pub signers: Vec<CertificateConfig>,
    pub networks: Vec<Network>,
    pub terms: Terms,
}

/// Reads and checks a registry file. `issuers` are the names of those that there are rights for.
///
/// # Errors
/// When it cannot be read, is not TOML, or anything in it is wrong: then all of it at once.
pub fn registry(path: &Path, issuers: &[&str]) -> Result<Vec<VerifierConfig>, ConfigError> {
    read::registry(path, &read_text(path)?, issuers)
}
