"""Pre-signed answers that are on the disk, beside answers that are in memory: who waits for whom.

A store of answers many times larger than its block cache. One load asks about a few cards again and again, which the
memory of answers holds; beside it another asks about all the others in no order. Three times: the first alone; with
the second while the system still has the files in its page cache; and with them thrown out of it over and over
(posix_fadvise), so that reads come from the disk. The p99 of the first load is what counts: one worker serves both.
What the second load adds to it by itself shows in the page cache; what the disk adds, in the ratio of the last two.
"""
import json, os, pathlib, re, subprocess, threading
from place import Server, run
from report import median

SECONDS = 10
HOT, RATE, COLD_RATE = 200, 1000, 1000


class Evictor:
    """Has the kernel forget the store's files while it is entered."""

    def __init__(self, folder):
        self.folder, self.done = folder, threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.done.is_set():
            for file in self.folder.glob("*.sst"):
                try:
                    with open(file, "rb") as octets:
                        os.posix_fadvise(octets.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
                except FileNotFoundError:
                    pass
            self.done.wait(0.05)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def load(place, server, serials, rate, report):
    args = ["taskset", "-c", "1", place.options.load, "--quiet", "--issuer", place.folder / "auth-ca.pem", "--serials", serials,
            "--order", "shuffled", "--rate", rate, "--seconds", SECONDS, "--connections", 32, "--verify", 50, "--output", report, server.url]
    return subprocess.Popen([*map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def both(place, server, with_others):
    """The tail of the first load, of the second; requests that were not in memory, that other threads read for, that were
    turned away; and octets that came from the disk."""
    names = ("ocsp_disk_reads_total", "ocsp_disk_reads_elsewhere_total", "ocsp_disk_reads_refused_total")
    from_disk = lambda: int(re.search(r"read_bytes: (\d+)", pathlib.Path(f"/proc/{server.pid}/io").read_text())[1])
    figures = lambda: [server.metric(name) for name in names] + [from_disk() / 1e6]
    before = figures()
    reports = [place.folder / "hot.json", place.folder / "others.json"]
    loads = [load(place, server, place.folder / "hot.txt", RATE, reports[0])]
    if with_others:
        loads.append(load(place, server, place.folder / "others.txt", COLD_RATE, reports[1]))
    for one in loads:
        one.communicate()
    tails = [json.loads(report.read_text()) for report in reports[:len(loads)]]
    return tails, [now - then for now, then in zip(figures(), before)]


def measure(place, report, options):
    count = max(20_000, options.entries // 20)
    (place.folder / "inventory.txt").write_text(place.tool("serials", 0, count, 16, 1).out)
    lines = (place.folder / "inventory.txt").read_text().splitlines(keepends=True)
    (place.folder / "hot.txt").write_text("".join(lines[:HOT]))
    (place.folder / "others.txt").write_text("".join(lines[HOT:]))
    os.rename(place.crl("cold.made", 1, 100, 16), place.inbox("auth") / "cold.crl")
    made = place.config("cold", cas=("auth",), inventory="inventory.txt")
    text = made.read_text().replace("[server]\n", "[server]\nworkers = 1\n").replace("[store]\n", '[store]\ncache_size = "8MiB"\n')
    made.write_text(text + '[response]\ncache_size = "1MiB"\npresign = ["sha1"]\nrefresh_threads = 0\n')
    with Server(place, made) as server:
        server.wait(lambda: server.page("/readyz") and server.metric("crl_ingests_total", outcome="applied") == 1, what="CRL and inventory")
        server.end()
    signed = run(options.ocsprey, "presign", "--config", made)
    found = {"alone": [], "others, in the page cache": [], "others, from the disk": []}
    with Server(place, made) as server:
        server.wait_answers()
        for task in pathlib.Path(f"/proc/{server.pid}/task").iterdir():
            if (task / "comm").read_text().startswith("worker"):
                os.sched_setaffinity(int(task.name), {0})
        both(place, server, False)
        for _ in range(3):
            found["alone"].append(both(place, server, False))
            for file in (place.folder / "cold").glob("*.sst"):
                file.read_bytes()
            found["others, in the page cache"].append(both(place, server, True))
            with Evictor(place.folder / "cold"):
                found["others, from the disk"].append(both(place, server, True))
        server.end()
    p99 = lambda tail: tail["latency"]["percentiles_ns"]["99"] / 1000
    for name, rounds in found.items():
        of_hot = median([p99(tails[0]) for tails, _ in rounds])
        cached = median([p99(tails[0]) for tails, _ in found["others, in the page cache"]])
        errors = sum(sum(tail["errors"].values()) + sum(count for status, count in tail["statuses"].items() if status != "successful")
                     for tails, _ in rounds for tail in tails)
        others = f"{median([p99(tails[1]) for tails, _ in rounds]):.0f} us" if len(rounds[0][0]) > 1 else "-"
        reads = [f"{median([reads[at] for _, reads in rounds]):.0f}" for at in range(4)]
        report.row("cold", name, answers=f"{count:,}, signed in {signed.cpu:.0f} s", p99_from_memory=f"{of_hot:.0f} us", to_page_cache=f"{of_hot / cached:.2f}",
                   p99_of_others=others, not_in_memory=reads[0], by_other_threads=reads[1], turned_away=reads[2], from_disk=f"{reads[3]} MB", not_answered=errors)
    place.forget("cold", "inventory.txt")
