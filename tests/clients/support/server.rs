//! A running `ocsprey serve` and its folder, and the demo's PKI that it serves.

use super::{free_port, ocsprey, run, try_get};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Generous: the machine may be busy with everything else.
const DEADLINE: Duration = Duration::from_secs(120);

/// Waits until `ready` gives something; fails with what `describe` says after the deadline.
pub fn wait_until<T>(describe: impl Fn() -> String, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "{}", describe());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A fresh folder of tests, on the disk that the build uses.
fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// A copy of the demo's PKI of 2,000 cards, made once per algorithm and run.
pub fn demo_copy(algorithm: &str) -> TempDir {
    static MADE: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let original = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("demo-{algorithm}"));
    let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !made.iter().any(|name| name == algorithm) {
        let _ = fs::remove_dir_all(&original);
        let dir = original.to_str().unwrap();
        let (listen, admin) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let options =
            ["--cards", "2000", "--algorithm", algorithm, "--listen", &listen, "--admin-listen", &admin];
        let args = [&["demo", "--dir", dir, "--prepare-only"][..], &options].concat();
        let said = ocsprey(Path::new(env!("CARGO_TARGET_TMPDIR")), &args);
        assert_eq!(said.code, Some(0), "{said:#?}");
        made.push(algorithm.to_owned());
    }
    drop(made);
    let copy = folder();
    copy_folder(&original, copy.path());
    copy
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Puts free ports into a configuration; returns the OCSP one and the admin one.
pub fn set_ports(configuration: &Path) -> (u16, u16) {
    let (port, admin_port) = (free_port(), free_port());
    let mut table: toml::Table = fs::read_to_string(configuration).unwrap().parse().unwrap();
    let mut set = |section: &str, value: toml::Value| {
        let section = table.entry(section).or_insert_with(|| toml::Table::new().into());
        section.as_table_mut().unwrap().insert("listen".to_owned(), value);
    };
    set("server", vec![format!("127.0.0.1:{port}")].into());
    set("admin", format!("127.0.0.1:{admin_port}").into());
    fs::write(configuration, toml::to_string(&table).unwrap()).unwrap();
    (port, admin_port)
}

/// A server that answers, until it is dropped.
pub struct Server {
    child: Child,
    dir: TempDir,
    /// Where OCSP is spoken: `http://127.0.0.1:PORT`.
    pub url: String,
    pub admin: String,
}

impl Server {
    /// Serves `DIR/ocsprey.toml` on free ports, and waits until it is ready.
    pub fn start(dir: TempDir) -> Self {
        Self::start_with(dir, &[])
    }

    /// As [`Server::start`], with these variables in its environment.
    pub fn start_with(dir: TempDir, variables: &[(&str, String)]) -> Self {
        let (port, admin_port) = set_ports(&dir.path().join("ocsprey.toml"));
        Self::spawn(dir, &["serve", "--config", "ocsprey.toml"], variables, port, admin_port)
    }

    /// A server on a copy of the demo.
    pub fn demo(algorithm: &str) -> Self {
        Self::start(demo_copy(algorithm))
    }

    /// `ocsprey demo` in a fresh folder, all the way: it makes, ingests and serves.
    pub fn whole_demo() -> Self {
        Self::demo_in(folder())
    }

    /// `ocsprey demo` in `dir`, where it may have been before.
    pub fn demo_in(dir: TempDir) -> Self {
        let (port, admin_port) = (free_port(), free_port());
        let (listen, admin) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{admin_port}"));
        let args =
            ["demo", "--dir", "demo", "--cards", "2000", "--listen", &listen, "--admin-listen", &admin];
        Self::spawn(dir, &args, &[], port, admin_port)
    }

    fn spawn(dir: TempDir, args: &[&str], variables: &[(&str, String)], port: u16, admin_port: u16) -> Self {
        let log = |name: &str| File::create(dir.path().join(name)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocsprey"));
        command.current_dir(dir.path()).args(args).stdin(Stdio::null());
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let child = command.stdout(log("out.log")).stderr(log("err.log")).spawn().unwrap();
        let (url, admin) = (format!("http://127.0.0.1:{port}"), format!("http://127.0.0.1:{admin_port}"));
        let mut server = Self { child, dir, url, admin };
        server.wait_until_ready();
        server
    }

    fn wait_until_ready(&mut self) {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("ended before it was ready: {status}\n{}", self.said());
            }
            let page = try_get(&format!("{}/readyz", self.admin));
            if page.as_ref().is_ok_and(|page| page.status == 200) {
                return;
            }
            assert!(start.elapsed() < DEADLINE, "never ready: {page:?}\n{}", self.said());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What it printed so far, both streams.
    pub fn said(&self) -> String {
        let read = |name| fs::read_to_string(self.path(name)).unwrap_or_default();
        format!("{}{}", read("out.log"), read("err.log"))
    }

    #[allow(dead_code, reason = "tests/conformance is served by this file too, and looks at no process")]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGHUP; returns at once.
    #[allow(dead_code, reason = "tests/conformance is served by this file too, and reloads")]
    pub fn reload(&self) {
        signal(&self.child, "HUP");
    }

    /// SIGTERM; how it ended, and its folder.
    pub fn terminate(self) -> (ExitStatus, TempDir) {
        self.end(terminate)
    }

    /// kill -9; its folder as it was at that moment.
    pub fn kill(self) -> TempDir {
        self.end(|child| child.kill().unwrap()).1
    }

    fn end(mut self, signal: impl FnOnce(&mut Child)) -> (ExitStatus, TempDir) {
        signal(&mut self.child);
        let out = self.path("err.log");
        let describe = || format!("did not end\n{}", fs::read_to_string(&out).unwrap_or_default());
        let status = wait_until(describe, || self.child.try_wait().unwrap());
        (status, std::mem::replace(&mut self.dir, folder()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child);
        if std::thread::panicking() {
            eprintln!("the server said:\n{}", self.said());
        }
    }
}

/// Asks a process that this test started to end.
fn terminate(child: &mut Child) {
    signal(child, "TERM");
}

fn signal(child: &Child, name: &str) {
    let said = run(Path::new("/"), "sh", &["-c".to_owned(), format!("kill -{name} {}", child.id())]);
    assert_eq!(said.code, Some(0), "{said:?}");
}

/// Ends a process that this test started, if it has not ended by itself.
fn stop(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}
