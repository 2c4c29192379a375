//! `ocsprey crl show`: what a CRL says, in constant memory, whatever its size.
//!
//! The entries are counted as they pass and never kept; the signature is not verified here (there is no
//! key to verify it with), and the output says so.

use super::{Exit, Failure, Progress, words};
use crate::clock::Clock;
use crate::config::io_reason;
use crate::signing::Sha256Stream;
use crate::x509::crl::{
    Armor, CertificateKinds, CrlEntry, CrlError, CrlHeader, CrlParser, CrlVisitor, IssuingDistributionPoint,
};
use crate::x509::{CrlReason, SignatureAlgorithm, UnixTime, name_text};
use clap::Args;
use serde_json::{Map, Value, json};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Octets read at a time.
const BLOCK: usize = 256 * 1024;

/// The bits of ReasonFlags (RFC 5280 4.2.1.13).
const REASON_FLAGS: [&str; 9] = [
    "unused",
    "keyCompromise",
    "cACompromise",
    "affiliationChanged",
    "superseded",
    "cessationOfOperation",
    "certificateHold",
    "privilegeWithdrawn",
    "aACompromise",
];

/// Show what a CRL says: header, scope, number, validity, entries and reasons
///
/// Reads DER and PEM of any size in constant memory. The signature is not verified; `ocsprey crl ingest` does that.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = "\
Examples:
  ocsprey crl show auth.crl
  ocsprey crl show --json auth.crl")]
pub struct ShowArgs {
    /// The CRL, in DER or PEM
    #[arg(value_name = "CRL")]
    pub crl: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}

/// What is shown of a CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlSummary {
    /// Its issuer's name as RFC 4514 writes it.
    pub issuer: String,
    /// What it covers, a line each: distribution point, kinds of certificates, reasons, indirect.
    /// Empty: everything of its issuer.
    pub scope: Vec<String>,
    /// Big-endian; `None` where it has none.
    pub number: Option<Vec<u8>>,
    /// The number of the full CRL that this delta CRL builds on; `None` for a full one.
    pub delta_base: Option<Vec<u8>>,
    pub this_update: UnixTime,
    pub next_update: Option<UnixTime>,
    pub entries: u64,
    pub reasons: ReasonCounts,
    /// As people call it, for example `RSA with SHA-256`, or what was found instead.
    pub signature_algorithm: String,
    /// Octets of its DER.
    pub size: u64,
    /// Of its DER.
    pub sha256: [u8; 32],
}

/// How many entries give which reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReasonCounts {
    by_value: [u64; 11],
    none: u64,
}

impl ReasonCounts {
    pub fn count(&mut self, reason: Option<CrlReason>) {
        match reason {
            None => self.none += 1,
            Some(reason) => {
                if let Some(count) = self.by_value.get_mut(usize::from(reason.value())) {
                    *count += 1;
                }
            }
        }
    }

    /// Every reason that occurs, in order of value; entries without one last, called "none".
    fn occurring(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let of = |reason: CrlReason| {
            let count = self.by_value.get(usize::from(reason.value())).copied().unwrap_or_default();
            (reason.name(), count)
        };
        CrlReason::ALL.into_iter().map(of).chain([("none", self.none)]).filter(|(_, count)| *count > 0)
    }
}

pub(super) fn run(args: &ShowArgs) -> Result<Exit, Failure> {
    let summary = summary(&args.crl)?;
    if args.json {
        super::print_json(&json_of(&summary))?;
    } else {
        super::print(&text_of(&summary, Clock::System.now()))?;
    }
    Ok(Exit::Done)
}

