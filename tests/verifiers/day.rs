//! A day of those who may not ask, one attempt after the other; beside them those who may are served.

use crate::client::{Client, configuration};
use crate::lab::{Lab, issue};
use crate::support::{Crl, Pki, Server, free_port, ocsprey, wait_until};
use std::fs;
use std::net::TcpStream;

const GOOD: u8 = 0;
const TRY_LATER: u8 = 3;
const SIG_REQUIRED: u8 = 5;
const UNAUTHORIZED: u8 = 6;

const SECTION: &str = "[verifiers]\nregistry = \"verifiers.toml\"\non_behalf_of = \"OCSP-On-Behalf-Of\"\n";

pub const BANK: &str = "[[verifier]]\nid = \"bank\"\nname = \"First Bank\"\nrights = \"*\"\nmay_name_others = true\n\
                    client_certificates = { file = \"bank.pem\" }\n";

/// The demo's issuer of this prefix.
pub fn shop(more: &str) -> String {
    format!(
        "[[verifier]]\nid = \"shop\"\nrights = [\"user-authentication\"]\n\
         client_certificates = {{ issuer = \"CN=Verifiers' CA\", subject = \"CN=shop\" }}\n{more}\n"
    )
}

fn lab_with(tls: &str, section: &str, registry: &str) -> Lab {
    Lab::prepared(tls, section, |dir, pki| {
        fs::copy(pki.path("bank.pem"), dir.join("bank.pem")).unwrap();
        fs::write(dir.join("verifiers.toml"), registry).unwrap();
    })
}

pub fn lab(registry: &str) -> Lab {
    lab_with("", SECTION, registry)
}

impl Lab {
    fn register(&self, registry: &str) {
        fs::write(self.path("verifiers.toml"), registry).unwrap();
        self.reload();
    }

    pub fn refused(&self, cause: &str) -> u64 {
        self.metric(&format!("ocsp_refusals_total{{cause=\"{cause}\"}}"))
    }
}

#[test]
fn registered_verifiers_are_answered_and_nobody_else_is_told_anything() {
    let lab = lab(&format!("{BANK}{}", shop("")));
    let request = lab.request("auth-good");
    for options in [["--http1.1"], ["--http2"]] {
        let said = lab.curl_as("bank", &request, &options);
        assert!(said.out.starts_with("200 "), "{said:?}");
        assert!(lab.judged("auth-good").contains("auth-good.pem: good"), "{}", lab.judged("auth-good"));
    }
    let answer = lab.connect("shop").ask(&request);
    assert_eq!(answer.ocsp_status(), GOOD);
    assert!(answer.head.to_lowercase().contains(", private, "), "no shared cache may keep it: {answer:?}");

    // A certificate of the right CA, whose holder nobody registered.
    issue(&lab.verifiers, "citizen");
    let mut citizen = lab.connect("citizen");
    for name in ["auth-good", "auth-revoked", "auth-unissued"] {
        let answer = citizen.ask(&lab.request(name));
        assert_eq!((answer.ocsp_status(), answer.body.len()), (UNAUTHORIZED, 5), "{name}");
    }
    assert_eq!(lab.refused("unregistered"), 3);
    // Nor is anybody else, on the plain port beside it.
    let page = crate::support::post(&lab.server.url, "application/ocsp-request", &request);
    assert_eq!(page.body, [0x30, 3, 0x0a, 1, UNAUTHORIZED]);
    assert_eq!(lab.refused("unregistered"), 4);
    // What is no request is told to be none, whoever asks.
    assert_eq!(citizen.ask(b"\x30\x00").ocsp_status(), 1);
}

#[test]
fn a_right_for_one_class_of_certificates_is_none_for_another() {
    let lab = lab(&format!("{BANK}{}", shop("")));
    let mut shop = lab.connect("shop");
    assert_eq!(shop.ask(&lab.request("auth-good")).ocsp_status(), GOOD);
    assert_eq!(shop.ask(&lab.request("sign-good")).ocsp_status(), UNAUTHORIZED);
    let both =
        lab.request_with("auth-good", &["-no_nonce", "-issuer", "sign-ca.pem", "-cert", "sign-good.pem"]);
    assert_eq!(shop.ask(&both).ocsp_status(), UNAUTHORIZED, "nor hidden behind one that is right");
    assert_eq!(lab.refused("no_right"), 2);
    assert_eq!(lab.connect("bank").ask(&both).ocsp_status(), GOOD);
}

