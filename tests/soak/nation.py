"""50 million inventoried and 20 million revoked: load, disk, memory, look-ups, restarts.

Five times `--entries` are in the inventory, which names no distribution points; twice are revoked; all of them
dense 4-octet numbers, as card PKIs give them out. Then restarts where they are dear: kill -9 in the middle
of a first publication, which leaves as much of the log as there may be to be replayed.
"""
import random, signal, sys, time
from day import probes, publish
from ocsp import Client
from place import CAS, Server, octets, run
from report import median
from tail import tail_of


def restart(place, config, serial):
    """Seconds from starting the server to its first answer, which has to be `revoked`, and verified."""
    server = Server(place, config)
    client = Client(place, "auth", server.port)
    request = client.request([serial])
    while True:
        try:
            answer = client.send(request)
            break
        except OSError:
            if server.child.poll() is not None or time.monotonic() - server.began > 120:
                sys.exit(f"error: the server gives no answer\n{server.said()[-2000:]}")
            time.sleep(0.002)
    wall = time.monotonic() - server.began
    if (verified := client.verify(answer, serial)) != "revoked":
        sys.exit(f"error: the first answer is not revoked: {verified}")
    return server, wall


def replay(place, report, options):
    """Kills a server again and again while the CRLs of all municipalities come in for the first time."""
    small = type(options)(**{**vars(options), "mean": max(1, options.mean // 4)})
    chance, config, walls, logs = random.Random(options.seed), place.config("replay"), [], []
    for ca in CAS:
        place.inbox(ca)
    server = Server(place, config)
    server.wait_answers()
    publish(place, 1, small)
    (_, _, serials) = probes(place, 2, small)[0]
    server.wait(lambda: server.metric("crl_ingests_total", outcome="applied") > 100, what="the first CRLs")
    for _ in range(8):
        time.sleep(chance.uniform(1, 3))
        server.end(signal.SIGKILL)
        logs.append(sum(file.stat().st_size for file in (place.folder / "replay").glob("*.log")))
        server, wall = restart(place, config, serials[0])
        walls.append(wall)
    server.end(signal.SIGKILL)
    report.row("nation", "restart to the first correct answer, after kill -9 in a first publication", rounds=len(walls),
               wall=f"{median(walls) * 1000:.0f} ms (most {max(walls) * 1000:.0f})", log=f"{median(logs) / 1e6:.0f} MB (most {max(logs) / 1e6:.0f})")
    place.forget("replay", "inbox", "made")


def measure(place, report, options):
    issued, revoked = 5 * options.entries, 2 * options.entries
    millions = lambda count: f"{count / 1e6:g} million"
    config = place.config("nation", cas=("auth",))
    # Every number up to `issued` is inventoried; the CRL lists the first two fifths of them.
    inventory = place.folder / "inventory.txt"
    place.tool("inventory", issued, 4, inventory)
    cost = run(options.ocsprey, "inventory", "load", "--config", config, "--issuer", "auth", inventory)
    rows = octets(place.folder / "nation")
    report.row("nation", f"inventory load, {millions(issued)}", CPU=f"{cost.cpu:.1f} s", wall=f"{cost.wall:.1f} s", peak_memory=f"{cost.rss:.0f} MiB",
               disk=f"{rows / 1e6:.0f} MB, {rows / issued:.1f} octets a serial")
    inventory.unlink()
    crl = place.crl("nation.crl", 1, revoked, 4)
    cost = place.ingest(config, crl)
    rows = octets(place.folder / "nation") - rows
    report.row("nation", f"first load of one CRL, {millions(revoked)}", CPU=f"{cost.cpu:.1f} s", wall=f"{cost.wall:.1f} s",
               peak_memory=f"{cost.rss:.0f} MiB", disk=f"{rows / 1e6:.0f} MB, {rows / revoked:.1f} octets a revocation")
    crl.unlink()

    serial = place.tool("serials", 4711, 1, 4, 1).out.strip()
    for how, ending in (("a clean stop", signal.SIGTERM), ("kill -9", signal.SIGKILL)):
        walls = []
        for _ in range(5):
            server, wall = restart(place, config, serial)
            walls.append(wall)
            server.end(ending)
        # The first one follows the load, not this kind of end.
        walls = sorted(walls[1:])
        report.row("nation", f"restart to the first correct answer, after {how}", wall=f"{walls[len(walls) // 2] * 1000:.0f} ms (most {walls[-1] * 1000:.0f})",
                   rounds=len(walls))

    server, _ = restart(place, config, serial)
    with server:
        rest = server.memory()
        serials = place.folder / "serials.txt"
        serials.write_text(place.tool("serials", 0, issued, 4, 97).out)
        tail = tail_of(place.load(server, serials, options.rate, 20))
        report.row("nation", "at rest after a start", memory=f"{rest:.0f} MiB")
        report.row("nation", f"asked about random cards, all different, {options.rate}/s", memory=f"{server.memory():.0f} MiB", p50=f"{tail['50']:.0f} us",
                   p99=f"{tail['99']:.0f} us", CPU=f"{tail['cpu']:.0f} us a request")
        server.end()
    place.forget("nation")
    replay(place, report, options)
