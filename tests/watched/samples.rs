//! The other files of `deploy/`, judged as far as a test can without building an image.

use crate::names::{deploy, read};
use crate::support::run;
use ocsprey::config::Config;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The configuration that stands in `kubernetes.yaml`, without its indentation.
fn of_kubernetes() -> String {
    let manifest = read("kubernetes.yaml");
    let lines = manifest.lines().skip_while(|line| !line.ends_with("ocsprey.toml: |")).skip(1);
    let indented = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    indented.map(|line| format!("{}\n", line.trim_start_matches("    "))).collect()
}

#[test]
fn every_sample_configuration_is_understood() {
    let dir = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for (name, text) in [
        ("sample", read("ocsprey.toml")),
        ("container", read("container.toml")),
        ("kubernetes", of_kubernetes()),
    ] {
        let file = dir.path().join("ocsprey.toml");
        fs::write(&file, &text).unwrap();
        let config = Config::load(&file).unwrap_or_else(|why| panic!("{name}: {why:?}\n{text}"));
        assert!(!config.issuers.is_empty() && config.admin.listen.is_some(), "{name}");
    }
}

#[test]
fn containers_run_without_root_and_write_to_their_volume_only() {
    let image = read("Containerfile");
    for line in ["USER 65532:65532", "VOLUME /var/lib/ocsprey", "STOPSIGNAL SIGTERM"] {
        assert!(image.contains(&format!("\n{line}\n")), "{line}");
    }
    let manifest = read("kubernetes.yaml");
    for line in ["runAsNonRoot: true", "readOnlyRootFilesystem: true", "allowPrivilegeEscalation: false"] {
        assert!(manifest.contains(line), "{line}");
    }
    assert!(!manifest.contains('\t'), "YAML knows no tabs");
}

#[test]
fn maintainer_scripts_are_scripts() {
    for name in ["debian/postinst", "debian/prerm"] {
        let path = deploy(name);
        let said = run(Path::new("/"), "sh", &["-n", path.to_str().unwrap()]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }
}

/// Whoever enables the sockets finds ocsprey where the sample configuration says.
#[test]
fn the_sockets_are_those_of_the_sample_configuration() {
    let config = Config::load(&deploy("ocsprey.toml")).unwrap();
    let admin = config.admin.listen.unwrap();
    for (name, address) in [("ocsprey.socket", config.server.listen[0]), ("ocsprey-admin.socket", admin)] {
        assert!(read(name).contains(&format!("\nListenStream={address}\n")), "{name}: {address}");
    }
}

/// As systemd itself sees it. Elsewhere than on Debian with systemd there is nobody to ask.
#[test]
fn systemd_understands_the_unit_and_finds_it_hardened() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("SKIPPED: there is no systemd-analyze here");
        return;
    }
    let dir = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let unit = read("ocsprey.service");
    assert!(unit.contains("\nType=notify\n") && unit.contains("\nWatchdogSec="));
    // Verifying looks for the program, which is not installed while it is tested.
    let unit = unit.replace("/usr/bin/ocsprey ", &format!("{} ", env!("CARGO_BIN_EXE_ocsprey")));
    fs::write(dir.path().join("ocsprey.service"), unit).unwrap();
    let units = ["./ocsprey.service", "./ocsprey.socket", "./ocsprey-admin.socket"];
    for name in &units[1..] {
        fs::copy(deploy(name), dir.path().join(name)).unwrap();
    }
    let verified = run(dir.path(), "systemd-analyze", &[&["verify", "--man=no"], &units[..]].concat());
    let ours = |line: &&str| line.contains("ocsprey");
    assert_eq!(verified.err.lines().filter(ours).collect::<Vec<_>>(), Vec::<&str>::new(), "{verified:?}");
    // 0 is sealed, 10 is open; above 2.0 something was let go.
    let judged = ["security", "--no-pager", "--offline=true", "--threshold=20", "./ocsprey.service"];
    let judged = run(dir.path(), "systemd-analyze", &judged);
    assert_eq!(judged.code, Some(0), "{}", judged.out);
}
