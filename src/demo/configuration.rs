//! `DIR/ocsprey.toml`, with a comment on every line that someone may want to change.
//!
//! Called by `mod.rs`. Contract: section 3. Paths are relative to the file, so DIR can be moved.

use super::CardCa;
use super::population::Population;
use super::state::DemoState;

pub const FILE: &str = "ocsprey.toml";

/// The file for a demo in this state.
pub fn text(state: &DemoState) -> String {
    let municipalities = Population::new(state.cards, state.made_at()).places().len();
    let mut file = Lines::default();
    file.plain(
        "# The demo's configuration, made by `ocsprey demo`. Edit it as you like: once it differs from what",
    );
    file.plain("# was made, it is not written again. Relative paths start at this file.");
    file.section("[server]");
    file.with_comment(&format!(r#"listen  = ["{}"]"#, state.listen), "plain HTTP, OCSP only");
    file.with_comment("workers = 0", "threads that answer; 0 is one per core");
    file.section("[admin]");
    let listen = format!(r#"listen = "{}""#, state.admin_listen);
    file.with_comment(&listen, "/metrics /healthz /readyz /status /api/v1/");
    file.section("[store]");
    file.with_comment(r#"path = "data""#, "what CRLs and inventories said; made by ingest");
    file.section("[response]");
    file.with_comment(r#"validity   = "24h""#, "of an answer; never past its CRL's nextUpdate");
    file.with_comment(r#"cache_size = "256MiB""#, "of answers kept in memory");
    file.with_comment(r#"nonce      = "echo""#, "echo | ignore");
    for ca in CardCa::ALL {
        let (name, prefix) = (ca.issuer_name(), ca.prefix());
        file.section("[[issuer]]");
        file.plain(&format!(r#"name        = "{name}""#));
        file.plain(&format!(r#"certificate = "{prefix}-ca.pem""#));
        file.plain(&format!(
            r#"signer      = {{ certificate = "{prefix}-ocsp.pem", key = "{prefix}-ocsp.key" }}"#
        ));
        let crls = format!(r#"crls        = ["crl/{prefix}/"]"#);
        file.with_comment(&crls, "a folder: a new CRL in it is noticed");
        let scopes = format!("or {municipalities}: not ready before every municipality's CRL is loaded");
        file.with_comment(r#"scopes      = "discovered""#, &scopes);
        let inventory = format!(r#"inventory   = ["{prefix}-issued.txt"]"#);
        file.with_comment(&inventory, "every serial issued, and whose CRL would list it");
        file.with_comment(r#"unlisted    = "unknown""#, "what a serial is that was never issued");
    }
    file.text
}

/// A text with its comments in one column.
#[derive(Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn plain(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn section(&mut self, title: &str) {
        self.text.push('\n');
        self.plain(title);
    }

    fn with_comment(&mut self, line: &str, comment: &str) {
        self.plain(&format!("{line:<38} # {comment}"));
    }
}
