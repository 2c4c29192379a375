"""From what `run` measured to tables: limits, what was met, text and Markdown."""
import json, os, pathlib, statistics, sys

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"


def machine():
    info = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":", 1)[1].strip() for line in info if line.startswith("model name")), "unknown processor")
    return f"{name}, {os.cpu_count()} cores, Linux {os.uname().release.split('-')[0]}"


# What is promised: what is told of it, its case, the floor, and the limit from the floor and a raw signature.
PROMISED = (
    ("cached, POST", "cached post", "bare post", "1.25 x bare", lambda bare, raw: 1.25 * bare),
    ("cached, GET", "cached get", "bare get", "1.25 x bare", lambda bare, raw: 1.25 * bare),
    ("unique serials, pre-signed", "presigned", "bare post", "1.25 x bare + 4 us", lambda bare, raw: 1.25 * bare + 4),
    ("the same of {many:,} cards", "presigned many", "bare post", "1.25 x bare + 4 us",
     lambda bare, raw: 1.25 * bare + 4),
    ("unique serials, P-256 live", "p256", "bare post", "bare + 1.15 x raw + 5 us",
     lambda bare, raw: bare + 1.15 * raw + 5),
    ("unique serials, RSA-2048 live", "rsa", "bare post rsa", "bare + 1.05 x raw + 5 us",
     lambda bare, raw: bare + 1.05 * raw + 5),
    ("unknown issuer", "unknown issuer", "bare unknown issuer", "1.2 x bare", lambda bare, raw: 1.2 * bare),
    ("malformed", "malformed", "bare malformed", "1.2 x bare", lambda bare, raw: 1.2 * bare),
)
# Benches of `respond` alone: what is told, the name in benches/, and the limit in nanoseconds.
ALONE = (
    ("`respond` alone, cached", "respond/cached", 300),
    ("DER of a fresh answer", "answer/encoding without the signature", 1000),
)
PEERS = (
    ("bare hyper, constant octets", "bare post"),
    ("ocsprey, cached", "cached post"),
    ("ocsprey, pre-signed", "presigned"),
    ("Go, answers in memory", "go memory"),
    ("bare hyper that signs, P-256", "bare signing"),
    ("ocsprey, P-256 live", "p256"),
    ("Go, P-256 live", "go live"),
    ("ocsprey, RSA-2048 live", "rsa"),
    ("bare hyper, a connection each", "bare new connections"),
    ("ocsprey, P-256 live, a connection each", "p256 new connections"),
    ("openssl ocsp, P-256 live, a connection each", "openssl"),
)


def median(rounds, key="us"):
    return statistics.median(one[key] for one in rounds) if rounds else None


def criterion(folder):
    """Medians that criterion left, in nanoseconds, by bench."""
    found = {}
    for file in folder.glob("**/new/benchmark.json"):
        estimates = file.with_name("estimates.json")
        if estimates.exists():
            name = json.loads(file.read_text())["full_id"]
            found[name] = json.loads(estimates.read_text())["median"]["point_estimate"]
    return found


