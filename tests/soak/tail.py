"""Answers at a steady rate while the store is busy: the tail, idle against at work, in turns.

Each round has a fresh store with a million revocations. The same open loop runs on it again and again: idle;
while a CRL of 10 million entries of another CA comes in by the watched folder; while a tenth more comes on top
(a mass revocation: staged files, folding, flushes, compactions). All cards that are asked about are
different, so each look-up goes through to RocksDB. The medians of all loops are compared.
"""
import os, shutil, sys, time
from place import Server
from report import median

SECONDS = 5


def tail_of(load):
    percentiles = load["latency"]["percentiles_ns"]
    figures = {part: percentiles[part] / 1000 for part in ("50", "99", "99.9")}
    return figures | {"max": load["latency"]["max_ns"] / 1000, "errors": sum(load["errors"].values()),
                      "cpu": load["server_cpu"]["micros_a_request"]}


def busy(place, server, serials, options, file, number):
    """The loop while a CRL comes in, again and again until it is in; the worst of the loops counts as well."""
    spent, begin = server.threads(), time.monotonic()
    applied = server.metric("crl_ingests_total", outcome="applied")
    os.rename(file, place.inbox("sign") / f"{number}.crl")
    tails = [tail_of(place.load(server, serials, options.rate, SECONDS))]
    while server.metric("crl_ingests_total", outcome="applied") == applied:
        if time.monotonic() - begin > 600:
            sys.exit(f"error: the CRL does not come in\n{server.said()[-2000:]}")
        tails.append(tail_of(place.load(server, serials, options.rate, SECONDS)))
    spent = {kind: used - spent.get(kind, 0) for kind, used in server.threads().items()}
    return tails, spent


def measure(place, report, options):
    serials = place.folder / "serials.txt"
    # One in ten is revoked.
    step = max(1, options.entries // 100_000)
    serials.write_text(place.tool("serials", 0, options.entries, 16, step).out)
    made = {"small": place.crl("small.made", 1, options.entries // 10, 16),
            "large": place.crl("large.made", 2, options.entries, 16, ca="sign"),
            "mass": place.crl("mass.made", 3, options.entries * 11 // 10, 16, ca="sign")}
    found = {"idle": [], "load": [], "mass": []}
    work = {"load": {}, "mass": {}}
    for turn in range(options.tail_rounds):
        shutil.rmtree(place.folder / "inbox", ignore_errors=True)
        shutil.copy(made["small"], place.inbox("auth") / "small.crl")
        name = f"tail{turn}"
        with Server(place, place.config(name)) as server:
            server.wait(lambda: server.metric("crl_ingests_total", outcome="applied") == 1, what="the first CRL")
            time.sleep(1)
            place.load(server, serials, options.rate, 3)
            for _ in range(3):
                found["idle"].append(tail_of(place.load(server, serials, options.rate, SECONDS)))
            for kind, file in (("load", "large"), ("mass", "mass")):
                # A link, moved in: the file itself is for every round.
                ready = place.folder / "ready.crl"
                os.link(made[file], ready)
                tails, spent = busy(place, server, serials, options, ready, kind)
                found[kind] += tails
                for thread, used in spent.items():
                    work[kind].setdefault(thread, []).append(used)
            server.end()
        place.forget(name)
    names = {"idle": "idle", "load": f"while {options.entries / 1e6:.0f} million entries load", "mass": "during a mass revocation, flushes and compactions"}
    base = {}
    for kind, tails in found.items():
        middle = {key: median([one[key] for one in tails]) for key in tails[0]}
        base = base or middle
        used = {thread: median(values) for thread, values in work.get(kind, {}).items()}
        report.row("tail", names[kind], rate=f"{options.rate}/s", loops=len(tails), p50=f"{middle['50']:.0f} us", p99=f"{middle['99']:.0f} us",
                   p99_to_idle=f"{middle['99'] / base['99']:.2f}", **{"p99.9": f"{middle['99.9']:.0f} us"}, most=f"{middle['max'] / 1000:.1f} ms",
                   errors=sum(one["errors"] for one in tails), CPU_of_other_threads=", ".join(f"{thread} {seconds:.1f} s" for thread, seconds in sorted(used.items()) if thread != "worker"))
        for one in tails:
            print("   ", {key: round(value, 1) for key, value in one.items()}, flush=True)
