"""Where it all happens: a folder with a PKI, programs that are run and measured, servers that are watched."""
import atexit, json, os, pathlib, re, shutil, signal, socket, subprocess, sys, time, urllib.request

CA_CNF = """[req]
distinguished_name = dn
string_mask = utf8only
[dn]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[responder]
keyUsage = critical,digitalSignature
extendedKeyUsage = OCSPSigning
noCheck = ignored
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""

CAS = ("auth", "sign")


class Cost:
    """What a child process cost, as the kernel counted it when it ended."""

    def __init__(self, wall, usage, out=""):
        self.wall, self.out = wall, out
        self.cpu = usage.ru_utime + usage.ru_stime
        self.rss = usage.ru_maxrss / 1024


def run(*args, **more):
    """Runs a command to its end. It is a measurement, so whatever is not success ends everything."""
    begin = time.monotonic()
    args = [str(arg) for arg in args]
    child = subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)
    out = child.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"error: {' '.join(args)}: exit code {child.returncode}\n{out}")
    return Cost(time.monotonic() - begin, usage, out)


def outweigh():
    """This process and its children have the machine nearly to themselves; among each other nothing changes."""
    for base, name, most in (("/sys/fs/cgroup/cpu", "cpu.shares", 40_000), ("/sys/fs/cgroup", "cpu.weight", 10_000)):
        group = pathlib.Path(base) / f"ocsprey-soak-{os.getpid()}"
        if (pathlib.Path(base) / "cgroup.procs").exists():
            group.mkdir()
            (group / name).write_text(str(most))
            (group / "cgroup.procs").write_text(str(os.getpid()))
            # Whoever is left goes back, so that the group can go.
            atexit.register(lambda: ((group.parent / "cgroup.procs").write_text(str(os.getpid())), group.rmdir()))
            return
    sys.exit("error: no control groups for --alone")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def octets(folder):
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except FileNotFoundError:
            pass  # a compaction was done with it
    return total


class Place:
    """A folder, the programs, and what all parts of the soak do with them."""

    def __init__(self, folder, options):
        self.folder, self.options = folder, options
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        (folder / "ca.cnf").write_text(CA_CNF)
        for ca in CAS:
            self.make_ca(ca)

    def openssl(self, *args):
        subprocess.run(["openssl", *map(str, args)], cwd=self.folder, check=True, capture_output=True)

    def make_ca(self, ca):
        """A P-256 CA and its OCSP signer."""
        for name in (f"{ca}-ca", f"{ca}-ocsp"):
            self.openssl("genpkey", "-algorithm", "EC", "-out", f"{name}.key", "-pkeyopt", "ec_paramgen_curve:P-256")
        self.openssl("req", "-x509", "-new", "-key", f"{ca}-ca.key", "-days", "3650", "-config", "ca.cnf",
                     "-subj", f"/C=JP/O=Soak/CN={ca} CA", "-extensions", "authority", "-out", f"{ca}-ca.pem")
        self.openssl("req", "-new", "-key", f"{ca}-ocsp.key", "-subj", f"/CN={ca} OCSP", "-config", "ca.cnf",
                     "-out", f"{ca}-ocsp.csr")
        self.openssl("x509", "-req", "-in", f"{ca}-ocsp.csr", "-CA", f"{ca}-ca.pem", "-CAkey", f"{ca}-ca.key",
                     "-days", "365", "-extfile", "ca.cnf", "-extensions", "responder", "-out", f"{ca}-ocsp.pem")

    def tool(self, *args):
        return run(self.options.soak, *args)

    def crl(self, name, number, entries, width, changed=0, ca="auth"):
        path = self.folder / name
        self.tool("crl", self.folder / f"{ca}-ca.pem", self.folder / f"{ca}-ca.key", number, entries, width, changed, path)
        return path

    def inbox(self, ca):
        """The watched folder of a CA."""
        folder = self.folder / "inbox" / ca
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def config(self, store, cas=CAS, inventory=None, watched=True):
        """Writes a configuration with ports of its own."""
        config = self.folder / f"{store}.toml"
        port, admin = free_port(), free_port()
        text = f'[server]\nlisten = ["127.0.0.1:{port}"]\n[admin]\nlisten = "127.0.0.1:{admin}"\n'
        text += f'[store]\npath = "{store}"\n'
        for ca in cas:
            text += f'[[issuer]]\nname = "{ca}"\ncertificate = "{ca}-ca.pem"\nunlisted = "good"\n'
            text += f'signer = {{ certificate = "{ca}-ocsp.pem", key = "{ca}-ocsp.key" }}\n'
            text += f'crls = ["{self.inbox(ca)}/"]\n' if watched else "crls = []\n"
            if inventory and ca == cas[0]:
                text += f'inventory = ["{inventory}"]\n'
        config.write_text(text)
        return config

    def ingest(self, config, *crls, prefix=()):
        return run(*prefix, self.options.ocsprey, "crl", "ingest", "--config", config, *crls)

    def forget(self, *names):
        """Disk is dear: deletes what is measured."""
        for name in names:
            path = self.folder / name
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)

    def load(self, server, serials, rate, seconds):
        """A steady open loop on the first CA; the generator's report."""
        report = self.folder / "load.json"
        child = subprocess.run([self.options.load, "--quiet", "--issuer", self.folder / "auth-ca.pem", "--serials", serials,
                                "--rate", str(rate), "--seconds", str(seconds), "--connections", "16", "--verify", "50",
                                "--server-pid", str(server.pid), "--output", report, server.url], capture_output=True, text=True)
        if child.returncode != 0:
            sys.exit(f"error: the load failed: {child.stdout}{child.stderr}\n{server.said()[-2000:]}")
        return json.loads(report.read_text())