def rows(measured):
    """The promises, each with what it cost, the limit, and whether that was met."""
    cases, made = measured["cases"], []
    for name, case, floor, rule, limit in PROMISED:
        name = name.format(many=measured["about"]["many"] or 10_000_000)
        row = {"case": name, "rule": rule, "us": None, "bare_us": None, "raw_us": None}
        rounds, floors = cases.get(case), cases.get(floor)
        if not rounds or not floors:
            row["why"] = measured["skipped"].get(case) or measured["skipped"].get(floor) or "not measured"
        else:
            judged = []
            for one, bare in zip(rounds, floors):
                most = limit(bare["us"], one.get("raw_us"))
                judged.append({"us": one["us"], "bare_us": bare["us"], "raw_us": one.get("raw_us"), "limit_us": most,
                               "met": one["us"] <= most})
            judged.sort(key=lambda each: each["us"] / each["limit_us"])
            # Of two in the middle the worse.
            row.update(judged[len(judged) // 2], rounds=len(judged), rounds_met=sum(each["met"] for each in judged))
        made.append(row)
    for name, bench, most in ALONE:
        found = measured["criterion"].get(bench)
        row = {"case": name, "rule": f"{most} ns", "us": found and found / 1000, "bare_us": None, "raw_us": None}
        if found is None:
            row["why"] = "not measured (make bench runs criterion first)"
        else:
            row.update(limit_us=most / 1000, met=found <= most)
        made.append(row)
    return made


def number(value, digits=1):
    return "-" if value is None else f"{value:,.{digits}f}"


def cells(measured):
    """Both tables as rows of text: the promises, then the peers."""
    promised = [("case", "us of CPU", "bare", "raw", "at most", "limit", "")]
    for row in measured["rows"]:
        small = 2 if row["us"] is not None and row["us"] < 3 else 1
        verdict = row.get("why") or ("met" if row["met"] else f"missed by {row['us'] - row['limit_us']:.{small}f} us")
        if "rounds" in row:
            verdict += f" ({row['rounds_met']} of {row['rounds']} rounds)"
        promised.append((row["case"], number(row["us"], small), number(row["bare_us"]), number(row["raw_us"]),
                         row["rule"], number(row.get("limit_us"), small), verdict))
    peers = [("server on one core", "us of CPU", "answers/s", "p99 at 70 %")]
    for name, case in PEERS:
        rounds = measured["cases"].get(case)
        if not rounds:
            peers.append((name, "-", "-", measured["skipped"].get(case, "not measured")))
            continue
        calm = measured["open_loop"].get(case)
        late = f"{median(calm['rounds'], 'p99_ms'):.2f} ms" if calm else "-"
        peers.append((name, number(median(rounds)), number(median(rounds, "rate"), 0), late))
    return promised, peers


def notes(measured):
    about = measured["about"]
    bare = measured["cases"].get("bare post")
    told = [f"{about['machine']}; commit {about['commit']}; {about['date']}; `{about['command']}`.",
            "CPU time of the server a request (user and system), server and generator on a core each; every answer matched "
            "with its question, a sample verified. A promise is judged round by round against the bare server of the same "
            "round and signatures made right before and after; the round in the middle is told. Below, medians."]
    woken = [(name, median(measured["cases"].get(f"{case} asleep")))
             for name, case in (("bare hyper", "bare post"), ("cached", "cached post"), ("pre-signed", "presigned"),
                                ("P-256 live", "p256"))]
    told.append("The generator polls and never sleeps, as one does that measures microseconds: else each answer has to "
                "wake it through the hypervisor, which the server is charged for and no network card would ask of it.")
    if all(us is not None for _, us in woken):
        told.append("With a generator that sleeps: " + ", ".join(f"{name} {us:.1f}" for name, us in woken) + " us.")
    starved = [name for name, rounds in measured["cases"].items() if median(rounds, "busy") < 0.8]
    if starved:
        told.append(f"The machine was busy with other things: in {len(starved)} of {len(measured['cases'])} cases the "
                    "server had less than 80 % of its core, so answers a second and p99 are too bad, and caches were "
                    "shared.")
    signing = measured["cases"].get("bare signing")
    if bare and signing:
        us, raw = median(signing), median(signing, "raw_us")
        told.append(f"The bare server that makes a P-256 signature for each answer and throws it away takes {us:.1f} us, "
                    f"{us - raw - median(bare):.1f} more than both by themselves: the signature's tables push everything "
                    "else out of the nearest caches.")
    if done := measured.get("presigning"):
        each = done["cpu"] / done["answers"] * 1e6
        raw = done["raw_us"]
        told.append(f"`ocsprey presign`: {done['answers']:,} answers in {done['seconds']:.0f} s, {each:.1f} us of CPU "
                    f"each: {100 * raw / each:.0f} % of the raw signature rate (90 % is promised).")
    return told


def text(measured):
    out = []
    for rows_ in cells(measured):
        widths = [max(len(row[column]) for row in rows_) for column in range(len(rows_[0]))]
        for row in rows_:
            first, *rest = (cell.ljust(width) if column in (0, 4, 6) else cell.rjust(width)
                            for column, (cell, width) in enumerate(zip(row, widths)))
            out.append("  ".join([first, *rest]).rstrip())
        out.append("")
    return "\n".join(out + [note.replace("`", "") for note in notes(measured)]) + "\n"


def markdown(measured):
    out = []
    for rows_ in cells(measured):
        head, *rest = rows_
        aligned = ["---:" if name.startswith(("us", "bare", "raw", "limit", "answers", "p99")) else "---"
                   for name in head]
        out += [f"| {' | '.join(row)} |" for row in (head, aligned, *rest)] + [""]
    return "\n".join(out) + "\n" + " ".join(notes(measured)) + "\n"


def places(file):
    """What stands before the table and behind it; an error that says what to write where there is no place."""
    whole = file.read_text()
    if whole.count(BEGIN) != 1 or whole.count(END) != 1 or whole.index(BEGIN) > whole.index(END):
        sys.exit(f"error: {file}: no place for the table (write {BEGIN} and {END} on lines of their own, once)")
    return whole.split(BEGIN)[0], whole.split(END)[1]


def renew(file, made):
    """Puts `made` between the markers of `file`."""
    before, after = places(file)
    file.write_text(f"{before}{BEGIN}\n\n{made}\n{END}{after}")
