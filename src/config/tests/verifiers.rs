//! `[verifiers]`, and the registry file.

use super::*;
use crate::config::read::registry;
use crate::verifiers::{Allowance, Bulk, CertificateKey, Enumeration, Policy, SignedRequests};
use crate::x509::UnixTime;

fn parse_registry(text: &str) -> Result<Vec<VerifierConfig>, ConfigError> {
    registry(Path::new("/etc/ocsprey/verifiers.toml"), text, &["auth", "sign"])
}

#[test]
fn everybody_may_ask_unless_the_file_says_otherwise() {
    assert_eq!(parse(ISSUER).unwrap().verifiers, None);
    let config = parse(&format!("[verifiers]\nregistry = \"verifiers.toml\"\n{ISSUER}")).unwrap();
    let expected =
        VerifiersConfig { registry: "/etc/ocsprey/verifiers.toml".into(), policy: Policy::default() };
    assert_eq!(config.verifiers, Some(expected));
    let all = "[verifiers]\nregistry = \"/r.toml\"\non_behalf_of = \"OCSP-On-Behalf-Of\"\nsigned_requests = \"required\"\n\
               enumeration = { tolerated = 5, forgotten = \"1m\", pause = \"1h\" }\n";
    let policy = parse(&format!("{all}{ISSUER}")).unwrap().verifiers.unwrap().policy;
    let enumeration =
        Enumeration { tolerated: 5, forgotten: Duration::from_secs(60), pause: Duration::from_secs(3600) };
    let on_behalf_of = Some("ocsp-on-behalf-of".to_owned());
    assert_eq!(policy, Policy { signed_requests: SignedRequests::Required, on_behalf_of, enumeration });
}

#[test]
fn everything_that_is_wrong_with_the_section_is_told() {
    assert_eq!(
        problems_above(
            "[verifiers]\non_behalf_of = \"On behalf\"\nsigned_requests = \"sometimes\"\nregister = 1\n"
        ),
        [
            "line 1, verifiers.registry: is missing (write it like registry = \"verifiers.toml\")",
            "line 2, verifiers.on_behalf_of: \"On behalf\" is not the name of an HTTP header (write it like \"OCSP-On-Behalf-Of\")",
            "line 3, verifiers.signed_requests: \"sometimes\" is not a choice here (one of ignored, verified, required)",
            "line 4, verifiers.register: unknown key (did you mean registry?)",
        ]
    );
}

