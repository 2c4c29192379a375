"""One CRL of 10 million entries: first load, the same again, 0.1 % changed, a mass revocation.

A processor whose siblings others use gives a quarter more or less from one second to the next: the first load is
repeated, each time between two runs of SHA-256, and the one whose ratio is the median is told.
"""
from place import octets, run


def measure(place, report, options):
    count = options.entries
    ca = place.folder / "auth-ca.pem"

    def row(what, cost, base=None, **more):
        ratio = f"{cost.cpu / base:.1f}" if base else ""
        report.row("large", what, CPU=f"{cost.cpu:.2f} s", times_SHA256=ratio, wall=f"{cost.wall:.2f} s",
                   peak_memory=f"{cost.rss:.0f} MiB", **more)

    small = place.crl("small.crl", 1, 10, 16)
    first = place.crl("first.crl", 1, count, 16)
    second = place.crl("second.crl", 2, count, 16, count // 1000 // 2)

    def hashed():
        return run("openssl", "dgst", "-sha256", first)

    hashed()  # once, so that every reader finds the file in the page cache
    idle = place.ingest(place.config("idle", watched=False), small)

    def above(cost):
        return f"{cost.rss - idle.rss:.0f} MiB"

    config = place.config("large", watched=False)
    loads = []
    for _ in range(5):
        place.forget("large")
        before, load = hashed(), place.ingest(config, first)
        loads.append(((before.cpu + hashed().cpu) / 2, load))
    loads.sort(key=lambda each: each[1].cpu / each[0])
    sha, load = loads[len(loads) // 2]
    ratios = ", ".join(f"{load.cpu / sha:.1f}" for sha, load in loads)
    report.row("large", "SHA-256 of the file (openssl)", CPU=f"{sha:.2f} s", times_SHA256="1.0",
               file=f"{first.stat().st_size / 1e6:.0f} MB")
    row("a CRL of 10 entries (idle)", idle)
    disk = f"{octets(place.folder / 'large') / count:.1f} octets a revocation"
    row("first load", load, sha, above_idle=above(load), disk=disk, all_ratios=ratios)
    run("sync")  # whoever refreshes does it a day later: the first load's half gigabyte is on the disk by then
    again = place.ingest(config, first)
    row("the same CRL again", again, sha, above_idle=above(again), of_the_first_load=f"{again.cpu / load.cpu:.2f}")
    refresh = place.ingest(config, second)
    row("refresh, 0.1 % changed", refresh, sha, above_idle=above(refresh), of_the_first_load=f"{refresh.cpu / load.cpu:.2f}")
    second.unlink()
    mass = place.ingest(config, place.crl("mass.crl", 3, count + count // 10, 16))
    row("mass revocation, 10 % new entries", mass, sha, above_idle=above(mass), of_the_first_load=f"{mass.cpu / load.cpu:.2f}")
    place.forget("mass.crl", "large", "idle")
    if options.rivals == "yes":
        row("openssl crl -verify", run("openssl", "crl", "-in", first, "-inform", "DER", "-CAfile", ca, "-verify", "-noout"), sha)
        # It parses, and verifies no signature.
        row("x509-cert from_der", run(options.soak, "x509-cert", first), sha)
    place.forget("first.crl")
