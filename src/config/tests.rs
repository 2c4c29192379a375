//! Every message an operator can get from a configuration, as it reads.

use super::*;

mod files;
mod records;
mod sections;
mod signers;
mod telemetry;
mod tls;
mod verifiers;

const ISSUER: &str = r#"
[[issuer]]
name = "auth"
certificate = "auth-ca.pem"
signer = { certificate = "auth-ocsp.pem", key = "auth-ocsp.key" }
"#;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::from_text(Path::new("/etc/ocsprey/ocsprey.toml"), text)
}

/// What is wrong with `text`, without the file's name; each checked to be one line.
fn problems(text: &str) -> Vec<String> {
    let lines = parse(text).expect_err(text).lines();
    let stripped = lines.iter().map(|line| {
        assert!(!line.contains('\n'), "{line:?}");
        line.strip_prefix("/etc/ocsprey/ocsprey.toml: ").expect(line).to_owned()
    });
    stripped.collect()
}

/// What is wrong with `text` in front of a good issuer.
fn problems_above(text: &str) -> Vec<String> {
    problems(&format!("{text}{ISSUER}"))
}

/// What is wrong with `text` as further keys of a good issuer, which start at line 6.
fn problems_in_issuer(text: &str) -> Vec<String> {
    problems(&format!("{ISSUER}{text}"))
}

const EVERY_KEY: &str = r#"
[server]
listen  = ["127.0.0.1:8080", "[::1]:8080"]
workers = 3

[admin]
listen = "127.0.0.1:9090"
max_crl_size = "300 MB"

[store]
path = "data"
cache_size = "1GiB"

[response]
profile    = "rfc6960"
validity   = "1day 12h"
cache_size = "2GiB"
nonce      = "ignore"
verify_every = 500
archive_cutoff = "10years"
pair = ["sha1", "sha256"]
presign = ["sha1", "sha256-bare"]
presign_limit = 1_000_000
refresh_threads = 2

[guard]
max_shrink = "50%"
max_released = "0%"
max_withdrawn = "100%"
tolerated = 7

[fetch]
every = "1m"
timeout = "2m"
max_size = "2GiB"

[[issuer]]
name        = "user-authentication"
certificate = "auth-ca.pem"
signer      = { certificate = "auth-ocsp.pem", key = "/keys/auth-ocsp.key" }
crls        = ["crl/auth/", "one.crl", "http://127.0.0.1:8081/auth.crl"]
crl_issuers = ["indirect.pem"]
scopes      = 1900
covers      = "user"
inventory   = ["auth-issued.txt"]
unlisted    = "revoked"
retention   = "10years"

[[issuer.generation]]
certificate = "auth-ca-2019.pem"
signer      = { key = "auth-ca-2019.key" }
"#;

