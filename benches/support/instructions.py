#!/usr/bin/env python3
"""Counts the instructions of `benches/instructions.rs` under callgrind and holds them against a baseline.

    benches/support/instructions.py [--update] [--tolerance PERCENT]

Exit code 1: a case costs more than the baseline (benches/instructions.json) and the tolerance. Other compilers make
other code: with another rustc than the baseline's the differences are told, and are no failure. `--update` writes
the baseline anew; do that in the commit that changes what a request costs.
"""
import argparse, json, pathlib, re, shutil, subprocess, sys, tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BASELINE = ROOT / "benches" / "instructions.json"
# Times a case is done: enough that what the loop adds does not show, few enough for valgrind's pace.
COUNT = 1000
CASES = ("request", "request-nonce", "cert-id", "answer-der", "respond-good", "respond-revoked",
         "respond-unauthorized")


def stop(text):
    sys.exit(f"error: {text}")


def bench():
    built = subprocess.run(["cargo", "bench", "--locked", "--bench", "instructions", "--no-run",
                            "--message-format", "json"], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if built.returncode != 0:
        stop("cargo bench --bench instructions --no-run failed")
    for line in built.stdout.splitlines():
        told = json.loads(line)
        if told.get("target", {}).get("name") == "instructions" and told.get("executable"):
            return told["executable"]
    stop("cargo named no executable for the bench")


def instructions(executable, case):
    """Of one time, on average."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        done = subprocess.run(["valgrind", "--tool=callgrind", "--toggle-collect=*instructions*counted*",
                               f"--callgrind-out-file={out}", executable, case, str(COUNT)],
                              capture_output=True, text=True)
        if done.returncode != 0:
            stop(f"{case}: {done.stderr.strip()[-500:]}")
        # One file for each thread would be another option; here all threads add up, and one is counted.
        found = re.search(r"^(?:summary|totals): (\d+)", out.read_text(errors="replace"), re.MULTILINE)
    if not found or int(found[1]) == 0:
        stop(f"{case}: callgrind counted nothing (was `counted` inlined?)")
    return round(int(found[1]) / COUNT)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--tolerance", type=float, default=3.0, help="percent")
    options = parser.parse_args()
    if not shutil.which("valgrind"):
        stop("valgrind: not here (Debian: apt-get install valgrind)")
    compiler = subprocess.run(["rustc", "--version"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    executable = bench()
    counts = {case: instructions(executable, case) for case in CASES}
    if options.update:
        BASELINE.write_text(json.dumps({"compiler": compiler, "instructions": counts}, indent=1) + "\n")
        print(f"wrote {BASELINE.relative_to(ROOT)}")
    before = json.loads(BASELINE.read_text())
    comparable, dearer = before["compiler"] == compiler, []
    print(f"{'instructions':<24}{'baseline':>10}{'now':>10}{'':>9}")
    for case, now in counts.items():
        old = before["instructions"].get(case)
        change = "" if old is None else f"{100 * (now - old) / old:+.1f} %"
        print(f"{case:<24}{'-' if old is None else old:>10}{now:>10}{change:>9}")
        if old is not None and now > old * (1 + options.tolerance / 100):
            dearer.append(case)
    if not comparable:
        print(f"the baseline is of {before['compiler']}, this is {compiler}: no verdict")
    elif dearer:
        stop(f"{', '.join(dearer)}: more than {options.tolerance:g} % dearer than the baseline "
             "(make it cheaper, or say why and run this with --update)")


if __name__ == "__main__":
    main()
