//! What may stand in front: the nginx and HAProxy configurations of `deploy/`, run by the real ones.
//!
//! The request that they get is one that a proxy which merges or decodes slashes would spoil.

use crate::names::read;
use crate::support::{Server, free_port, get, run, try_get, wait_until};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A proxy, until it is dropped.
struct Front {
    child: Child,
    dir: TempDir,
    url: String,
}

impl Front {
    fn start(program: &str, arguments: &[&str], configurations: &[(&str, String)], port: u16) -> Self {
        let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for (name, text) in configurations {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("env")
            .args([&format!("PATH={path}"), program])
            .args(arguments)
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        let mut front = Self { child, dir, url: format!("http://127.0.0.1:{port}") };
        let log = front.dir.path().join("log");
        let told = || fs::read_to_string(&log).unwrap_or_default();
        let Self { child, url, .. } = &mut front;
        wait_until(told, || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "{program} ended: {ended:?} (`make tools` installs it)\n{}", told());
            try_get(url).ok().filter(|page| page.status == 200).map(drop)
        });
        front
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // Asked to end, rather than killed: nginx takes its workers along.
        run(Path::new("/"), "kill", &["-TERM".to_owned(), self.child.id().to_string()]);
        let _ = self.child.wait();
    }
}

/// An OCSP request whose base64 has `//` and `+` in it.
fn path_with_slashes(server: &Server) -> String {
    for serial in ["0x0ffffffbeffffffffffffe", "0x0fffffffbefffffffffffe", "0x0ffffffffbeffffffffffe"] {
        let request =
            ["ocsp", "-no_nonce", "-issuer", "auth-ca.pem", "-serial", serial, "-reqout", "slashes.der"];
        assert_eq!(run(server.dir(), "openssl", &request).code, Some(0));
        let base64 = run(server.dir(), "openssl", &["base64", "-A", "-in", "slashes.der"]).out;
        if base64.contains("//") && base64.contains('+') {
            return base64;
        }
    }
    panic!("no such request");
}

/// The answer through `front` is one about the serial number, not about a request that nobody can read.
fn assert_slashes_pass(server: &Server, front: &Front) {
    let base64 = path_with_slashes(server);
    for path in [base64.clone(), base64.replace('+', "%2B"), base64.replace('/', "%2F").replace('+', "%2B")] {
        let direct = get(&format!("{}/{path}", server.url));
        let through = get(&format!("{}/{path}", front.url));
        for answer in [&direct, &through] {
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, Some("application/ocsp-response"))
            );
            assert!(answer.body.len() > 100, "{path}: only a status: {:?}\n{}", answer.body, front.log());
        }
        assert_eq!(direct.header("cache-control").is_some(), through.header("cache-control").is_some());
    }
    let metrics = get(&format!("{}/metrics", server.admin)).text();
    assert!(metrics.contains("result=\"malformed_request\"} 0\n"), "{metrics}");
    // Nobody wrote the request down.
    let written =
        fs::read_dir(front.dir.path()).unwrap().filter_map(|entry| fs::read(entry.unwrap().path()).ok());
    let needle = &base64.as_bytes()[..40];
    assert!(!written.into_iter().any(|file| file.windows(40).any(|window| window == needle)));
}

#[test]
fn nginx_hands_slashes_on() {
    let server = Server::demo("p256");
    let port = free_port();
    let site = read("nginx.conf")
        .replace("127.0.0.1:8080", server.url.trim_start_matches("http://"))
        .replace("listen 80;", &format!("listen 127.0.0.1:{port};"))
        .replace("    listen [::]:80;\n", "")
        .replace("/var/log/nginx/ocsprey-error.log", "error.log");
    assert!(!site.contains(":80;") && !site.contains("/var/"), "{site}");
    let around = "\
pid nginx.pid;
error_log error.log;
events {}
http {
    access_log access.log;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    include site.conf;
}
";
    let arguments = ["-p", ".", "-c", "nginx.conf", "-g", "daemon off;"];
    let files = [("nginx.conf", around.to_owned()), ("site.conf", site)];
    let front = Front::start("nginx", &arguments, &files, port);
    assert_slashes_pass(&server, &front);
}

#[test]
fn haproxy_hands_slashes_on_and_asks_whether_it_is_ready() {
    let server = Server::demo("p256");
    let port = free_port();
    let admin_port = server.admin.rsplit(':').next().unwrap();
    let configuration = read("haproxy.cfg")
        .replace("server a 127.0.0.1:8080", &format!("server a {}", server.url.trim_start_matches("http://")))
        .replace("port 9090", &format!("port {admin_port}"))
        .replace("bind :80", &format!("bind 127.0.0.1:{port}"))
        .replace("maxconn 20000", "maxconn 200");
    assert!(configuration.contains(&format!("port {admin_port}")), "{configuration}");
    let front = Front::start("haproxy", &["-f", "haproxy.cfg"], &[("haproxy.cfg", configuration)], port);
    assert_slashes_pass(&server, &front);
}