#[test]
fn contract_3_every_key_of_the_contract_is_understood() {
    let config = parse(EVERY_KEY).unwrap();
    let at = |name: &str| PathBuf::from("/etc/ocsprey").join(name);
    let expected = Config {
        file: at("ocsprey.toml"),
        server: Server {
            listen: vec!["127.0.0.1:8080".parse().unwrap(), "[::1]:8080".parse().unwrap()],
            workers: 3,
            tls: None,
        },
        admin: Admin { listen: Some("127.0.0.1:9090".parse().unwrap()), max_crl_size: 300_000_000 },
        store: StoreConfig { path: at("data"), cache_size: 1 << 30, ..files::kept_copies() },
        response: Response {
            profile: Profile::Rfc6960,
            validity: Duration::from_secs(36 * 3600),
            cache_size: 2 << 30,
            nonce: NoncePolicy::Ignore,
            verify_every: 500,
            archive_cutoff: Some(Duration::from_secs(315_576_000)),
            crl_references: CrlReferences::Omit,
            pair: Some(CertIdForms::pair(CertIdForm::ALL[0], CertIdForm::ALL[1])),
            presign: vec![CertIdForm::ALL[0], CertIdForm::ALL[5]],
            presign_limit: Some(1_000_000),
            refresh_threads: 2,
        },
        guard: Guard { max_shrink: 50, max_released: 0, max_withdrawn: 100, tolerated: 7 },
        fetch: FetchOptions {
            every: Duration::from_secs(60),
            timeout: Duration::from_secs(120),
            max_size: 2 << 30,
        },
        audit: None,
        usage: None,
        telemetry: None,
        issuers: vec![IssuerConfig {
            name: "user-authentication".into(),
            certificate: at("auth-ca.pem"),
            signer: SignerConfig { certificate: at("auth-ocsp.pem"), key: "/keys/auth-ocsp.key".into() },
            signers: Vec::new(),
            crls: vec![
                CrlSource::Folder(at("crl/auth/")),
                CrlSource::File(at("one.crl")),
                CrlSource::Url("http://127.0.0.1:8081/auth.crl".into()),
            ],
            crl_issuers: vec![at("indirect.pem")],
            scopes: ScopesPolicy::Count(1900),
            covers: Covers::User,
            inventory: Some(vec![at("auth-issued.txt")]),
            unlisted: Some(Unlisted::Revoked),
            retention: Some(Duration::from_secs(315_576_000)),
            generations: vec![GenerationConfig {
                certificate: at("auth-ca-2019.pem"),
                signer: SignerConfig { certificate: at("auth-ca-2019.pem"), key: at("auth-ca-2019.key") },
                signers: Vec::new(),
            }],
        }],
        verifiers: None,
    };
    assert_eq!(config, expected);
    assert_eq!(config.issuer("user-authentication"), config.issuers.first());
    assert_eq!(config.issuer("other"), None);
}

