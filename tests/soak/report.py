"""What was measured: text while it runs, then JSON and Markdown tables."""
import json, os, pathlib, platform, subprocess, sys, time


def percentile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))]


def median(values):
    return percentile(values, 0.5)


class Report:
    def __init__(self):
        self.parts = {}
        self.about = {"machine": machine(), "commit": commit(), "command": " ".join(sys.argv),
                      "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())}

    def row(self, part, what, **figures):
        """Figures come as text with its unit, or as (value, text)."""
        self.parts.setdefault(part, []).append({"what": what, **figures})
        print(f"  {part}: {what}: " + "; ".join(f"{key.replace('_', ' ')} {value}" for key, value in figures.items()), flush=True)

    def markdown(self):
        about = self.about
        text = f"Machine: {about['machine']}; commit {about['commit']}; {about['date']}; `{about['command']}`\n"
        for part, rows in self.parts.items():
            heads = list(dict.fromkeys(key for row in rows for key in row))
            text += f"\n**{part}**\n\n| " + " | ".join(head.replace("_", " ") for head in heads) + " |\n|" + " --- |" * len(heads) + "\n"
            text += "".join("| " + " | ".join(str(row.get(head, "")) for head in heads) + " |\n" for row in rows)
        return text

    def write(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "soak.json").write_text(json.dumps({**self.about, "parts": self.parts}, indent=1))
        (folder / "soak.md").write_text(self.markdown())


def machine():
    cpus = pathlib.Path("/proc/cpuinfo").read_text()
    name = next((line.split(":")[1].strip() for line in cpus.splitlines() if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} x {name}, {memory:.0f} GiB, Linux {platform.release()}"


def commit():
    here = pathlib.Path(__file__).parent
    said = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=here, capture_output=True, text=True)
    return said.stdout.strip() or "unknown"