/// Reads the file in one pass: what is shown is what was hashed.
fn summary(path: &Path) -> Result<CrlSummary, Failure> {
    let shown = path.display();
    let unreadable = |error: io::Error| Failure::work(&shown, io_reason(&error), "");
    let mut file = File::open(path).map_err(unreadable)?;
    let metadata = file.metadata().map_err(unreadable)?;
    if metadata.is_dir() {
        return Err(unreadable(io::ErrorKind::IsADirectory.into()));
    }
    let progress = Progress::octets(format!("reading {shown}"), Some(metadata.len()));
    let mut armor = Armor::new();
    let mut parser = CrlParser::new();
    let mut counter = Counter::default();
    let mut sha256 = Sha256Stream::new();
    let mut block = vec![0; BLOCK];
    let no_crl = |why: &dyn Display| Failure::work(&shown, format!("this is not a usable CRL: {why}"), "");
    loop {
        let octets = file.read(&mut block).map_err(unreadable)?;
        let Some(read @ [_, ..]) = block.get(..octets) else { break };
        let der = armor.push(read).map_err(|error| no_crl(&error))?;
        sha256.update(der);
        parser.push(der, &mut counter).map_err(|error| no_crl(&error))?;
        progress.advance(octets as u64);
    }
    armor.finish().map_err(|error| no_crl(&error))?;
    let (header, trailer) = parser.finish().map_err(|error| no_crl(&error))?;
    // A bar on a terminal goes away by itself; how long it took is of no interest here.
    drop(progress);
    let extensions = trailer.extensions;
    let algorithm = SignatureAlgorithm::from_algorithm_identifier(&trailer.signature_algorithm);
    Ok(CrlSummary {
        issuer: name_text(&header.issuer),
        scope: extensions.issuing_distribution_point.as_ref().map(scope_of).unwrap_or_default(),
        number: extensions.crl_number,
        delta_base: extensions.delta_base,
        this_update: header.this_update,
        next_update: header.next_update,
        entries: trailer.entries,
        reasons: counter.reasons,
        signature_algorithm: algorithm.map_or_else(|error| error.to_string(), |known| known.to_string()),
        size: trailer.octets,
        sha256: sha256.finish(),
    })
}

/// A line for each thing that the issuingDistributionPoint limits or says.
fn scope_of(point: &IssuingDistributionPoint) -> Vec<String> {
    let mut lines = Vec::new();
    if !point.distribution_point.is_empty() {
        lines.push(format!("distribution point {}", point.text));
    }
    match point.kinds {
        CertificateKinds::All => {}
        CertificateKinds::User => lines.push("user certificates only".into()),
        CertificateKinds::Ca => lines.push("CA certificates only".into()),
        CertificateKinds::Attribute => lines.push("attribute certificates only".into()),
    }
    if let Some(mask) = point.reasons {
        let named = REASON_FLAGS.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
        let names: Vec<&str> = named.map(|(_, name)| *name).collect();
        lines.push(format!("only the reasons {}", names.join(", ")));
    }
    if point.is_indirect {
        lines.push("indirect: certificates of other issuers too".into());
    }
    lines
}

/// Counts reasons, and nothing else.
#[derive(Default)]
struct Counter {
    reasons: ReasonCounts,
}

impl CrlVisitor for Counter {
    type Error = CrlError;

    fn signed(&mut self, _: &[u8]) {}

    fn header(&mut self, _: &CrlHeader) -> Result<(), CrlError> {
        Ok(())
    }

    fn entry(&mut self, entry: &CrlEntry<'_>) -> Result<(), CrlError> {
        self.reasons.count(entry.revocation.reason);
        Ok(())
    }
}

