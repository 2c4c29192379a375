"""One CRL of 10 million entries: first load, the same again, 0.1 % changed, a mass revocation."""
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
    # Read once, so that every reader finds the file in the page cache.
    run("openssl", "dgst", "-sha256", first)
    sha = min((run("openssl", "dgst", "-sha256", first) for _ in range(3)), key=lambda cost: cost.cpu)
    row("SHA-256 of the file (openssl)", sha, sha.cpu, file=f"{first.stat().st_size / 1e6:.0f} MB")
    idle = place.ingest(place.config("idle", watched=False), small)
    row("a CRL of 10 entries (idle)", idle)

    def above(cost):
        return f"{cost.rss - idle.rss:.0f} MiB"

    config = place.config("large", watched=False)
    load = place.ingest(config, first)
    disk = f"{octets(place.folder / 'large') / count:.1f} octets a revocation"
    row("first load", load, sha.cpu, above_idle=above(load), disk=disk)
    again = place.ingest(config, first)
    row("the same CRL again", again, sha.cpu, above_idle=above(again), of_the_first_load=f"{again.cpu / load.cpu:.2f}")
    refresh = place.ingest(config, second)
    row("refresh, 0.1 % changed", refresh, sha.cpu, above_idle=above(refresh), of_the_first_load=f"{refresh.cpu / load.cpu:.2f}")
    second.unlink()
    mass = place.ingest(config, place.crl("mass.crl", 3, count + count // 10, 16))
    row("mass revocation, 10 % new entries", mass, sha.cpu, above_idle=above(mass), of_the_first_load=f"{mass.cpu / load.cpu:.2f}")
    place.forget("mass.crl", "large", "idle")
    if options.rivals == "yes":
        row("openssl crl -verify", run("openssl", "crl", "-in", first, "-inform", "DER", "-CAfile", ca, "-verify", "-noout"), sha.cpu)
        # It parses, and verifies no signature.
        row("x509-cert from_der", run(options.soak, "x509-cert", first), sha.cpu)
    place.forget("first.crl")
