//! `signers`: who else signs for a CA key.

use super::*;

#[test]
fn further_signers_belong_to_their_key_and_presign_for_themselves() {
    let one =
        |name: &str, rest: &str| format!(r#"{{ certificate = "{name}.pem", key = "{name}.key"{rest} }}"#);
    let text = format!(
        "{ISSUER}signers = [{}, {}]\n[[issuer.generation]]\ncertificate = \"old.pem\"\nsigner = {{ key = \"old.key\" }}\n\
         signers = [{}]\n",
        one("p384", r#", presign = ["sha1", "sha256"]"#),
        one("rsa", ""),
        one("old-rsa", ""),
    );
    let config = parse(&text).unwrap();
    let [issuer] = &config.issuers[..] else { panic!("one issuer") };
    let keys = |signers: &[FurtherSigner]| -> Vec<String> {
        signers.iter().map(|one| one.signer.key.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };
    assert_eq!(keys(issuer.further_signers(0)), ["p384.key", "rsa.key"]);
    assert_eq!(keys(issuer.further_signers(1)), ["old-rsa.key"]);
    assert!(issuer.further_signers(2).is_empty());
    assert_eq!(issuer.signers[0].presign, [CertIdForm::ALL[0], CertIdForm::ALL[1]]);
    assert!(issuer.signers[1].presign.is_empty() && config.response.presign.is_empty());
    assert!(config.presigns());
    assert!(!parse(&text.replace(", presign = [\"sha1\", \"sha256\"]", "")).unwrap().presigns());
    let missing = config.unreadable_files();
    assert!(
        missing.iter().any(|one| one.key == "issuer \"auth\" signers.key" && one.why.contains("p384.key"))
    );
    assert!(missing.iter().any(|one| one.key == "issuer \"auth\" generation.signers.certificate"));
}

#[test]
fn what_is_wrong_with_a_further_signer_is_told_by_its_place() {
    assert_eq!(
        problems(&format!("{ISSUER}signers = [{{ key = \"a\" }}, {{ certificate = \"b\", pin = 1 }}, 7]\n")),
        [
            "line 6, issuer \"auth\" signers: expected a table, found a whole number (write it like signers = [{ certificate = \
             \"auth-ocsp-p384.pem\", key = \"auth-ocsp-p384.key\" }])",
            "line 6, issuer \"auth\" signers 2 key: is missing (write it like key = \"auth-ocsp.key\")",
            "line 6, issuer \"auth\" signers 2 pin: unknown key (known here: certificate, key, presign)",
        ]
    );
}