class Server:
    """`ocsprey serve` on a configuration."""

    def __init__(self, place, config):
        self.place, self.config = place, config
        ports = re.findall(r"127\.0\.0\.1:(\d+)", config.read_text())
        self.port, self.admin = int(ports[0]), int(ports[1])
        self.url = f"http://127.0.0.1:{self.port}/"
        self.log = config.with_suffix(".log")
        self.began = time.monotonic()
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen([place.options.ocsprey, "serve", "--config", config], stdout=log, stderr=log)
        self.pid = self.child.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(signal.SIGKILL)

    def end(self, how=signal.SIGTERM):
        """What the process cost in all."""
        if self.child.returncode is None:
            self.child.send_signal(how)
            _, status, usage = os.wait4(self.pid, 0)
            self.child.returncode = os.waitstatus_to_exitcode(status)
            self.cost = Cost(time.monotonic() - self.began, usage)
        return self.cost

    def said(self):
        return self.log.read_text(errors="replace")

    def page(self, path, body=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.admin}{path}", body)
        return urllib.request.urlopen(request, timeout=600).read()

    def metric(self, name, **labels):
        """The sum of the samples of a name with these labels."""
        total = 0.0
        for line in self.page("/metrics").decode().splitlines():
            found = re.match(r"([a-z_]+)(?:\{(.*)\})? (.*)", line)
            if found and found[1] == name and all(f'{key}="{value}"' in (found[2] or "") for key, value in labels.items()):
                total += float(found[3])
        return total

    def wait(self, ready, seconds=3600, every=0.1, what="it"):
        begin = time.monotonic()
        while True:
            try:
                if ready():
                    return time.monotonic() - begin
            except OSError:
                pass
            if self.child.poll() is not None or time.monotonic() - begin > seconds:
                sys.exit(f"error: waited in vain for {what}\n{self.said()[-3000:]}")
            time.sleep(every)

    def wait_answers(self):
        """Until it listens."""
        self.wait(lambda: self.page("/healthz"), every=0.01, what="the server to listen")

    def threads(self):
        """Processor seconds by thread: intake, worker, rocksdb, other."""
        ticks, spent = os.sysconf("SC_CLK_TCK"), {}
        for task in pathlib.Path(f"/proc/{self.pid}/task").iterdir():
            try:
                name, rest = re.match(r"\d+ \((.*)\) (.*)", (task / "stat").read_text()).groups()
            except (FileNotFoundError, ProcessLookupError):
                continue
            kind = next((kind for kind in ("intake", "worker", "rocksdb") if name.startswith(kind)), "other")
            fields = rest.split()
            spent[kind] = spent.get(kind, 0) + (int(fields[11]) + int(fields[12])) / ticks
        return spent

    def memory(self, field="RssAnon"):
        """MiB, by a field of /proc/PID/status; without the files that lie in the page cache."""
        text = pathlib.Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(rf"{field}:\s+(\d+)", text)[1]) / 1024
