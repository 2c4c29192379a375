//! What the person who started the demo reads: what there is, where it is, what to try.
//!
//! Called by `cli::demo` when the demo is ready to serve. The lines to try can be pasted as they stand
//! into a shell in the folder where the demo was started. Errors: only those of the writer.

use super::publish::ocsp_url;
use super::{CardCa, DemoSummary, IssuerSummary, Work};
use crate::cli::thousands;
use crate::signing::KeyKind;
use std::io::{self, Write};
use std::path::Path;

/// Writes the welcome.
///
/// # Errors
/// When `out` cannot be written to.
pub fn welcome(summary: &DemoSummary, out: &mut dyn Write) -> io::Result<()> {
    what_there_is(summary, out)?;
    where_it_is(summary, out)?;
    what_to_try(summary, out)
}

fn what_there_is(summary: &DemoSummary, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    writeln!(out, "  A national ID card PKI, {}", headline(&summary.work))?;
    writeln!(out)?;
    let (cards, places) = (thousands(summary.cards), thousands(summary.municipalities as u64));
    writeln!(
        out,
        "    {cards} cards, two certificates each; {places} municipalities; {} keys",
        key_name(summary.algorithm)
    )?;
    for issuer in &summary.issuers {
        let IssuerSummary { ca, issued, revoked, on_hold, crl_octets } = *issuer;
        writeln!(
            out,
            "    {:<20} {} issued, {} revoked ({} of them on hold), {places} CRLs of {} in all",
            ca.purpose(),
            thousands(issued),
            thousands(revoked),
            thousands(on_hold),
            size(crl_octets),
        )?;
    }
    writeln!(
        out,
        "    CRLs number {}, good until {}; OCSP signers until {}",
        summary.crl_number, summary.crl_next_update, summary.signer_not_after
    )?;
    for work in &summary.work {
        if let Some(line) = news(*work) {
            writeln!(out, "    {line}")?;
        }
    }
    Ok(())
}

fn headline(work: &[Work]) -> &'static str {
    match work.first() {
        Some(Work::Made) => "freshly made:",
        Some(Work::MadeAnew) => "made anew, since the last start was interrupted:",
        _ => "as you left it:",
    }
}

/// What a person should know about a start that was not the first.
fn news(work: Work) -> Option<&'static str> {
    match work {
        Work::Made | Work::MadeAnew => None,
        Work::CrlsPublished => {
            Some("The CRLs had run out, or nearly: new ones are published, with the same entries.")
        }
        Work::SignersIssued => Some("The OCSP signers had run out, or nearly: new ones are issued."),
        Work::CertificatesIssued => Some("The certificates to try are issued anew."),
        Work::InventoryWritten => Some("The inventory was missing and is written again."),
        Work::ConfigurationWritten => Some("ocsprey.toml is written for these addresses."),
        Work::ConfigurationKept => {
            Some("ocsprey.toml was edited by hand, so it stays; the addresses in it count.")
        }
    }
}

fn where_it_is(summary: &DemoSummary, out: &mut dyn Write) -> io::Result<()> {
    let path = |name: &str| shell_word(&summary.dir.join(name));
    writeln!(out)?;
    writeln!(out, "  Where things are")?;
    writeln!(out)?;
    for (what, place) in [
        ("configuration", path("ocsprey.toml")),
        ("CA certificates, keys", format!("{}, .key; {}, .key", path("auth-ca.pem"), path("sign-ca.pem"))),
        ("CRLs", format!("{}, {}", path("crl/auth/"), path("crl/sign/"))),
        ("issued serials", format!("{}, {}", path("auth-issued.txt"), path("sign-issued.txt"))),
        ("OCSP, by POST or GET", ocsp_url(summary.listen)),
        ("how it is doing", format!("{}status", ocsp_url(summary.admin_listen))),
    ] {
        writeln!(out, "    {what:<22} {place}")?;
    }
    Ok(())
}

fn what_to_try(summary: &DemoSummary, out: &mut dyn Write) -> io::Result<()> {
    let path = |name: String| shell_word(&summary.dir.join(name));
    let url = ocsp_url(summary.listen);
    let admin = ocsp_url(summary.admin_listen);
    writeln!(out)?;
    writeln!(out, "  What to try, in another shell (each line can be pasted)")?;
    for ca in CardCa::ALL {
        let prefix = ca.prefix();
        let issuer = path(format!("{prefix}-ca.pem"));
        writeln!(out)?;
        writeln!(out, "    # {}: good, revoked for keyCompromise, on hold, never issued", ca.purpose())?;
        for name in ["good", "revoked", "hold", "unissued"] {
            let certificate = path(format!("{prefix}-{name}.pem"));
            writeln!(
                out,
                "    openssl ocsp -issuer {issuer} -cert {certificate} -CAfile {issuer} -url {url}"
            )?;
        }
    }
    let issuer = path("auth-ca.pem".to_owned());
    let [good, revoked, hold] = ["good", "revoked", "hold"].map(|name| path(format!("auth-{name}.pem")));
    let program = &summary.program;
    writeln!(out)?;
    writeln!(out, "    # three cards in one request, by SHA-256, without a nonce")?;
    writeln!(
        out,
        "    openssl ocsp -no_nonce -issuer {issuer} -sha256 -cert {good} -cert {revoked} -cert {hold} -CAfile {issuer} -url {url}"
    )?;
    writeln!(out)?;
    writeln!(
        out,
        "    # a question as a GET; the headers say for how long any HTTP cache may give the answer again"
    )?;
    writeln!(
        out,
        "    openssl ocsp -no_nonce -issuer {issuer} -cert {good} -reqout - | openssl base64 -A | sed 's|+|%2B|g; s|/|%2F|g; s|=|%3D|g' | xargs -I REQUEST curl -s -D - -o /dev/null {url}REQUEST"
    )?;
    writeln!(out)?;
    writeln!(out, "    # ocsprey's own client; the GET request for this serial number holds a double slash")?;
    writeln!(out, "    {program} query --issuer {issuer} --cert {revoked} {url}")?;
    writeln!(out, "    {program} query --issuer {issuer} --serial 03fffc --get {url}")?;
    writeln!(out)?;
    writeln!(out, "    # what it counts")?;
    writeln!(out, "    curl -s {admin}metrics | grep ^ocsp_requests_total")?;
    writeln!(out)?;
    Ok(())
}

fn key_name(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::P256 => "P-256",
        KeyKind::P384 => "P-384",
        KeyKind::Rsa2048 => "RSA-2048",
        KeyKind::Rsa3072 => "RSA-3072",
        KeyKind::Ed25519 => "Ed25519",
    }
}

/// A path as one word of a shell.
fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_./+:@".contains(&octet);
    if !text.is_empty() && text.bytes().all(plain) {
        text.into_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// `96 kB`, `4.1 MB`
fn size(octets: u64) -> String {
    match octets {
        0..1_000 => format!("{octets} octets"),
        1_000..1_000_000 => format!("{} kB", octets / 1_000),
        _ => format!("{}.{} MB", thousands(octets / 1_000_000), octets % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!([12, 96_500, 4_190_000].map(size), ["12 octets", "96 kB", "4.1 MB"]);
    }

    #[test]
    fn a_path_is_one_word_for_the_shell() {
        assert_eq!(shell_word(Path::new("demo/auth-ca.pem")), "demo/auth-ca.pem");
        assert_eq!(shell_word(Path::new("my demo's/a.pem")), r"'my demo'\''s/a.pem'");
    }
}
