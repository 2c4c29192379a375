use super::*;

fn plan(text: &str) -> Result<Plan, PlanError> {
    Plan::parse(text, Path::new("a.toml"))
}

fn error(text: &str) -> String {
    plan(text).unwrap_err().to_string()
}

const CLOSED: &str = "name = \"a\"\n[load]\nloop = \"closed\"\nseconds = 1\n";

#[test]
fn an_unknown_key_is_named_with_its_line() {
    let told = error(&format!("{CLOSED}conections = 3\n"));
    assert!(told.starts_with("a.toml: line 5: unknown field `conections`"), "{told}");
    let told = error(&format!("{CLOSED}[request]\nnonce = 1.0\n"));
    assert!(told.starts_with("a.toml: line 6: unknown field `nonce`"), "{told}");
    assert!(!told.contains('\n'), "one line: {told}");
}

#[test]
fn a_wrong_word_or_type_tells_what_is_allowed() {
    let told = error("name = \"a\"\n[load]\nloop = \"ajar\"\n");
    assert!(told.contains("line 3") && told.contains("`open`") && told.contains("`closed`"), "{told}");
    let told = error(&format!("{CLOSED}connections = \"many\"\n"));
    assert!(told.contains("line 5") && told.contains("\"many\""), "{told}");
    assert!(error("[load\n").contains("line 1"));
    assert!(error("name = \"a\"\n").contains("missing field `load`"));
}

#[test]
fn a_plan_without_bounds_is_refused() {
    assert_eq!(plan(CLOSED).unwrap().check(), Vec::<String>::new());
    let faults = plan("name = \"a\"\n[load]\nloop = \"closed\"\n").unwrap().check();
    assert!(faults.iter().any(|fault| fault.starts_with("load.seconds:")), "{faults:?}");
    let faults = plan(&CLOSED.replace("seconds = 1", "seconds = 1e9")).unwrap().check();
    assert!(faults.iter().any(|fault| fault.contains("would last")), "{faults:?}");
    let faults = plan(&CLOSED.replace("seconds = 1", "seconds = nan")).unwrap().check();
    assert!(faults.iter().any(|fault| fault.contains("would last")), "{faults:?}");
}

#[test]
fn every_fault_is_told_and_not_only_the_first() {
    let text = "name = \"a\"\n[load]\nloop = \"open\"\nconnections = 0\n\
                [request]\nget_share = 2\ncertificates = 0\nhash = { sha1 = 0 }\n";
    let faults = plan(text).unwrap().check();
    for key in
        ["load.phase:", "load.connections:", "request.get_share:", "request.certificates:", "request.hash:"]
    {
        assert!(faults.iter().any(|fault| fault.starts_with(key)), "{key}: {faults:?}");
    }
}

#[test]
fn http_is_1_or_2_and_only_2_has_streams() {
    assert_eq!(plan(&format!("{CLOSED}http = 2\nstreams = 8\n")).unwrap().check(), Vec::<String>::new());
    let faults = plan(&format!("{CLOSED}streams = 8\n")).unwrap().check();
    assert!(faults.iter().any(|fault| fault.starts_with("load.streams:")), "{faults:?}");
    assert!(error(&format!("{CLOSED}http = 3\n")).contains("HTTP is 1 or 2, not 3"));
}

#[test]
fn the_files_of_a_plan_stand_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.toml");
    let client = "[[tls.client]]\ncertificate = \"one.pem\"\nkey = \"/keys/one.key\"\n";
    std::fs::write(&file, format!("{CLOSED}[tls]\nca = \"ca.pem\"\n{client}")).unwrap();
    let tls = Plan::read(&file).unwrap().tls.unwrap();
    assert_eq!(tls.ca, folder.path().join("ca.pem"));
    assert_eq!(tls.clients[0].certificate, folder.path().join("one.pem"));
    assert_eq!(tls.clients[0].key, Path::new("/keys/one.key"));
}

#[test]
fn every_plan_that_comes_with_it_can_be_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let mut seen = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let plan = Plan::read(&file).unwrap();
        assert_eq!(plan.check(), Vec::<String>::new(), "{}", file.display());
        assert_eq!(file.file_stem().unwrap().to_str(), Some(plan.name.as_str()));
        seen.push(plan.name);
    }
    // Those of the day of a national PKI, and what strangers do to it.
    for name in [
        "steady-mean",
        "monday-0900",
        "night-recheck",
        "mass-revocation",
        "nonce-flood",
        "random-serials",
        "malformed-flood",
        "verifiers-over-tls",
        "saturation",
    ] {
        assert!(seen.iter().any(|plan| plan == name), "no plan {name}");
    }
}
