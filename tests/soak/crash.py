"""kill -9 at random moments of publications; what is answered after each start is a day, whole.

The model: of each municipality a server that was killed while day N came in knows day N-1 or day N, with all that
this means for the five serial numbers asked about in one request; what it once said of N it says again; after it
has caught up it says N. No serial that was ever `revoked` is anything else later. Half of the starts are killed
again while they catch up.
"""
import random, shutil, signal, sys, time
from day import probes, publish
from ocsp import Client
from place import CAS, Server

OLD = ["revoked", "revoked", "revoked", "good", "good"]
NEW = ["revoked"] * 5


def look(place, server, asked, known, day, must_be_new=False):
    """Asks about every municipality, and holds the answers against the model. How many know the day."""
    for ca in CAS:
        client = Client(place, ca, server.port)
        for index, _, serials in asked:
            said = client.ask(*serials)
            if said not in (OLD, NEW) or ((ca, index) in known or must_be_new) and said != NEW:
                sys.exit(f"error: day {day}, {ca} municipality {index}: {said} is neither day, or an older one than before")
            if said == NEW:
                known.add((ca, index))
    return len(known)


def measure(place, report, options):
    small = type(options)(**{**vars(options), "partitions": min(options.partitions, 300), "mean": min(options.mean, 3000)})
    chance = random.Random(options.seed)
    for ca in CAS:
        place.inbox(ca)
    config, count = place.config("crash"), len(CAS) * small.partitions

    def caught_up(server, times=1):
        server.wait(lambda: server.metric("crl_ingests_total") >= times * count, every=0.02, what="all CRLs")

    with Server(place, config) as server:
        server.wait_answers()
        publish(place, 1, small)
        caught_up(server)
        begin = publish(place, 2, small)
        caught_up(server, 2)
        took = time.monotonic() - begin
        server.end()
    halves, kills, starts = [], 0, []
    for round in range(options.rounds):
        day, known = round + 3, set()
        asked = probes(place, day, small)
        server = Server(place, config)
        server.wait_answers()
        caught_up(server)
        begin = publish(place, day, small)
        # Anywhere in the work, with a little before and after it.
        time.sleep(max(0, chance.uniform(0, 1.1) * took - (time.monotonic() - begin)))
        while True:
            server.end(signal.SIGKILL)
            kills += 1
            # What comes with the start would hide what the crash left: the CRLs are away for the first look.
            (place.folder / "inbox").rename(place.folder / "away")
            for ca in CAS:
                place.inbox(ca)
            server = Server(place, config)
            server.wait_answers()
            starts.append(time.monotonic() - server.began)
            halves.append(look(place, server, asked, known, day))
            server.end(signal.SIGKILL)
            shutil.rmtree(place.folder / "inbox")
            (place.folder / "away").rename(place.folder / "inbox")
            server = Server(place, config)
            if chance.random() < 0.5:
                break
            server.wait_answers()
            time.sleep(chance.uniform(0, took))
        server.wait_answers()
        caught_up(server)
        look(place, server, asked, known, day, must_be_new=True)
        server.end()
    partly = sum(0 < half < count for half in halves)
    report.row("crash", f"kill -9 while {count} CRLs come in", rounds=options.rounds, kills=kills, found_between_two_days=partly,
               answers_held_against_the_model=(kills + options.rounds) * count * 5, wrong=0,
               start=f"{sorted(starts)[len(starts) // 2] * 1000:.0f} ms to listen (median)")
    place.forget("crash", "inbox", "made")