#[test]
fn who_is_suspended_while_connected_is_refused_with_the_next_request() {
    let lab = lab(&format!("{BANK}{}", shop("")));
    let request = lab.request("auth-good");
    let (mut bank, mut connected) = (lab.connect("bank"), lab.connect("shop"));
    let resuming = configuration(&lab.shown("shop"), &[]);
    let connect = || Client::connect_with(lab.port, std::sync::Arc::clone(&resuming)).unwrap();
    assert_eq!(connect().ask(&request).ocsp_status(), GOOD);
    assert_eq!(connected.ask(&request).ocsp_status(), GOOD);

    lab.register(&format!("{BANK}{}", shop("suspended = true")));
    assert_eq!(connected.ask(&request).ocsp_status(), UNAUTHORIZED);
    assert_eq!(connect().ask(&request).ocsp_status(), UNAUTHORIZED, "nor with an old session");
    assert_eq!(lab.refused("suspended"), 2);
    assert_eq!(bank.ask(&request).ocsp_status(), GOOD);

    lab.register(&format!("{BANK}{}", shop("valid_until = \"2026-01-01\"")));
    assert_eq!(connected.ask(&request).ocsp_status(), UNAUTHORIZED);
    lab.register(&format!("{BANK}{}", shop("valid_from = 2099-01-01")));
    assert_eq!(connected.ask(&request).ocsp_status(), UNAUTHORIZED);
    assert_eq!(lab.refused("not_valid"), 2);
    lab.register(&format!("{BANK}{}", shop("valid_from = 2020-01-01")));
    assert_eq!(connected.ask(&request).ocsp_status(), GOOD);

    // A broken file is told, and changes nothing.
    fs::write(lab.path("verifiers.toml"), "[[verifier]]\nid = 1\n").unwrap();
    lab.reload_until("nothing was reloaded");
    assert!(lab.server.said().contains("verifier 1 rights: is missing"), "{}", lab.server.said());
    assert_eq!(connected.ask(&request).ocsp_status(), GOOD);
    assert_eq!(bank.ask(&request).ocsp_status(), GOOD);
}

#[test]
fn a_header_that_names_others_is_worth_nothing_to_who_may_not_use_it() {
    let lab = lab(&format!("{BANK}{}", shop("")));
    let request = lab.request("auth-good");
    let named = "OCSP-On-Behalf-Of: town hall\r\n";
    let ask = |name: &str, headers: &str| lab.connect(name).try_ask(&request, headers).unwrap().ocsp_status();
    assert_eq!(ask("bank", named), GOOD);
    assert_eq!(ask("shop", named), UNAUTHORIZED);
    assert_eq!(ask("bank", &named.repeat(2)), UNAUTHORIZED, "of two names which");
    assert_eq!(ask("bank", "OCSP-On-Behalf-Of: \r\n"), UNAUTHORIZED);
    assert_eq!(ask("bank", &format!("OCSP-On-Behalf-Of: {}\r\n", "x".repeat(65))), UNAUTHORIZED);
    assert_eq!(ask("bank", &format!("OCSP-On-Behalf-Of: {}\r\n", "x".repeat(64))), GOOD);
    assert_eq!(lab.refused("on_behalf_of"), 4);
}