#[test]
fn a_verifier_is_read_with_all_that_it_has() {
    let colons = (0..32).map(|_| "AB").collect::<Vec<_>>().join(":");
    let text = format!(
        "[[verifier]]\nid = \"bank\"\nname = \"First Bank\"\nrights = [\"auth\", \"sign\"]\n\
         client_certificates = [{{ fingerprint = \"{colons}\" }}, {{ issuer = \"CN=CA\", subject = \"CN=bank,C=JP\" }}]\n\
         signers = {{ file = \"bank.pem\" }}\nnetworks = [\"192.0.2.0/24\", \"2001:db8::1\"]\n\
         valid_from = 2026-01-01\nvalid_until = \"2027-01-01T08:00:00Z\"\nsuspended = true\nmay_name_others = true\n\
         quota = {{ per_second = 50, per_day = 1000000 }}\n\
         bulk = {{ from = \"22:30\", until = \"05:00\", per_second = 500 }}\n\
         [[verifier]]\nid = \"shop\"\nrights = \"*\"\nnetworks = \"10.0.0.0/8\"\n"
    );
    let read = parse_registry(&text).unwrap();
    let [bank, shop] = &read[..] else { panic!("{read:?}") };
    assert_eq!((bank.id.as_str(), bank.name.as_str(), shop.name.as_str()), ("bank", "First Bank", "shop"));
    assert_eq!(bank.rights, RightsConfig::Issuers(vec!["auth".into(), "sign".into()]));
    assert_eq!(shop.rights, RightsConfig::All);
    let fingerprint = CertificateConfig::Key(CertificateKey::of_fingerprint([0xab; 32]));
    assert_eq!((bank.client_certificates.len(), &bank.client_certificates[0]), (2, &fingerprint));
    assert_eq!(bank.signers, [CertificateConfig::File("/etc/ocsprey/bank.pem".into())]);
    assert_eq!(bank.networks, ["192.0.2.0/24".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
    assert_eq!(bank.terms.valid_from, UnixTime::from_civil(2026, 1, 1, 0, 0, 0));
    assert_eq!(bank.terms.valid_until, UnixTime::from_civil(2027, 1, 1, 8, 0, 0));
    assert_eq!((bank.terms.is_suspended, bank.terms.may_name_others), (true, true));
    assert_eq!((shop.terms.is_suspended, shop.terms.may_name_others), (false, false));
    let rate = |count| std::num::NonZeroU32::new(count);
    assert_eq!(bank.terms.allowance, Allowance { per_second: rate(50), per_day: Some(1_000_000) });
    let night = Allowance { per_second: rate(500), per_day: None };
    assert_eq!(bank.terms.bulk, Some(Bulk { from: 81_000, until: 18_000, allowance: night }));
    assert_eq!((shop.terms.allowance, shop.terms.bulk), (Allowance::default(), None));
    assert_eq!(parse_registry("").unwrap(), []);
}

#[test]
fn everything_that_is_wrong_with_the_registry_is_told_with_its_line() {
    let text = "[[verifier]]\nid = \"ba nk\"\nrights = [\"auht\"]\nquota = { per_second = 0, per_hour = 1 }\n\
                [[verifier]]\nid = \"shop\"\nrights = \"*\"\nsuspendet = true\nnetworks = [\"192.0.2.1/24\"]\n\
                valid_from = \"tomorrow\"\nbulk = { from = \"24:00\" }\n\
                client_certificates = [{ fingerprint = \"ab\" }, { subject = \"CN=bank\" }]\n\
                signers = { issuer = \"CN=CA\", subject = \"CN=bank\" }\n\
                [[verifier]]\nid = \"shop\"\nrights = \"*\"\nnetworks = \"10.0.0.0/8\"\n[verifiers]\n";
    let found = parse_registry(text).unwrap_err().lines();
    let shown: Vec<&str> =
        found.iter().filter_map(|line| line.strip_prefix("/etc/ocsprey/verifiers.toml: ")).collect();
    for expected in [
        "line 1, verifier \"ba nk\" client_certificates, verifier \"ba nk\" signers, verifier \"ba nk\" networks: nothing says how this verifier is known (add one of client_certificates, signers, networks)",
        "line 2, verifier \"ba nk\" id: \"ba nk\" is no good as an id of at most 64 characters (letters, digits, \"-\", \"_\" and \".\", as in \"first-bank\")",
        "line 3, verifier \"ba nk\" rights: there is no issuer \"auht\" (\"*\" for all, or one of auth, sign)",
        "line 4, verifier \"ba nk\" quota.per_second: 0 a second is never (a verifier that may ask nothing is suspended = true)",
        "line 4, verifier \"ba nk\" quota.per_hour: unknown key (known here: per_second, per_day)",
        "line 8, verifier \"shop\" suspendet: unknown key (did you mean suspended?)",
        "line 9, verifier \"shop\" networks: \"192.0.2.1/24\" has bits behind its prefix (write it like \"192.0.2.0/24\", \"2001:db8::/32\" or \"192.0.2.7\")",
        "line 10, verifier \"shop\" valid_from: \"tomorrow\" is not a date (write it like \"2027-01-01\" or \"2027-01-01T08:00:00Z\", in UTC)",
        "line 11, verifier \"shop\" bulk.from: \"24:00\" is not a time of day (write it like \"22:00\", in UTC)",
        "line 11, verifier \"shop\" bulk.until: is missing (write it like until = \"05:00\")",
        "line 14, verifier id: another verifier has the id \"shop\" as well (give each verifier an id of its own)",
        "line 18, verifiers: unknown key (did you mean verifier?)",
    ] {
        assert!(shown.contains(&expected), "{expected}\n{shown:#?}");
    }
    let unclear = shown.iter().filter(|line| line.contains("does not name one certificate")).count();
    assert_eq!(unclear, 3, "{shown:#?}");
}
