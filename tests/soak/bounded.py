"""A CRL larger than the memory there is: the first load and a mass revocation in a control group of 384 MiB.

The limit is the kernel's, and counts the page cache of what is read and written as well: what does not
give memory back is killed. Needs the right to make control groups (version 1 or 2); without it the part says so.
"""
import os, pathlib


def limited(limit):
    """A prefix for commands that run under the limit, and the folder of the control group."""
    for base, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")):
        group = pathlib.Path(base) / f"ocsprey-soak-{os.getpid()}"
        if not (pathlib.Path(base) / "cgroup.procs").exists():
            continue
        try:
            group.mkdir()
            (group / name).write_text(str(limit))
            return ["sh", "-c", f'echo $$ > {group}/cgroup.procs && exec "$@"', "sh"], group
        except OSError:
            if group.exists():
                group.rmdir()
    return None, None


def measure(place, report, options):
    first = place.crl("first.crl", 1, options.entries, 16)
    mass = place.crl("mass.crl", 2, options.entries * 11 // 10, 16)
    limit = 384 << 20
    prefix, group = limited(limit)
    if not prefix:
        report.row("bounded", "not measured: no right to make a control group")
        return
    try:
        for what, crl in (("first load", first), ("mass revocation, 10 % new entries", mass)):
            cost = place.ingest(place.config("bounded", watched=False), crl, prefix=prefix)
            report.row("bounded", what, file=f"{crl.stat().st_size / 1e6:.0f} MB", limit=f"{limit / 2**20:.0f} MiB, page cache included", CPU=f"{cost.cpu:.1f} s",
                       wall=f"{cost.wall:.1f} s", peak_memory=f"{cost.rss:.0f} MiB")
    finally:
        group.rmdir()
    place.forget("bounded", "first.crl", "mass.crl")