#[test]
fn a_burst_beyond_the_quota_comes_later_and_a_reload_does_not_pay_for_it() {
    let registry = format!("{BANK}{}", shop("quota = { per_second = 2, per_day = 5 }"));
    let lab = lab(&registry);
    let request = lab.request("auth-good");
    let mut shop = lab.connect("shop");
    let mut burst: Vec<u8> = (0..20).map(|_| shop.ask(&request).ocsp_status()).collect();
    assert_eq!(&burst[..2], [GOOD; 2]);
    assert!(burst.contains(&TRY_LATER), "{burst:?}");
    assert!(lab.refused("quota_per_second") > 0);
    // In time all of the day's five come through, whatever is reloaded meanwhile; then no more.
    lab.register(&registry);
    wait_until(
        || lab.server.said(),
        || {
            burst.push(shop.ask(&request).ocsp_status());
            (lab.refused("quota_per_day") > 0).then_some(())
        },
    );
    lab.register(&registry);
    burst.push(shop.ask(&request).ocsp_status());
    assert_eq!(burst.iter().filter(|status| **status == GOOD).count(), 5);
    assert!(burst.iter().all(|status| [GOOD, TRY_LATER].contains(status)), "{burst:?}");
    assert!((0..50).all(|_| lab.connect("bank").ask(&request).is_good()), "without a quota");

    let status: serde_json::Value =
        serde_json::from_str(&crate::support::get(&format!("{}/api/v1/status", lab.server.admin)).text())
            .unwrap();
    let shown = status["verifiers"].as_array().unwrap().iter().find(|one| one["id"] == "shop").unwrap();
    assert_eq!((&shown["used_today"], &shown["per_day"]), (&5.into(), &5.into()));
}

#[test]
fn a_walk_over_serial_numbers_is_stopped_and_a_bulk_recheck_is_not() {
    let lab = lab(&format!("{BANK}{}", shop("")));
    let good = lab.request("auth-good");
    let serial = ["-no_nonce", "-serial", "0x5000000000000000"];
    // The serial number stands at the end of a request without extensions.
    let mut request = lab.request_with("auth-good", &serial);
    let end = request.len();
    assert_eq!(&request[end - 8..], 0x5000_0000_0000_0000_u64.to_be_bytes());
    let mut walker = lab.connect("shop");
    let stopped = (0u64..400).position(|step| {
        request[end - 8..].copy_from_slice(&(0x5000_0000_0000_0000 + step).to_be_bytes());
        walker.ask(&request).ocsp_status() == TRY_LATER
    });
    assert!(stopped.is_some_and(|step| (100..200).contains(&step)), "{stopped:?}");
    assert_eq!(walker.ask(&good).ocsp_status(), TRY_LATER, "for a pause nothing is answered");
    assert!(lab.refused("enumeration") >= 2);

    // All that was issued, in order of serial numbers, thrice.
    let mut honest = lab.connect("bank");
    for name in ["auth-good", "auth-revoked", "auth-hold", "sign-good", "sign-revoked"] {
        let request = lab.request(name);
        assert!((0..300).all(|_| honest.ask(&request).is_good()), "{name}");
    }
}

#[test]
fn a_verifier_comes_from_its_own_network() {
    let elsewhere = shop("networks = [\"192.0.2.0/24\"]");
    let near = "[[verifier]]\nid = \"neighbour\"\nrights = \"*\"\nnetworks = [\"127.0.0.0/8\"]\n";
    let lab = lab(&format!("{BANK}{elsewhere}{near}"));
    let request = lab.request("auth-good");
    assert_eq!(lab.connect("shop").ask(&request).ocsp_status(), UNAUTHORIZED);
    assert_eq!(lab.refused("network"), 1);
    // Known by nothing but where it is, in plain HTTP.
    let page = crate::support::post(&lab.server.url, "application/ocsp-request", &request);
    assert_ne!(page.body, [0x30, 3, 0x0a, 1, UNAUTHORIZED]);
    // A certificate that nobody registered is not mended by the network.
    issue(&lab.verifiers, "citizen");
    assert_eq!(lab.connect("citizen").ask(&request).ocsp_status(), UNAUTHORIZED);
}