fn text_of(crl: &CrlSummary, now: UnixTime) -> String {
    let mut lines: Vec<(&str, String)> = vec![("issuer", crl.issuer.clone())];
    if crl.scope.is_empty() {
        lines.push(("covers", "every certificate of its issuer".into()));
    }
    for (index, scope) in crl.scope.iter().enumerate() {
        lines.push((if index == 0 { "covers" } else { "" }, scope.clone()));
    }
    lines.push(("number", crl.number.as_deref().map_or("none".into(), words::decimal)));
    if let Some(base) = &crl.delta_base {
        lines.push(("delta", format!("adds to the full CRL {} or later", words::decimal(base))));
    }
    let at = |time: UnixTime| format!("{time}  {}", words::away(time, now));
    lines.push(("this update", at(crl.this_update)));
    let next = match crl.next_update {
        None => "none".into(),
        Some(next) if next < now => format!("{}: expired", at(next)),
        Some(next) => at(next),
    };
    lines.push(("next update", next));
    lines.push(("entries", words::thousands(crl.entries)));
    let width = crl.reasons.occurring().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (index, (name, count)) in crl.reasons.occurring().enumerate() {
        let label = if index == 0 { "reasons" } else { "" };
        lines.push((label, format!("{name:width$}  {}", words::thousands(count))));
    }
    lines.push(("signature", format!("{}, not verified here", crl.signature_algorithm)));
    lines.push(("size", format!("{} octets", words::thousands(crl.size))));
    lines.push(("SHA-256", words::hex(&crl.sha256)));
    words::table(&lines)
}

