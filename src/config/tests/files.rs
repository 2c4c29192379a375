//! The file itself, and the files it names.

use super::*;

#[test]
fn what_is_not_toml_is_told_with_line_and_column() {
    let found = problems("[server]\nworkers = four\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with("line 2, column 11: not TOML: "), "{found:?}");
    assert!(found[0].ends_with(" (text values stand in \"quotes\", lists in [brackets])"), "{found:?}");
    let found = problems("[server]\nworkers = 1\nworkers = 2\n");
    assert!(found[0].starts_with("line 3, column 1: not TOML: duplicate key"), "{found:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ocsprey.toml");
    let shown = path.display();
    let error = Config::load(&path).unwrap_err();
    assert_eq!(
        error.lines(),
        [format!(
            "{shown}: there is no such file or folder (name a configuration with --config FILE; `ocsprey demo` writes one to look at)"
        )]
    );
    fs::write(&path, b"[server]\n\xff").unwrap();
    let error = Config::load(&path).unwrap_err();
    assert_eq!(error.lines(), [format!("{shown}: line 2 is not UTF-8 text (save the file as UTF-8)")]);
    let error = Config::load(folder.path()).unwrap_err();
    assert!(error.to_string().contains(": it is a folder, not a file ("), "{error}");
}

#[test]
fn an_existing_folder_needs_no_slash() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("crl")).unwrap();
    let config =
        Config::from_text(&folder.path().join("o.toml"), &format!("{ISSUER}crls = [\"crl\", \"crls\"]"));
    let expected =
        [CrlSource::Folder(folder.path().join("crl")), CrlSource::File(folder.path().join("crls"))];
    assert_eq!(config.unwrap().issuers[0].crls, expected);
}

#[test]
fn every_file_that_is_not_there_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("auth-ca.pem"), "").unwrap();
    fs::create_dir(folder.path().join("auth-ocsp.key")).unwrap();
    let text = format!("{ISSUER}crls = [\"crl/\", \"http://there.example/\"]\ninventory = [\"i.txt\"]");
    let config = Config::from_text(&folder.path().join("o.toml"), &text).unwrap();
    let shown = folder.path().display();
    let lines: Vec<String> = config.unreadable_files().iter().map(Problem::to_string).collect();
    assert_eq!(
        lines,
        [
            format!(
                "issuer \"auth\" signer.certificate: {shown}/auth-ocsp.pem: there is no such file or folder"
            ),
            format!("issuer \"auth\" signer.key: {shown}/auth-ocsp.key: it is a folder, not a file"),
            format!("issuer \"auth\" crls: {shown}/crl/: there is no such file or folder"),
            format!("issuer \"auth\" inventory: {shown}/i.txt: there is no such file or folder"),
        ]
    );
}

#[test]
fn a_guard_and_fetching_that_cannot_be_are_told() {
    let found = problems_above(
        "[guard]\nmax_shrink = \"130%\"\nmax_released = 20\n[fetch]\nevery = \"0s\"\nmax_size = 0\n",
    );
    assert_eq!(
        found,
        [
            "line 2, guard.max_shrink: \"130%\" is not a part of the whole (write it like \"30%\", from 0% to 100%)",
            "line 3, guard.max_released: expected text, found a whole number (write it like max_released = \"30%\")",
            "line 5, fetch.every: \"0s\" is not a duration of whole seconds, one or more (write it like \"24h\", \"90m\" or \"1day 12h\")",
            "line 6, fetch.max_size: no CRL is that small (write it like \"4GiB\")",
        ]
    );
    let found = problems_above("[response]\narchive_cutoff = \"200years\"\n");
    assert!(found[0].starts_with("line 2, response.archive_cutoff: \"200years\" is over a hundred years"));
}

#[test]
fn without_a_word_the_guard_and_fetching_are_as_usual() {
    let config = parse(ISSUER).unwrap();
    assert_eq!((config.guard, config.fetch), (Guard::default(), FetchOptions::default()));
    assert_eq!(config.response.archive_cutoff, None);
}

#[test]
fn s4_4_2_crl_references_are_named_by_word_and_refused_beside_what_is_signed_beforehand() {
    let with = |response: &str| format!("[response]\n{response}\n{ISSUER}");
    for (word, references) in [
        ("none", CrlReferences::Omit),
        ("revoked", CrlReferences::NameOfRevoked),
        ("all", CrlReferences::NameOfAll),
    ] {
        let config = parse(&with(&format!("crl_references = \"{word}\""))).unwrap();
        assert_eq!(config.response.crl_references, references);
    }
    assert_eq!(parse(ISSUER).unwrap().response.crl_references, CrlReferences::Omit);
    let both = |references: &str| with(&format!("presign = [\"sha1\"]\ncrl_references = {references}"));
    assert!(parse(&both("\"none\"")).is_ok());
    let refused = "line 3, response.crl_references: cannot stand beside presign: with every CRL all that was signed \
                   beforehand would name an old one (write \"none\", or take presign out of [response] and of all \
                   signers)";
    assert_eq!(problems(&both("\"revoked\"")), [refused]);
    let further = format!(
        "{}signers = [{{ certificate = \"o.pem\", key = \"o.key\", presign = [\"sha1\"] }}]\n",
        with("\ncrl_references = \"all\"")
    );
    assert_eq!(problems(&further), [refused]);
}

#[test]
fn copies_of_the_store_are_counted_timed_and_placed() {
    let text = |store: &str| format!("[store]\n{store}\n{ISSUER}");
    let config = |store: &str| Config::from_text(Path::new("/etc/o.toml"), &text(store)).unwrap().store;
    assert_eq!(config(""), kept_copies());
    let set = config("checkpoints = 0\ncheckpoint_every = \"12h\"\nbackups = \"b\"");
    assert_eq!((set.checkpoints, set.checkpoint_every.as_secs()), (0, 43_200));
    assert_eq!(set.backups, Some(Path::new("/etc/b").to_owned()));
    let found = problems(&text("checkpoints = 1000"));
    assert!(found.len() == 1 && found[0].contains("1000 copies are too many"), "{found:?}");
}

/// What nothing is said of.
pub(super) fn kept_copies() -> StoreConfig {
    StoreConfig {
        path: Path::new("/etc/data").to_owned(),
        cache_size: 256 << 20,
        checkpoints: 2,
        checkpoint_every: Duration::from_secs(86_400),
        backups: None,
    }
}