#[test]
fn a_verifier_whose_own_certificate_is_revoked_here_is_refused() {
    let pki = Pki::served();
    pki.issue("server", "web", "20240101000000Z", "20350101000000Z");
    pki.issue("bank", "plain", "20240101000000Z", "20350101000000Z");
    let port = free_port();
    let text = fs::read_to_string(pki.path("ocsprey.toml")).unwrap();
    pki.write(
        "ocsprey.toml",
        format!(
            "{text}\n[server.tls]\nlisten = \"127.0.0.1:{port}\"\ncertificate = \"server.pem\"\nkey = \"server.key\"\n\
             client_ca = \"ca.pem\"\n[verifiers]\nregistry = \"verifiers.toml\"\n"
        ),
    );
    pki.write("verifiers.toml", BANK);
    let args = ["ocsp", "-issuer", "ca.pem", "-serial", "0x77", "-no_nonce", "-reqout", "request.der"];
    pki.openssl(&args);
    let request = fs::read(pki.path("request.der")).unwrap();
    let serial = pki.openssl(&["x509", "-in", "bank.pem", "-noout", "-serial"]).out;
    let serial = serial.trim().trim_start_matches("serial=").to_owned();
    let config = configuration(&crate::client::Shown { pki: &pki, name: Some("bank") }, &[]);
    let entries = [("1001", "keyCompromise"), (serial.as_str(), "keyCompromise")];
    let crl = pki.crl("next.crl", Crl { number: "06", entries: &entries, ..Crl::CURRENT });
    let server = Server::start(pki.into_dir());
    let mut bank = Client::connect_with(port, config).unwrap();
    assert_eq!(bank.ask(&request).ocsp_status(), GOOD);
    fs::write(server.path("ca.crl"), crl).unwrap();
    wait_until(|| server.said(), || (bank.ask(&request).ocsp_status() == UNAUTHORIZED).then_some(()));
    let metrics = crate::support::get(&format!("{}/metrics", server.admin)).text();
    assert!(metrics.contains("ocsp_refusals_total{cause=\"certificate_revoked\"} 1\n"), "{metrics}");
}

#[test]
fn signed_requests_are_demanded_and_verified() {
    let section = format!("{SECTION}signed_requests = \"required\"\n");
    let signer = "signers = { file = \"shop-signer.pem\" }";
    let lab = Lab::prepared("client_certificates = \"optional\"", &section, |dir, pki| {
        for name in ["shop-signer", "thief"] {
            issue(pki, name);
        }
        for file in ["bank.pem", "shop-signer.pem"] {
            fs::copy(pki.path(file), dir.join(file)).unwrap();
        }
        fs::write(dir.join("verifiers.toml"), format!("{BANK}{}", shop(signer))).unwrap();
    });
    let signed = |name: &str, options: &[&str]| {
        let path =
            |suffix: &str| lab.verifiers.path(&format!("{name}.{suffix}")).to_str().unwrap().to_owned();
        let (pem, key) = (path("pem"), path("key"));
        let own = ["-no_nonce", "-signer", &pem, "-signkey", &key];
        lab.request_with("auth-good", &[&own[..], options].concat())
    };
    let request = signed("shop-signer", &[]);
    let mut anybody = Client::connect(lab.port, &lab.nobody(), &[]).unwrap();
    assert_eq!(anybody.ask(&request).ocsp_status(), GOOD);
    assert_eq!(anybody.ask(&signed("shop-signer", &["-no_certs"])).ocsp_status(), GOOD, "by name alone");
    assert_eq!(lab.connect("shop").ask(&request).ocsp_status(), GOOD, "and by its own connection");

    assert_eq!(anybody.ask(&lab.request("auth-good")).ocsp_status(), SIG_REQUIRED);
    assert_eq!(lab.connect("shop").ask(&lab.request("auth-good")).ocsp_status(), SIG_REQUIRED);
    assert_eq!(lab.refused("signature_missing"), 2);

    // The serial number that was asked about stands right before the signature.
    let unsigned = lab.request("auth-good");
    let serial = &unsigned[unsigned.len() - 8..];
    let at = request.windows(8).position(|octets| octets == serial).unwrap();
    let mut forged = request.clone();
    forged[at + 7] ^= 1;
    assert_eq!(anybody.ask(&forged).ocsp_status(), UNAUTHORIZED);
    let mut cut = request.clone();
    let end = cut.len() - 1;
    cut[end] ^= 1;
    assert_eq!(anybody.ask(&cut).ocsp_status(), UNAUTHORIZED, "the certificate in it is another one then");
    assert_eq!(lab.refused("signature_wrong"), 1);
    assert_eq!(anybody.ask(&signed("thief", &[])).ocsp_status(), UNAUTHORIZED, "signed by a stranger");
    assert_eq!(anybody.ask(&signed("thief", &["-no_certs"])).ocsp_status(), UNAUTHORIZED);
    assert_eq!(lab.refused("unregistered"), 3);

    // Replayed by who has a connection of its own: neither its right nor the signer's.
    assert_eq!(lab.connect("bank").ask(&request).ocsp_status(), UNAUTHORIZED);
    assert_eq!(lab.refused("credentials_disagree"), 1);
    // Replayed by anybody else it says what it said, and is the signer's to pay.
    let used = || {
        let page = crate::support::get(&format!("{}/api/v1/status", lab.server.admin)).text();
        let status: serde_json::Value = serde_json::from_str(&page).unwrap();
        let shop = status["verifiers"].as_array().unwrap().iter().find(|one| one["id"] == "shop").unwrap();
        shop["used_today"].as_u64().unwrap()
    };
    let before = used();
    assert_eq!(anybody.ask(&request).ocsp_status(), GOOD);
    assert_eq!(used(), before + 1);
    // A right for one class is none for another, signed or not.
    let options = ["-no_nonce", "-signer"];
    let (pem, key) = (lab.verifiers.path("shop-signer.pem"), lab.verifiers.path("shop-signer.key"));
    let options = [&options[..], &[pem.to_str().unwrap(), "-signkey", key.to_str().unwrap()]].concat();
    assert_eq!(anybody.ask(&lab.request_with("sign-good", &options)).ocsp_status(), UNAUTHORIZED);
}

