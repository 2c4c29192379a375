use super::*;
use crate::x509::UnixTime;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

fn options(dir: &Path) -> DemoOptions {
    DemoOptions {
        dir: dir.to_path_buf(),
        cards: Some(1_000),
        algorithm: None,
        listen: None,
        admin_listen: None,
    }
}

fn now() -> UnixTime {
    Clock::System.now()
}

fn prepared(options: &DemoOptions, now: UnixTime) -> DemoSummary {
    prepare(options, &mut (), &Clock::fixed(now)).unwrap()
}

/// Runs openssl and returns what it said on both outputs; it must have exited with 0.
fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).output().unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
    said
}

/// Every file below `dir` with its octets.
fn contents(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![dir.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn crl_number(dir: &Path) -> String {
    let crl = dir.join("crl/auth/tokyo-to-kiyose-shi.crl");
    openssl(&["crl", "-inform", "DER", "-noout", "-crlnumber", "-in", crl.to_str().unwrap()])
        .trim()
        .to_owned()
}

#[test]
fn contract_7_names_are_all_there_and_nothing_unfinished() {
    let dir = tempfile::tempdir().unwrap();
    let summary = prepared(&options(dir.path()), now());
    assert_eq!(summary.work, [Work::Made]);
    for prefix in ["auth", "sign"] {
        for rest in [
            "ca.pem",
            "ca.key",
            "good.pem",
            "revoked.pem",
            "hold.pem",
            "unissued.pem",
            "ocsp.pem",
            "ocsp.key",
            "issued.txt",
        ] {
            assert!(dir.path().join(format!("{prefix}-{rest}")).is_file(), "{prefix}-{rest}");
        }
        assert_eq!(fs::read_dir(dir.path().join("crl").join(prefix)).unwrap().count(), 12);
    }
    assert!(summary.config.is_file());
    assert!(!contents(dir.path()).keys().any(|path| path.to_string_lossy().ends_with(".new")));
}

#[test]
fn openssl_verifies_every_certificate_and_crl_of_every_algorithm() {
    for algorithm in [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048, KeyKind::Ed25519] {
        let dir = tempfile::tempdir().unwrap();
        let asked = DemoOptions { algorithm: Some(algorithm), cards: Some(MIN_CARDS), ..options(dir.path()) };
        let built = prepare(&asked, &mut (), &Clock::System);
        // Without aws-lc there is nothing that makes an RSA key.
        if cfg!(not(feature = "aws-lc")) && algorithm == KeyKind::Rsa2048 {
            assert!(matches!(built, Err(DemoError::Pki { .. })));
            continue;
        }
        built.unwrap();
        for prefix in ["auth", "sign"] {
            let path = |name: &str| dir.path().join(format!("{prefix}-{name}")).to_str().unwrap().to_owned();
            let ca = path("ca.pem");
            for name in ["good.pem", "revoked.pem", "hold.pem", "unissued.pem", "ocsp.pem"] {
                openssl(&["verify", "-x509_strict", "-CAfile", &ca, &path(name)]);
            }
            openssl(&["verify", "-x509_strict", "-purpose", "ocsphelper", "-CAfile", &ca, &path("ocsp.pem")]);
            for entry in fs::read_dir(dir.path().join("crl").join(prefix)).unwrap() {
                let crl = entry.unwrap().path();
                let said = openssl(&[
                    "crl",
                    "-inform",
                    "DER",
                    "-noout",
                    "-verify",
                    "-CAfile",
                    &ca,
                    "-in",
                    crl.to_str().unwrap(),
                ]);
                assert!(said.contains("verify OK"), "{said}");
            }
            let public = openssl(&["x509", "-noout", "-pubkey", "-in", &path("ocsp.pem")]);
            assert_eq!(public, openssl(&["pkey", "-pubout", "-in", &path("ocsp.key")]));
        }
    }
}

/// The partition's CRL is the one that the certificate points to: RFC 5280 6.3.3 (b)(2).
#[test]
fn openssl_finds_a_certificate_revoked_by_the_crl_it_points_to() {
    let dir = tempfile::tempdir().unwrap();
    prepared(&options(dir.path()), now());
    for prefix in ["auth", "sign"] {
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let (ca, pem) = (path(&format!("{prefix}-ca.pem")), path("kiyose.pem"));
        let crl = path(&format!("crl/{prefix}/tokyo-to-kiyose-shi.crl"));
        openssl(&["crl", "-inform", "DER", "-in", &crl, "-out", &pem]);
        let checked = |name: &str| {
            let certificate = path(&format!("{prefix}-{name}.pem"));
            let output = Command::new("openssl")
                .args([
                    "verify",
                    "-crl_check",
                    "-extended_crl",
                    "-CAfile",
                    &ca,
                    "-CRLfile",
                    &pem,
                    &certificate,
                ])
                .output()
                .unwrap();
            (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
        };
        assert!(checked("good").0, "{}", checked("good").1);
        assert!(checked("unissued").0, "{}", checked("unissued").1);
        assert!(checked("revoked").1.contains("certificate revoked"));
        assert!(checked("hold").1.contains("certificate revoked"));
        let text = openssl(&["crl", "-in", &pem, "-noout", "-text"]);
        for reason in
            ["Key Compromise", "Certificate Hold", "CA Compromise", "Superseded", "Cessation Of Operation"]
        {
            assert!(text.contains(reason), "{reason}");
        }
        assert_eq!(text.contains("Affiliation Changed"), prefix == "sign");
        assert!(text.contains("X509v3 Issuing Distribution Point: critical"), "{text}");
    }
}

#[test]
fn the_unissued_certificate_is_in_no_inventory_and_the_others_are() {
    let dir = tempfile::tempdir().unwrap();
    prepared(&options(dir.path()), now());
    for ca in CardCa::ALL {
        let prefix = ca.prefix();
        let inventory = fs::read_to_string(dir.path().join(format!("{prefix}-issued.txt"))).unwrap();
        let lines: Vec<&str> = inventory.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), 1_000);
        let line_of = |name: &str| {
            let path = dir.path().join(format!("{prefix}-{name}.pem"));
            let said = openssl(&["x509", "-noout", "-serial", "-in", path.to_str().unwrap()]);
            let serial = said.trim().trim_start_matches("serial=").to_lowercase();
            lines.iter().find(|line| line.split(' ').next() == Some(&serial)).copied()
        };
        let point = format!(
            " CN=Kiyose-shi CRLDP,OU=Tokyo-to,OU=CRL Distribution Points,OU=Demo JPKI for {},O=Demo JPKI,C=JP",
            ca.purpose()
        );
        for name in ["good", "revoked", "hold"] {
            assert!(line_of(name).unwrap().ends_with(&point));
        }
        assert_eq!(line_of("unissued"), None);
    }
}

#[test]
fn a_second_start_serves_what_is_there_and_touches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let first = prepared(&options(dir.path()), now());
    let before = contents(dir.path());
    let second = prepared(&DemoOptions { cards: None, ..options(dir.path()) }, now());
    assert_eq!(second.work, []);
    assert_eq!(second.issuers, first.issuers);
    assert_eq!(contents(dir.path()), before);
}

