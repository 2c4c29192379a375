"""Half as many requests again as one worker can sign for: what becomes of those who ask, of memory, and afterwards.

An RSA-2048 signer, one worker on one core, an open loop over many connections on the other. First the capacity: as
many answers a second as it gives to a closed loop. Then, every ten seconds a point of the curve, a calm part at half of
that; 150 percent of it for --overload seconds; and calm again; always one request in twenty with a nonce. Asked: no error but tryLater, a bounded p99 of what is answered, memory that
does not grow, and the first point after the overload as those before it. The curve is left as overload.csv, and drawn in overload.svg.
"""
import csv, json, os, pathlib, subprocess, sys, time
import curves
from place import Server, free_port, run
from report import median

POINT = 10  # seconds
CALM = 3  # points before and after
CONNECTIONS = 1000


def config(place):
    """The authentication CA with an RSA signer; all that is asked about is good."""
    place.openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "rsa.key")
    place.openssl("req", "-new", "-key", "rsa.key", "-subj", "/CN=RSA OCSP", "-config", "ca.cnf", "-out", "rsa.csr")
    place.openssl("x509", "-req", "-in", "rsa.csr", "-CA", "auth-ca.pem", "-CAkey", "auth-ca.key", "-days", "365",
                  "-extfile", "ca.cnf", "-extensions", "responder", "-out", "rsa.pem")
    made = place.config("overload", cas=("auth",))
    text = made.read_text().replace("auth-ocsp.pem", "rsa.pem").replace("auth-ocsp.key", "rsa.key")
    # A small cache: otherwise a long run would end up asking memory only.
    made.write_text(text.replace("[server]\n", "[server]\nworkers = 1\n") + '[response]\ncache_size = "1MiB"\n')
    return made


class Point:
    """One stretch of load, and what the server says of it."""

    def __init__(self, place, server, rate, serials, seconds=POINT):
        shed, begin = self.shed(server), time.monotonic()
        args = ["taskset", "-c", "1", place.options.load, "--quiet", "--issuer", place.folder / "auth-ca.pem", "--serials",
                serials, "--order", "shuffled", "--seconds", seconds, "--connections", CONNECTIONS, "--verify", 50, "--timeout", 5,
                "--nonce-share", 0.05, "--server-pid", server.pid, "--output", place.folder / "load.json"]
        args += ["--rate", f"{rate:.0f}"] if rate else ["--closed"]
        subprocess.run([*map(str, args), server.url], capture_output=True, text=True)
        report = json.loads((place.folder / "load.json").read_text())
        self.rate, self.sent, self.statuses = rate, report["sent"], report["statuses"]
        self.answered = self.statuses.get("successful", 0) / report["seconds"]
        self.errors = dict(report["errors"])
        if wrong := report["wrong_answers"]:
            self.errors["wrong"] = wrong
        if strange := {one: count for one, count in self.statuses.items() if one not in ("successful", "tryLater")}:
            self.errors.update(strange)
        late = report["latency"]["percentiles_ns"]
        self.p50, self.p99 = late["50"] / 1e6, late["99"] / 1e6
        self.rss = server.memory("VmRSS")
        self.shed_each = {name: count - shed[name] for name, count in self.shed(server).items()}
        self.seconds = time.monotonic() - begin

    @staticmethod
    def shed(server):
        return {name: server.metric("ocsp_requests_shed_total", **{"class": name}) for name in ("nonce", "signature", "held")}


def measure(place, report, options):
    made = config(place)
    place.crl("calm.made", 1, 1000, 16)
    os.rename(place.folder / "calm.made", place.inbox("auth") / "calm.crl")
    serials = place.folder / "serials.txt"
    serials.write_text(place.tool("serials", 0, 2_000_000, 16, 7).out)
    curve = []
    with Server(place, made) as server:
        os.sched_setaffinity(server.pid, {0})
        for task in pathlib.Path(f"/proc/{server.pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), {0})
        server.wait(lambda: server.metric("crl_ingests_total", outcome="applied") == 1, what="the first CRL")
        # Few connections wait for each other only: this is capacity, not overload.
        full = closed(place, server, serials)
        if full.statuses.get("tryLater"):
            sys.exit(f"error: a closed loop on few connections was turned away: {full.statuses}")
        parts = [("calm", 0.5, CALM), ("overload", 1.5, max(1, options.overload // POINT)), ("calm again", 0.5, CALM)]
        begin = time.monotonic()
        for part, share, points in parts:
            for _ in range(points):
                point = Point(place, server, share * full.answered, serials)
                curve.append((part, time.monotonic() - begin, point))
                print(f"    {part}: {point.statuses} {point.errors} p99 {point.p99:.0f} ms, {point.rss:.0f} MiB, shed {point.shed_each}", flush=True)
        server.end()
    write(options.report, curve)
    of = lambda name: [point for part, _, point in curve if part == name]
    for name in ("calm", "overload", "calm again"):
        points = of(name)
        asked, answered = sum(point.sent for point in points), sum(point.statuses.get("successful", 0) for point in points)
        report.row("overload", name, offered=f"{points[0].rate:.0f}/s", answered=f"{100 * answered / asked:.0f} %", capacity=f"{full.answered:.0f}/s",
                   answered_a_second=f"{median([point.answered for point in points]):.0f}", p50=f"{median([point.p50 for point in points]):.1f} ms",
                   p99=f"{median([point.p99 for point in points]):.1f} ms", worst_p99=f"{max(point.p99 for point in points):.1f} ms",
                   shed=", ".join(f"{kind} {sum(point.shed_each[kind] for point in points):.0f}" for kind in ("nonce", "signature")),
                   memory=f"{points[0].rss:.0f} to {points[-1].rss:.0f} MiB", errors=sum(sum(point.errors.values()) for point in points))
    place.forget("overload")


def closed(place, server, serials):
    global CONNECTIONS
    many, CONNECTIONS = CONNECTIONS, 32
    try:
        Point(place, server, None, serials, 3)
        return Point(place, server, None, serials)
    finally:
        CONNECTIONS = many


def write(folder, curve):
    folder.mkdir(parents=True, exist_ok=True)
    rows = [{"part": part, "second": round(second), "offered": round(point.rate), "sent": point.sent,
             "answered_a_second": round(point.answered), "try_later": point.statuses.get("tryLater", 0),
             "errors": sum(point.errors.values()), "p50_ms": round(point.p50, 2), "p99_ms": round(point.p99, 2),
             "rss_mib": round(point.rss, 1), "shed_nonce": int(point.shed_each["nonce"]),
             "shed_signature": int(point.shed_each["signature"])} for part, second, point in curve]
    with open(folder / "overload.csv", "w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    (folder / "overload.svg").write_text(curves.draw(rows))