#[test]
fn contract_3_what_is_left_out_has_a_default() {
    let config = parse(ISSUER).unwrap();
    assert_eq!(config.server.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(config.server.workers, 0);
    assert_eq!(config.admin, Admin { listen: None, max_crl_size: 256 << 20 });
    assert_eq!(config.store.path, Path::new("/etc/ocsprey/data"));
    assert_eq!(config.response.profile, Profile::Rfc9919);
    assert_eq!(config.response.validity, Duration::from_secs(86_400));
    assert_eq!(config.response.cache_size, 1 << 30);
    assert_eq!(config.response.nonce, NoncePolicy::Echo);
    assert_eq!(config.response.verify_every, 1000);
    let issuer = &config.issuers[0];
    assert_eq!((&issuer.crls, &issuer.scopes), (&vec![], &ScopesPolicy::Discovered));
    assert_eq!((issuer.covers, issuer.crl_issuers.len()), (Covers::All, 0));
    assert_eq!(issuer.unlisted, None);
    assert_eq!(issuer.retention_policy(), Retention::WithoutEnd);
}

#[test]
fn contract_3_an_inventory_turns_unlisted_from_good_to_unknown() {
    let unlisted = |text: &str| parse(&format!("{ISSUER}{text}")).unwrap().issuers[0].unlisted_policy();
    assert_eq!(unlisted(""), None);
    assert_eq!(unlisted("inventory = [\"issued.txt\"]"), Some(Unlisted::Unknown));
    assert_eq!(unlisted("inventory = \"issued.txt\"\nunlisted = \"good\""), Some(Unlisted::Good));
}

#[test]
fn a_file_with_a_byte_order_mark_or_crlf_is_read() {
    let text = format!("\u{feff}{}", ISSUER.replace('\n', "\r\n"));
    assert!(parse(&text).is_ok());
    assert_eq!(
        problems(&text.replace("signer", "sign")).len(),
        2,
        "the missing key and the unknown one, with lines counted in CRLF too"
    );
}

#[test]
fn a_relative_path_without_a_folder_stays_relative() {
    let config = Config::from_text(Path::new("ocsprey.toml"), ISSUER).unwrap();
    assert_eq!(config.issuers[0].certificate, Path::new("auth-ca.pem"));
}

#[test]
fn contract_3_an_unknown_key_is_named_with_its_line_and_the_nearest_known_one() {
    assert_eq!(
        problems_in_issuer("crl = []"),
        ["line 6, issuer \"auth\" crl: unknown key (did you mean crls?)"]
    );
    assert_eq!(
        problems_above("[server]\nliesten = []\n"),
        ["line 2, server.liesten: unknown key (did you mean listen?)"]
    );
    assert_eq!(
        problems_above("validity = \"24h\""),
        ["line 1, validity: unknown key (it belongs in [response])"]
    );
    assert_eq!(
        problems_above("[store]\npath = \"d\"\nscopes = 1\n"),
        ["line 3, store.scopes: unknown key (it belongs in [[issuer]])"]
    );
    assert_eq!(
        problems_above("[logging]\n"),
        [
            "line 1, logging: unknown key (known here: server, admin, store, response, guard, fetch, audit, usage, telemetry, issuer, verifiers)"
        ]
    );
    assert_eq!(
        problems_in_issuer(
            "[[issuer.generation]]\ncertificate=\"b.pem\"\nsigner = { key = \"k\", pin = 1 }\n"
        ),
        ["line 8, issuer \"auth\" generation 1 signer.pin: unknown key (known here: certificate, key)"]
    );
}

#[test]
fn a_wrong_type_says_what_was_found_and_how_it_is_written() {
    assert_eq!(
        problems_above("[server]\nworkers = \"four\"\n"),
        [
            "line 2, server.workers: expected a whole number, found text (write it like workers = 0, which is one per core)"
        ]
    );
    assert_eq!(
        problems_above("[server]\nworkers = -1\n"),
        [
            "line 2, server.workers: -1 is not a number from 0 up (write it like workers = 0, which is one per core)"
        ]
    );
    assert_eq!(
        problems_above("[server]\nworkers = 99999\n"),
        ["line 2, server.workers: 99999 threads are too many (0 is one per core, which is right for most)"]
    );
    assert_eq!(
        problems_above("[store]\npath = 7\n"),
        [
            "line 2, store.path: expected text, found a whole number (write it like \"certs/ca.pem\", a path in quotes)"
        ]
    );
    assert_eq!(
        problems_above("[store]\npath = \"\"\n"),
        ["line 2, store.path: is empty (write it like \"certs/ca.pem\", a path in quotes)"]
    );
    assert_eq!(
        problems_above("server = true\n"),
        ["line 1, server: expected a table, found true or false (write it like [server])"]
    );
    assert_eq!(
        problems_in_issuer("crls = { a = 1 }"),
        [
            "line 6, issuer \"auth\" crls: expected a list of texts, found a table (write it like crls = [\"crl/\", \"http://crl.example/a.crl\"])"
        ]
    );
    assert_eq!(
        problems("[issuer]\nname = \"auth\"\n")[0],
        "line 1, issuer: expected a list of tables, found a table (write it like [[issuer]])"
    );
}

#[test]
fn a_missing_key_is_named_at_its_section() {
    assert_eq!(
        problems("\n[[issuer]]\n"),
        [
            "line 2, issuer 1 name: is missing (write it like name = \"user-authentication\")",
            "line 2, issuer 1 certificate: is missing (write it like certificate = \"auth-ca.pem\")",
            "line 2, issuer 1 signer: is missing (write it like signer = { certificate = \"auth-ocsp.pem\", key = \"auth-ocsp.key\" })",
        ]
    );
    assert_eq!(
        problems(""),
        [
            "line 1, issuer: there is none, so there is nobody to answer for (add an [[issuer]] section with name, certificate, signer and crls)"
        ]
    );
}

#[test]
fn an_address_that_is_none_says_what_to_write() {
    let why = |text: &str| problems_above(&format!("[server]\nlisten = [\"{text}\"]\n")).join("|");
    assert_eq!(
        why(":80"),
        "line 2, server.listen: \":80\" is not an address and port (for every address of this machine write \"0.0.0.0:80\")"
    );
    assert_eq!(
        why("10.0.0.1"),
        "line 2, server.listen: \"10.0.0.1\" is not an address and port (add the port, as in \"127.0.0.1:8080\" or \"[::1]:8080\")"
    );
    assert_eq!(
        why("localhost:80"),
        "line 2, server.listen: \"localhost:80\" is not an address and port (instead of localhost write 127.0.0.1, as in \"127.0.0.1:80\")"
    );
    assert_eq!(
        why("ocsp.example:80"),
        "line 2, server.listen: \"ocsp.example:80\" is not an address and port (instead of ocsp.example write its IP address, as in \"127.0.0.1:80\")"
    );
    assert_eq!(
        why("10.0.0.1:99999"),
        "line 2, server.listen: \"10.0.0.1:99999\" is not an address and port (write it like \"127.0.0.1:8080\" or \"[::1]:8080\")"
    );
    assert_eq!(
        problems_above("[server]\nlisten = []\n"),
        [
            "line 2, server.listen: has no address, so nobody could ask (write it like listen = [\"127.0.0.1:8080\"])"
        ]
    );
    assert_eq!(
        problems_above("[server]\nlisten = [\"10.0.0.1:80\",\n \"10.0.0.1:80\"]\n"),
        ["line 3, server.listen: \"10.0.0.1:80\" stands here twice (take one of them out)"]
    );
    assert_eq!(
        problems_above("[server]\nlisten = \"10.0.0.1:80\"\n[admin]\nlisten = \"10.0.0.1:80\"\n"),
        [
            "line 4, admin.listen: 10.0.0.1:80 already serves OCSP (give the admin pages a port of their own, as in \"127.0.0.1:9090\")"
        ]
    );
}

#[test]
fn ports_that_the_system_chooses_may_stand_twice() {
    let text = "[server]\nlisten = [\"127.0.0.1:0\", \"127.0.0.1:0\"]\n[admin]\nlisten = \"127.0.0.1:0\"\n";
    assert!(parse(&format!("{text}{ISSUER}")).is_ok());
}

#[test]
fn a_duration_or_size_that_is_none_says_what_to_write() {
    let hint = "(write it like \"24h\", \"90m\" or \"1day 12h\")";
    for (text, why) in [
        ("soon", "\"soon\" is not a duration"),
        ("24", "\"24\" is not a duration"),
        ("0s", "\"0s\" is not a duration of whole seconds, one or more"),
        ("1500ms", "\"1500ms\" is not a duration of whole seconds, one or more"),
        ("2years", "\"2years\" is over a year"),
    ] {
        assert_eq!(
            problems_above(&format!("[response]\nvalidity = \"{text}\"\n")),
            [format!("line 2, response.validity: {why} {hint}")]
        );
    }
    let hint = "(write it like \"1GiB\" or \"512MiB\")";
    for (text, why) in [
        ("much", "\"much\" is not a size"),
        ("1.5GiB", "\"1.5GiB\" is not a size"),
        ("GiB", "\"GiB\" is not a size"),
        ("99999999999TiB", "\"99999999999TiB\" is more than any machine has"),
        ("99999999999999999999999", "\"99999999999999999999999\" is not a size"),
    ] {
        assert_eq!(
            problems_above(&format!("[response]\ncache_size = \"{text}\"\n")),
            [format!("line 2, response.cache_size: {why} {hint}")]
        );
    }
    for (text, octets) in [("0", 0), ("65536", 65_536), ("\"10 KiB\"", 10_240), ("\"3kB\"", 3_000)] {
        let config = parse(&format!("[response]\ncache_size = {text}\n{ISSUER}")).unwrap();
        assert_eq!(config.response.cache_size, octets, "{text}");
    }
    assert_eq!(
        problems_above("[admin]\nmax_crl_size = 0\n"),
        ["line 2, admin.max_crl_size: no CRL is that small (write it like \"256MiB\")"]
    );
}

#[test]
fn a_choice_that_is_none_lists_the_choices() {
    assert_eq!(
        problems_above("[response]\nnonce = \"ecko\"\n"),
        [
            "line 2, response.nonce: \"ecko\" is not a choice here (did you mean \"echo\"? known: echo, ignore)"
        ]
    );
    assert_eq!(
        problems_in_issuer("unlisted = \"bad\""),
        [
            "line 6, issuer \"auth\" unlisted: \"bad\" is not a choice here (one of good, unknown, unauthorized, revoked)"
        ]
    );
    assert_eq!(
        problems_in_issuer("scopes = 0"),
        [
            "line 6, issuer \"auth\" scopes: 0 scopes would mean that no CRL is needed to answer good (write how many CRL scopes there are, or \"discovered\")"
        ]
    );
    assert_eq!(
        problems_in_issuer("scopes = true"),
        [
            "line 6, issuer \"auth\" scopes: expected text or a whole number, found true or false (write it like scopes = \"discovered\", scopes = 1900 or scopes = \"distribution-points.txt\")"
        ]
    );
}

#[test]
fn a_crl_source_that_cannot_be_fetched_is_refused() {
    assert_eq!(
        problems_in_issuer("crls = [\"ldap://x/y\"]"),
        [
            "line 6, issuer \"auth\" crls: CRLs are not fetched over ldap: (use http:// or https://, or fetch them into a folder and name that)"
        ]
    );
    assert_eq!(
        problems_in_issuer("crls = [\"http://\"]"),
        [
            "line 6, issuer \"auth\" crls: \"http://\" is not a URL (write it like \"http://crl.example/auth.crl\")"
        ]
    );
    assert_eq!(
        problems_in_issuer("crls = [\"a.crl\", \"a.crl\"]"),
        ["line 6, issuer \"auth\" crls: \"a.crl\" stands here twice (take one of them out)"]
    );
}

#[test]
fn a_name_must_be_a_label_of_its_own() {
    let renamed = |name: &str| problems(&ISSUER.replace("auth\"", &format!("{name}\"")));
    assert_eq!(
        renamed("user auth"),
        [
            "line 3, issuer \"user auth\" name: \"user auth\" is no good as a name of at most 64 characters (letters, digits, \"-\", \"_\" and \".\", as in \"user-authentication\")"
        ]
    );
    assert_eq!(
        renamed("none"),
        [
            "line 3, issuer \"none\" name: \"none\" is what metrics call requests for no issuer of ours (choose another name)"
        ]
    );
    assert_eq!(
        renamed(""),
        ["line 3, issuer 1 name: is empty (write it like name = \"user-authentication\")"]
    );
    assert_eq!(
        problems_in_issuer(&ISSUER.replace("auth-ca.pem", "other.pem")),
        [
            "line 7, issuer name: another issuer is called \"auth\" as well (give each issuer a name of its own)"
        ]
    );
}

#[test]
fn one_certificate_is_one_issuer() {
    let hint = "(name each CA certificate once, as an issuer or as a generation of one)";
    assert_eq!(
        problems_in_issuer(&ISSUER.replace("\"auth\"", "\"sign\"")),
        [format!(
            "line 7, issuer \"sign\" certificate: /etc/ocsprey/auth-ca.pem stands here for the second time {hint}"
        )]
    );
    let generation = "[[issuer.generation]]\ncertificate = \"auth-ca.pem\"\nsigner = { key = \"k\" }\n";
    assert_eq!(
        problems_in_issuer(generation),
        [format!(
            "line 2, issuer \"auth\" certificate: /etc/ocsprey/auth-ca.pem stands here for the second time {hint}"
        )]
    );
}

#[test]
fn everything_that_is_wrong_is_told_at_once_in_order_of_lines() {
    let text = "[response]\nnonce = 1\nvalidity = \"x\"\n[sever]\n[[issuer]]\nname = \"a b\"\n";
    let found = problems(text);
    let keys: Vec<&str> = found.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        keys,
        [
            "line 2, response.nonce",
            "line 3, response.validity",
            "line 4, sever",
            "line 5, issuer \"a b\" certificate",
            "line 5, issuer \"a b\" signer",
            "line 6, issuer \"a b\" name",
        ]
    );
}
