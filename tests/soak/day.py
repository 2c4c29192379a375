"""A day's publication: the CRLs of all municipalities of two CAs, and how soon one of them is seen.

The first day fills an empty store. On the second, one entry in a thousand has left every CRL and as many
have come. Then single CRLs arrive, by file and by POST, while a client asks for the first `revoked`.
"""
import os, random, re, signal, sys, threading, time
from ocsp import Client
from place import CAS, Server
from report import percentile

CHANGED = 100  # of 100,000
POLL = 0.002


def partition_files(place, day, options, ca, folder, *only):
    folder.mkdir(parents=True, exist_ok=True)
    place.tool("publication", place.folder / f"{ca}-ca.pem", place.folder / f"{ca}-ca.key", day, options.partitions,
               options.mean, CHANGED, folder, *only)


def publish(place, day, options):
    """All CRLs of a day, made aside, then moved in. When the first of them was there."""
    for ca in CAS:
        partition_files(place, day, options, ca, place.folder / "made" / ca)
    begin = time.monotonic()
    for ca in CAS:
        inbox = place.inbox(ca)
        for file in sorted((place.folder / "made" / ca).iterdir()):
            os.rename(file, inbox / file.name)
    return begin


def probes(place, day, options):
    lines = place.tool("probes", day, options.partitions, options.mean, CHANGED).out.splitlines()
    return [(int(index), int(entries), serials) for index, entries, *serials in map(str.split, lines)]


def ms(values, part):
    return f"{percentile(values, part) * 1000:.1f} ms"


def one_day(place, server, report, day, options):
    count = len(CAS) * options.partitions
    applied, spent, log = server.metric("crl_ingests_total", outcome="applied"), server.threads(), len(server.said())
    seen, seen_sum = server.metric("crl_visible_seconds_count"), server.metric("crl_visible_seconds_sum")
    begin = publish(place, day, options)
    size = sum(file.stat().st_size for ca in CAS for file in place.inbox(ca).iterdir())
    # Counted as visible when answers come from it.
    server.wait(lambda: server.metric("crl_visible_seconds_count") >= seen + count, every=0.25, what=f"day {day}")
    wall = time.monotonic() - begin
    if server.metric("crl_ingests_total", outcome="applied") != applied + count:
        sys.exit(f"error: day {day} was not applied as a whole\n{server.said()[-3000:]}")
    spent = {kind: used - spent.get(kind, 0) for kind, used in server.threads().items()}
    took = [float(seconds) for seconds in re.findall(r"seconds=([0-9.e-]+)", server.said()[log:])]
    mean_seen = (server.metric("crl_visible_seconds_sum") - seen_sum) / count
    report.row("day", f"day {day}", CRLs=count, octets=f"{size / 1e6:.0f} MB", entries=f"{server.metric('crl_entries') / 1e6:.1f} M",
               wall=f"{wall:.1f} s", p50=ms(took, 0.5), p99=ms(took, 0.99), most=ms(took, 1), mean_wait_to_be_seen=f"{mean_seen:.1f} s",
               CPU=f"{sum(spent.values()):.1f} s ({', '.join(f'{kind} {used:.1f}' for kind, used in sorted(spent.items()) if used >= 0.05)})",
               memory=f"{server.memory():.0f} MiB", disk=f"{server.metric('store_bytes') / 1e6:.0f} MB")


def first_revoked(place, server, report, options):
    """From a partition's arrival to the first `revoked`, asked for all the time."""
    clients = {ca: Client(place, ca, server.port) for ca in CAS}
    for way in ("renamed into the watched folder", "POST /api/v1/crls"):
        waits = []
        by_size = sorted(probes(place, 2, options), key=lambda one: abs(one[1] - options.mean))
        for round in range(options.rounds):
            index, entries, _ = by_size[round]
            day = 3 if way.startswith("renamed") else 4
            ca, aside = CAS[round % 2], place.folder / "made" / "one"
            serial = next(serials[3] for one, _, serials in probes(place, day, options) if one == index)
            partition_files(place, day, options, ca, aside, index)
            name = f"p{index:04}.crl"
            request = clients[ca].request([serial])
            time.sleep(random.random() / 2)  # not in step with the looks at the folder
            if clients[ca].ask(serial) != ["good"]:
                sys.exit("error: revoked before its day")
            begin = time.monotonic()
            if way.startswith("renamed"):
                os.rename(aside / name, place.inbox(ca) / name)
                post = None
            else:
                body = (aside / name).read_bytes()
                begin = time.monotonic()
                post = threading.Thread(target=server.page, args=("/api/v1/crls", body))
                post.start()
            while True:
                answer = clients[ca].send(request)
                arrived = time.monotonic()
                if Client.words(answer, [serial]) == ["revoked"]:
                    break
                if arrived - begin > 60:
                    sys.exit(f"error: not revoked after a minute\n{server.said()[-2000:]}")
                time.sleep(POLL)
            if post:
                post.join()
            verified = clients[ca].verify(answer, serial)
            if verified != "revoked":
                sys.exit(f"error: the first revoked answer is {verified}")
            waits.append(arrived - begin)
        size = options.mean * 37 / 1e6
        report.row("arrival to the first revoked answer", way, partition=f"{size:.1f} MB", rounds=len(waits), p50=ms(waits, 0.5),
                   p99=ms(waits, 0.99), most=ms(waits, 1))


def measure(place, report, options):
    for ca in CAS:
        place.inbox(ca)
    config = place.config("day")
    with Server(place, config) as server:
        server.wait_answers()
        for day in (1, 2):
            one_day(place, server, report, day, options)
        first_revoked(place, server, report, options)
        report.row("day", "the process in all", CPU=f"{server.end(signal.SIGTERM).cpu:.1f} s", memory=f"{server.cost.rss:.0f} MiB at most")
    place.forget("day", "inbox", "made")