#[test]
fn a_demo_of_other_cards_or_keys_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    prepared(&options(dir.path()), now());
    let other = DemoOptions { cards: Some(2_000), ..options(dir.path()) };
    let error = prepare(&other, &mut (), &Clock::System).unwrap_err();
    assert!(matches!(error, DemoError::OtherCards { found: 1_000, asked: 2_000, .. }));
    let other = DemoOptions { algorithm: Some(KeyKind::Ed25519), ..options(dir.path()) };
    let error = prepare(&other, &mut (), &Clock::System).unwrap_err();
    assert!(matches!(error, DemoError::OtherAlgorithm { .. }), "{error}");
    let none = DemoOptions { cards: Some(5), ..options(dir.path()) };
    assert!(matches!(prepare(&none, &mut (), &Clock::System), Err(DemoError::Cards { asked: 5 })));
}

#[test]
fn a_folder_of_someone_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("holiday.jpg"), "sea").unwrap();
    let error = prepare(&options(dir.path()), &mut (), &Clock::System).unwrap_err();
    assert!(error.to_string().contains("holds holiday.jpg and was not made by"), "{error}");
    assert_eq!(contents(dir.path()).len(), 1);
}

#[test]
fn an_interrupted_start_is_made_anew_without_leftovers() {
    let dir = tempfile::tempdir().unwrap();
    let large = DemoOptions { cards: Some(20_000), ..options(dir.path()) };
    prepared(&large, now());
    let marker = dir.path().join(state::FILE);
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("\"complete\"", "\"making\"")).unwrap();
    fs::write(dir.path().join("crl/auth/.tokyo-to-kiyose-shi.crl.new"), "half").unwrap();
    let summary = prepared(&options(dir.path()), now());
    assert_eq!(summary.work, [Work::MadeAnew]);
    assert_eq!(summary.cards, 1_000);
    assert_eq!(fs::read_dir(dir.path().join("crl/auth")).unwrap().count(), 12);
}

#[test]
fn crls_that_ran_out_are_published_with_a_higher_number_and_the_same_entries() {
    let dir = tempfile::tempdir().unwrap();
    let start = now().plus(-8 * DAY);
    let first = prepared(&options(dir.path()), start);
    assert_eq!(crl_number(dir.path()), "crlNumber=0x1");
    let entries = |dir: &Path| {
        let crl = dir.join("crl/sign/tokyo-to-kiyose-shi.crl");
        let text = openssl(&["crl", "-inform", "DER", "-noout", "-text", "-in", crl.to_str().unwrap()]);
        let (_, list) = text.split_once("Revoked Certificates:").unwrap();
        list.split("Signature Algorithm").next().unwrap().to_owned()
    };
    let before = entries(dir.path());
    let second = prepared(&options(dir.path()), start.plus(8 * DAY));
    assert_eq!(second.work, [Work::CrlsPublished]);
    assert_eq!(second.issuers, first.issuers);
    assert!(second.crl_next_update > now());
    assert_eq!(crl_number(dir.path()), "crlNumber=0x2");
    assert_eq!(entries(dir.path()), before);
}

