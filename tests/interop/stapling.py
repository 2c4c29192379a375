"""Web servers that staple ocsprey's answers: nginx, Apache, HAProxy, seen by `openssl s_client -status` and curl.

The web server's certificate has the serial number of a card of the demo (good, revoked), and a key of its own.
"""

import base64
import glob
import os
import shutil
import signal
import socket
import subprocess
import time

CASES = ["stapled good, openssl", "stapled good, curl", "revoked is not accepted"]

NGINX = """
daemon off; master_process off; pid nginx.pid; error_log nginx.log info;
events {{ }}
http {{
    access_log off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {name}.pem; ssl_certificate_key {name}.key; ssl_trusted_certificate {ca};
        ssl_stapling on; ssl_stapling_verify on; ssl_stapling_responder {url};
        location / {{ return 200 "ok"; }}
    }}
}}
"""

APACHE = """
ServerRoot {folder}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
ServerName localhost
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule socache_shmcb_module {modules}/mod_socache_shmcb.so
LoadModule ssl_module {modules}/mod_ssl.so
DocumentRoot {folder}/pages
SSLStaplingCache shmcb:{folder}/stapling(65536)
SSLEngine on
SSLCertificateFile {folder}/{name}.pem
SSLCertificateKeyFile {folder}/{name}.key
SSLUseStapling on
SSLStaplingForceURL {url}
"""

HAPROXY = """
global
    stats socket {folder}/haproxy.sock level admin
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    bind 127.0.0.1:{port} ssl crt {folder}/haproxy/
    http-request return status 200
"""


def run(*command, cwd, **more):
    done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False, **more)
    return done.returncode, done.stdout.decode(errors="replace")


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def prepare(server, folder):
    """`good.pem` and `revoked.pem`, with keys: certificates for localhost with the demo cards' serial numbers."""
    os.makedirs(os.path.join(folder, "pages"), exist_ok=True)
    for name in ("good", "revoked"):
        _, text = run("openssl", "x509", "-in", f"auth-{name}.pem", "-noout", "-serial", cwd=server.folder)
        serial = "0x" + text.strip().split("=")[1]
        extensions = os.path.join(folder, "extensions.cnf")
        with open(extensions, "w", encoding="utf-8") as file:
            file.write("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n"
                       f"authorityInfoAccess=OCSP;URI:{server.url}\n")
        key, request = os.path.join(folder, f"{name}.key"), os.path.join(folder, f"{name}.csr")
        for step in (("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                      "-subj", "/CN=localhost", "-out", request),
                     ("x509", "-req", "-in", request, "-CA", "auth-ca.pem", "-CAkey", "auth-ca.key", "-set_serial",
                      serial, "-days", "30", "-extfile", extensions, "-out", os.path.join(folder, f"{name}.pem"))):
            code, said = run("openssl", *step, cwd=server.folder)
            assert code == 0, said
    # Apache wants the issuer beside the certificate; so does HAProxy for `set ssl ocsp-response`.
    with open(os.path.join(server.folder, "auth-ca.pem"), encoding="ascii") as file:
        authority = file.read()
    for name in ("good", "revoked"):
        with open(os.path.join(folder, f"{name}.pem"), "a", encoding="ascii") as file:
            file.write(authority)
    with open(os.path.join(folder, "pages", "index.html"), "w", encoding="ascii") as file:
        file.write("ok")


class Web:
    """A web server in the foreground, ended by its own process id."""

    def __init__(self, command, folder, port):
        self.log = open(os.path.join(folder, "said.log"), "ab")
        self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


def by_openssl(server, port):
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", "localhost", "-status",
               "-CAfile", "auth-ca.pem", cwd=server.folder)[1]


def by_curl(server, port):
    return run("curl", "-sS", "--cert-status", "--cacert", "auth-ca.pem", "--resolve", f"localhost:{port}:127.0.0.1",
               f"https://localhost:{port}/", cwd=server.folder)


def stapled(server, port, word):
    """Until an answer is stapled: the first connections only make the web server ask for one."""
    said = ""
    for _ in range(50):
        said = by_openssl(server, port)
        if word in said:
            return None
        time.sleep(0.2)
    return said


def judged(server, start):
    """What a web server makes of a good and of a revoked certificate; `start(name, port)` starts it."""
    port = free_port()
    with start("good", port):
        failed = stapled(server, port, "Cert Status: good")
        yield CASES[0], failed
        code, said = by_curl(server, port)
        yield CASES[1], None if code == 0 else said
    port = free_port()
    with start("revoked", port):
        # Stapled as revoked, or not stapled at all; never good, and curl does not go on.
        said, heard = "", (0, "")
        for _ in range(5):
            said, heard = by_openssl(server, port), by_curl(server, port)
            time.sleep(0.2)
        agrees = "Cert Status: good" not in said and heard[0] == 91
        yield CASES[2], None if agrees else f"{said}\ncurl: {heard}"


def configured(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def nginx(server, folder):
    def start(name, port):
        ca = os.path.join(server.folder, "auth-ca.pem")
        path = configured(folder, "nginx.conf", NGINX.format(port=port, name=name, ca=ca, url=server.url))
        return Web(["nginx", "-p", folder, "-c", path, "-e", "stderr"], folder, port)
    return judged(server, start)


def apache(server, folder):
    modules = "/usr/lib/apache2/modules"

    def start(name, port):
        path = configured(folder, "apache.conf", APACHE.format(folder=folder, port=port, name=name, url=server.url,
                                                               modules=modules))
        for left in glob.glob(os.path.join(folder, "stapling*")):
            os.remove(left)
        return Web(["apache2", "-D", "FOREGROUND", "-f", path], folder, port)
    return judged(server, start)


def haproxy(server, folder):
    """An answer comes as a file beside the certificate, and a newer one by `set ssl ocsp-response`."""
    certificates = os.path.join(folder, "haproxy")

    def answer(name):
        path = os.path.join(folder, f"{name}.ocsp")
        run("openssl", "ocsp", "-noverify", "-no_nonce", "-issuer", "auth-ca.pem", "-cert", f"auth-{name}.pem", "-url",
            server.url, "-respout", path, cwd=server.folder)
        return path

    def start(name, port):
        shutil.rmtree(certificates, ignore_errors=True)
        os.makedirs(certificates)
        with open(os.path.join(certificates, "web.pem"), "wb") as whole:
            for part in (f"{name}.pem", f"{name}.key"):
                with open(os.path.join(folder, part), "rb") as file:
                    whole.write(file.read())
        # With a file there HAProxy knows the certificate's CertID; empty, it waits for the socket.
        path = os.path.join(certificates, "web.pem.ocsp")
        shutil.copy(answer(name), path) if name == "good" else open(path, "wb").close()
        text = configured(folder, "haproxy.cfg", HAPROXY.format(folder=folder, port=port))
        web = Web(["haproxy", "-f", text], folder, port)
        with open(answer(name), "rb") as file:
            octets = file.read()
        command = b"set ssl ocsp-response " + base64.b64encode(octets) + b"\n"
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(os.path.join(folder, "haproxy.sock"))
            sock.sendall(command)
            said = sock.recv(4096).decode()
        if "OCSP Response updated!" not in said:
            web.__exit__()
            raise AssertionError(f"HAProxy said of {name}: {said}")
        return web
    return judged(server, start)