fn json_of(crl: &CrlSummary) -> Value {
    let reasons = crl.reasons.occurring().map(|(name, count)| (name.to_owned(), Value::from(count)));
    json!({
        "issuer": crl.issuer,
        "scope": crl.scope,
        "crl_number": crl.number.as_deref().map(words::decimal),
        "delta_base": crl.delta_base.as_deref().map(words::decimal),
        "this_update": crl.this_update.to_string(),
        "next_update": crl.next_update.map(|time| time.to_string()),
        "entries": crl.entries,
        "reasons": reasons.collect::<Map<_, _>>(),
        "signature_algorithm": crl.signature_algorithm,
        "signature_verified": false,
        "size": crl.size,
        "sha256": words::hex(&crl.sha256),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> CrlSummary {
        let mut reasons = ReasonCounts::default();
        reasons.count(None);
        for _ in 0..1200 {
            reasons.count(Some(CrlReason::Superseded));
        }
        reasons.count(Some(CrlReason::AaCompromise));
        CrlSummary {
            issuer: "CN=CA,C=JP".into(),
            scope: vec!["distribution point CN=Kiyose-shi CRLDP".into(), "user certificates only".into()],
            number: Some(vec![1, 0]),
            delta_base: None,
            this_update: UnixTime::from_seconds(1_000_000),
            next_update: Some(UnixTime::from_seconds(1_086_400)),
            entries: 1202,
            reasons,
            signature_algorithm: "ECDSA with SHA-256".into(),
            size: 44_000,
            sha256: [0xab; 32],
        }
    }

    #[test]
    fn a_crl_is_shown_for_people() {
        let now = UnixTime::from_seconds(1_003_600);
        let sha256 = "ab".repeat(32);
        let expected = format!(
            "issuer       CN=CA,C=JP
covers       distribution point CN=Kiyose-shi CRLDP
             user certificates only
number       256
this update  1970-01-12T13:46:40Z  1 hour ago
next update  1970-01-13T13:46:40Z  in 23 hours
entries      1,202
reasons      superseded    1,200
             aACompromise  1
             none          1
signature    ECDSA with SHA-256, not verified here
size         44,000 octets
SHA-256      {sha256}
"
        );
        assert_eq!(text_of(&summary(), now), expected);
        let late = text_of(&summary(), UnixTime::from_seconds(2_000_000));
        assert!(late.contains("next update  1970-01-13T13:46:40Z  10 days ago: expired\n"), "{late}");
    }

    #[test]
    fn a_delta_and_a_crl_of_everything_say_so() {
        let delta = CrlSummary { delta_base: Some(vec![7]), scope: vec![], next_update: None, ..summary() };
        let text = text_of(&delta, UnixTime::EPOCH);
        assert!(text.contains("delta        adds to the full CRL 7 or later\n"), "{text}");
        assert!(text.contains("covers       every certificate of its issuer\n"), "{text}");
        assert!(text.contains("next update  none\n"), "{text}");
    }

    #[test]
    fn a_crl_is_json_for_programs() {
        let value = json_of(&summary());
        assert_eq!(value["crl_number"], "256");
        assert_eq!(value["entries"], 1202);
        assert_eq!(value["reasons"], json!({"superseded": 1200, "aACompromise": 1, "none": 1}));
        assert_eq!(value["signature_verified"], false);
    }

    /// OpenSSL's CRL of this index, as a.pem and a.der.
    fn openssl_crl(folder: &Path, index: &str) {
        let config = "[ca]\ndefault_ca=c\n[c]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n\
                      default_crl_days=3\ncrl_extensions=x\n[x]\nissuingDistributionPoint=critical,@p\n\
                      [p]\nfullname=URI:http://crl.example/a.crl\nonlyuser=TRUE\n\
                      onlysomereasons=keyCompromise,superseded\n";
        std::fs::write(folder.join("ca.cnf"), config).unwrap();
        std::fs::write(folder.join("index.txt"), index).unwrap();
        std::fs::write(folder.join("number"), "0100\n").unwrap();
        let run = |line: &str| {
            let mut command = std::process::Command::new("openssl");
            let output = command.args(line.split_whitespace()).current_dir(folder).output().unwrap();
            assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout ca.key -out ca.pem -subj /C=JP/CN=CA",
        );
        run("ca -config ca.cnf -gencrl -keyfile ca.key -cert ca.pem -out a.pem");
        run("crl -in a.pem -outform DER -out a.der");
    }

    #[test]
    fn contract_2_a_crl_of_openssl_is_shown_the_same_from_der_and_pem() {
        let folder = tempfile::tempdir().unwrap();
        let revoked = |serial: u32, reason: &str| {
            format!("R\t401231000000Z\t260101000000Z{reason}\t{serial:08X}\tunknown\t/CN=x\n")
        };
        let mut index: String = (1..=5000).map(|serial| revoked(serial, ",superseded")).collect();
        index.push_str(&revoked(6000, ",keyCompromise"));
        index.push_str(&revoked(6001, ""));
        openssl_crl(folder.path(), &index);
        let der = super::summary(&folder.path().join("a.der")).unwrap();
        assert_eq!(der, super::summary(&folder.path().join("a.pem")).unwrap());

        let octets = std::fs::read(folder.path().join("a.der")).unwrap();
        let digest = crate::signing::digest(crate::x509::HashAlgorithm::Sha256, &octets);
        assert_eq!((der.size, &der.sha256[..]), (octets.len() as u64, digest.as_ref()));
        assert_eq!((der.issuer.as_str(), der.entries), ("CN=CA,C=JP", 5002));
        assert_eq!(der.number, Some(vec![1, 0]));
        assert_eq!(
            der.scope,
            [
                "distribution point http://crl.example/a.crl",
                "user certificates only",
                "only the reasons keyCompromise, superseded"
            ]
        );
        let reasons: Vec<_> = der.reasons.occurring().collect();
        assert_eq!(reasons, [("keyCompromise", 1), ("superseded", 5000), ("none", 1)]);
        assert_eq!(der.next_update.unwrap().since(der.this_update), 3 * 86_400);

        std::fs::write(folder.path().join("cut.der"), &octets[..1000]).unwrap();
        let failure = super::summary(&folder.path().join("cut.der")).unwrap_err();
        assert_eq!((failure.exit, failure.lines.len()), (Exit::Failed, 1));
        assert!(failure.lines[0].contains("cut.der: this is not a usable CRL: it is cut short"), "{failure}");
        let failure = super::summary(&folder.path().join("none.crl")).unwrap_err();
        assert!(failure.lines[0].ends_with("none.crl: there is no such file or folder"), "{failure}");
    }
}
