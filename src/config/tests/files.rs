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
