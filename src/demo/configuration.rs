//! `DIR/ocsprey.toml`, with a comment on every line that someone may want to change.
//!
//! Called by `mod.rs`. Contract: section 3. Paths are relative to the file, so DIR can be moved.

use super::CardCa;
use super::population::Population;
use super::state::DemoState;
use std::fmt::Write;

pub const FILE: &str = "ocsprey.toml";

/// The file for a demo in this state.
pub fn text(state: &DemoState) -> String {
    let municipalities = Population::new(state.cards, state.made_at()).places().len();
    let (listen, admin) = (state.listen, state.admin_listen);
    let mut text = format!(
        r#"# The demo's configuration, made by `ocsprey demo`. Edit it as you like: it is not written again
# once it differs from what was made. Relative paths start at this file.

[server]
listen  = ["{listen}"]        # plain HTTP, OCSP only
workers = 0                          # threads that answer; 0 is one per core

[admin]
listen = "{admin}"            # /metrics /healthz /readyz /status /api/v1/

[store]
path = "data"                        # everything learnt from CRLs and inventories; made by ingest

[response]
validity   = "24h"                   # of an answer; never past the CRL's nextUpdate
cache_size = "256MiB"                # answers kept in memory
nonce      = "echo"                  # echo | ignore
"#
    );
    for ca in CardCa::ALL {
        let (name, prefix) = (ca.issuer_name(), ca.prefix());
        // Writing to a String does not fail.
        let _ = write!(
            text,
            r#"
[[issuer]]
name        = "{name}"
certificate = "{prefix}-ca.pem"
signer      = {{ certificate = "{prefix}-ocsp.pem", key = "{prefix}-ocsp.key" }}
crls        = ["crl/{prefix}/"]           # a folder: new CRLs in it are noticed
scopes      = "discovered"           # or {municipalities}: not ready before every municipality's CRL is loaded
inventory   = ["{prefix}-issued.txt"]     # every serial that was issued, and by whom it would be revoked
unlisted    = "unknown"              # what to say of a serial that was never issued
"#
        );
    }
    text
}
