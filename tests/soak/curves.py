#!/usr/bin/env python3
"""Draws what the part `overload` left: answers and refusals a second, p99, memory. CSV in, SVG out."""
import csv, pathlib, sys

WIDTH, HEIGHT, LEFT, TOP, GAP = 860, 130, 64, 34, 44
PANELS = [  # title, columns with their colours and names
    ("a second", [("answered_a_second", "#1a7f5a", "answered"), ("try_later", "#c2571a", "tryLater"), ("errors", "#b00020", "errors")]),
    ("p99, ms", [("p99_ms", "#2b5fb4", "p99 of all")]),
    ("memory, MiB", [("rss_mib", "#6b4ea0", "resident")]),
]


def round_up(most):
    step = 10 ** (len(str(int(most))) - 1)
    return (int(most) // step + 1) * step


def draw(rows):
    span = float(rows[-1]["second"])
    seconds = lambda row: float(row["sent"]) / float(row["offered"])
    rate = lambda row, name: float(row[name]) / (seconds(row) if name in ("try_later", "errors") else 1)
    x = lambda second: LEFT + (WIDTH - LEFT - 12) * float(second) / span
    whole = TOP + len(PANELS) * (HEIGHT + GAP)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {whole}" font-family="system-ui, sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{whole}" fill="#fff"/>']
    inside = [row for row in rows if row["part"] == "overload"]
    begin, end = x(float(inside[0]["second"]) - seconds(inside[0])), x(inside[-1]["second"])
    for number, (title, columns) in enumerate(PANELS):
        top = TOP + number * (HEIGHT + GAP)
        values = {name: [rate(row, name) for row in rows] for name, *_ in columns}
        most = round_up(max(max(some) for some in values.values()))
        y = lambda value: top + HEIGHT * (1 - value / most)
        out.append(f'<rect x="{begin:.1f}" y="{top}" width="{end - begin:.1f}" height="{HEIGHT}" fill="#f3efe6"/>')
        out.append(f'<path d="M{LEFT} {top}V{top + HEIGHT}H{WIDTH - 12}" fill="none" stroke="#555"/>')
        for value in (0, most / 2, most):
            out.append(f'<text x="{LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end" fill="#333">{value:,.0f}</text>')
        out.append(f'<text x="{LEFT}" y="{top - 9}" fill="#111" font-weight="600">{title}</text>')
        at = LEFT + 100
        for name, colour, word in columns:
            points = " ".join(f"{x(row['second']):.1f},{y(value):.1f}" for row, value in zip(rows, values[name]))
            out.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
            out.append(f'<text x="{at}" y="{top - 9}" fill="{colour}">{word}</text>')
            at += 90
        for minute in range(0, int(span) // 60 + 1, 5):
            out.append(f'<text x="{x(minute * 60):.1f}" y="{top + HEIGHT + 16}" text-anchor="middle" fill="#333">{minute} min</text>')
    return "\n".join([*out, "</svg>\n"])


if __name__ == "__main__":
    source, target = sys.argv[1:]
    with open(source, newline="") as file:
        pathlib.Path(target).write_text(draw(list(csv.DictReader(file))))