/// Traps 26: a number is never used for two CRLs, not even when a publication was cut short.
#[test]
fn an_interrupted_publication_wastes_its_number() {
    let dir = tempfile::tempdir().unwrap();
    prepared(&options(dir.path()), now());
    let marker = dir.path().join(state::FILE);
    let text = fs::read_to_string(&marker).unwrap();
    let text = text.replace("\"complete\"", "\"publishing\"").replace("crl_number = 1", "crl_number = 2");
    fs::write(&marker, text).unwrap();
    assert_eq!(prepared(&options(dir.path()), now()).work, [Work::CrlsPublished]);
    assert_eq!(crl_number(dir.path()), "crlNumber=0x3");
}

#[test]
fn an_ocsp_signer_that_ran_out_is_issued_anew() {
    let dir = tempfile::tempdir().unwrap();
    let start = now().plus(-31 * DAY);
    prepared(&options(dir.path()), start);
    let old = fs::read(dir.path().join("auth-ocsp.pem")).unwrap();
    let summary = prepared(&options(dir.path()), now());
    assert_eq!(summary.work, [Work::SignersIssued, Work::CrlsPublished]);
    assert_ne!(fs::read(dir.path().join("auth-ocsp.pem")).unwrap(), old);
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    openssl(&["verify", "-CAfile", &path("auth-ca.pem"), &path("auth-ocsp.pem")]);
}

#[test]
fn other_addresses_reach_configuration_and_certificates_unless_it_was_edited() {
    let dir = tempfile::tempdir().unwrap();
    prepared(&options(dir.path()), now());
    let moved = |port: u16| DemoOptions {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], port))),
        ..options(dir.path())
    };
    let summary = prepared(&moved(8_123), now());
    assert_eq!(summary.work, [Work::CertificatesIssued, Work::ConfigurationWritten]);
    assert!(fs::read_to_string(&summary.config).unwrap().contains("127.0.0.1:8123"));
    let good = dir.path().join("auth-good.pem");
    let said = openssl(&["x509", "-noout", "-ocsp_uri", "-in", good.to_str().unwrap()]);
    assert_eq!(said.trim(), "http://127.0.0.1:8123/");

    let edited = fs::read_to_string(&summary.config).unwrap().replace("24h", "12h");
    fs::write(&summary.config, &edited).unwrap();
    let summary = prepared(&moved(8_124), now());
    assert_eq!(summary.work, [Work::CertificatesIssued, Work::ConfigurationKept]);
    assert_eq!(fs::read_to_string(&summary.config).unwrap(), edited);
}

#[test]
fn a_lost_ca_key_and_a_marker_from_the_future_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let start = now().plus(-8 * DAY);
    prepared(&options(dir.path()), start);
    fs::remove_file(dir.path().join("sign-ca.key")).unwrap();
    let error = prepare(&options(dir.path()), &mut (), &Clock::System).unwrap_err();
    assert!(error.to_string().contains("sign-ca.key is missing"), "{error}");
    let marker = dir.path().join(state::FILE);
    let text = fs::read_to_string(&marker).unwrap();
    fs::write(&marker, text.replace("format = 1", "format = 9")).unwrap();
    let error = prepare(&options(dir.path()), &mut (), &Clock::System).unwrap_err();
    assert!(error.to_string().contains("its format is 9, and this release knows 1"), "{error}");
}

#[test]
fn keys_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    prepared(&options(dir.path()), now());
    for name in ["auth-ca.key", "auth-ocsp.key", "sign-ca.key", "sign-ocsp.key"] {
        let mode = fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn the_welcome_has_lines_to_paste_for_every_status_and_both_cas() {
    let dir = tempfile::tempdir().unwrap();
    let summary = prepared(&options(dir.path()), now());
    let mut text = Vec::new();
    welcome(&summary, &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    for prefix in ["auth", "sign"] {
        for name in ["good", "revoked", "hold", "unissued"] {
            let certificate = dir.path().join(format!("{prefix}-{name}.pem"));
            let needle = format!("-cert {}", certificate.display());
            assert!(
                text.lines().any(|line| line.contains("openssl ocsp -issuer") && line.contains(&needle)),
                "{needle}"
            );
        }
    }
    assert!(text.contains("http://127.0.0.1:8080/") && text.contains("1,000 cards"), "{text}");
}

#[test]
fn the_configuration_is_toml_with_every_key_of_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let summary = prepared(&options(dir.path()), now());
    let text = fs::read_to_string(summary.config).unwrap();
    let table: toml::Table = text.parse().unwrap();
    for (section, keys) in [
        ("server", &["listen", "workers"][..]),
        ("admin", &["listen"]),
        ("store", &["path"]),
        ("response", &["validity", "cache_size", "nonce"]),
    ] {
        let found: Vec<&String> = table[section].as_table().unwrap().keys().collect();
        assert_eq!(found.len(), keys.len());
        assert!(keys.iter().all(|key| table[section].get(key).is_some()), "{section}");
    }
    assert_eq!(table["issuer"].as_array().unwrap().len(), 2);
}