#[test]
fn check_and_list_say_what_is_in_the_registry_and_what_is_wrong_with_it() {
    let lab = lab(&format!("{BANK}{}", shop("quota = { per_second = 50 }\nsuspended = true")));
    let command = |args: &[&str]| ocsprey(lab.server.dir(), &[args, &["--config", "ocsprey.toml"]].concat());
    let listed = command(&["verifier", "list"]);
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(
        listed.out.contains("bank  First Bank") && listed.out.contains("no: suspended"),
        "{}",
        listed.out
    );
    let json: serde_json::Value =
        serde_json::from_str(&command(&["verifier", "list", "--json"]).out).unwrap();
    assert_eq!((&json[0]["id"], &json[1]["per_second"]), (&"bank".into(), &50.into()));
    assert!(command(&["verifier", "check"]).out.contains("2 verifiers, everything is in its place"));
    assert_eq!(command(&["check"]).code, Some(0));

    let twice = shop("").replace("\"shop\"", "\"shop2\"");
    fs::write(
        lab.path("verifiers.toml"),
        format!(
            "{}{twice}[[verifier]]\nid = \"x\"\nrights = \"*\"\nsigners = {{ file = \"gone.pem\" }}\n",
            shop("")
        ),
    )
    .unwrap();
    for args in [&["verifier", "check"][..], &["check"]] {
        let said = command(args);
        assert_eq!(said.code, Some(2), "{said:?}");
        said.assert_says_one_of(&["gone.pem: there is no such file or folder"], "a file that is not there");
        said.assert_says_one_of(
            &["a client certificate of \"shop2\" is that of \"shop\" as well"],
            "two claims",
        );
    }
}

/// The sample is one to start from: with a bank's certificate beside it, it is right.
#[test]
fn the_sample_registry_is_right() {
    let sample = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/verifiers.toml")).unwrap();
    // The demo has another name for its second CA than deploy/ocsprey.toml.
    let sample = sample.replace("\"signature\"", "\"digital-signature\"");
    let lab = lab(&sample);
    let said = ocsprey(lab.server.dir(), &["verifier", "check", "--config", "ocsprey.toml"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(TcpStream::connect(("127.0.0.1", lab.port)).is_ok());
}
