#!/usr/bin/env python3
"""Turns run.sh's table into Markdown and a chart: report.py results.tsv PLATFORM out.md out.svg

A line of the table: mode, row, unit, native, crun, ringfence, runsc; "-" where there is no figure.
"""
import sys

TITLES = {
    "start": "start of a static program", "memory-1": "memory, one idle sandbox", "memory-5": "memory, each of five idle sandboxes",
    "python": "python3 start with imports", "tar": "tar of 5,000 files", "find": "find", "grep": "grep -r", "rm": "rm -r of 5,000 files",
    "compile": "C compile", "sqlite": "SQLite, 10,000 rows", "create-unlink": "create+unlink, shared folder",
    "write-fsync": "write+fsync, shared folder", "write-close": "open+write+close, shared folder", "stat-shared": "stat, shared folder",
}


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def show(value, unit):
    if value is None:
        return "–"
    if unit == "KiB":
        return "%.1f MiB" % (value / 1024)
    if value >= 1e8:
        return "%.2f s" % (value / 1e9)
    if value >= 1e6:
        return "%.1f ms" % (value / 1e6)
    if value >= 1e4:
        return "%.1f µs" % (value / 1e3)
    return "%.0f ns" % value


def ratio(a, b):
    return "–" if a is None or not b else "%.2f" % (a / b)


def markdown(rows, platform):
    out = []
    for mode, heading in (("pinned", "Pinned to one core"), ("free", "Free")):
        chosen = [r for r in rows if r[0] == mode]
        if not chosen:
            continue
        out += ["## " + heading, "", "| | native | crun | ringfence (%s) | runsc (ptrace) | ringfence / native | runsc / ringfence |" % platform,
                "|---|---:|---:|---:|---:|---:|---:|"]
        for _, name, unit, native, crun, ours, runsc in chosen:
            cells = [TITLES.get(name, name)] + [show(v, unit) for v in (native, crun, ours, runsc)]
            out.append("| " + " | ".join(cells + [ratio(ours, native), ratio(runsc, ours)]) + " |")
        out.append("")
    return "\n".join(out)


def chart(rows, platform):
    """Bars to the right of the line: times faster than runsc; to the left: slower. Logarithmic."""
    import math
    pairs = [(m, TITLES.get(n, n), r / o) for m, n, _, _, _, o, r in rows if o and r]
    height, top, middle, scale = 18, 40, 430, 150
    lines = ['<svg xmlns="http://www.w3.org/2000/svg" width="900" height="%d" font-family="sans-serif" font-size="12">' % (top + height * len(pairs) + 20),
             '<rect width="100%" height="100%" fill="white"/>',
             '<text x="10" y="20" font-size="14">runsc (ptrace) / ringfence (%s): right of the line ringfence is faster or smaller</text>' % platform]
    for i, (mode, name, value) in enumerate(pairs):
        y = top + i * height
        width = math.log2(value) * scale / 2
        x, colour = (middle, "#3a7d44") if width >= 0 else (middle + width, "#b0413e")
        lines.append('<text x="%d" y="%d" text-anchor="end">%s, %s</text>' % (middle - 120, y + 12, name, mode))
        lines.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>' % (x, y + 2, max(abs(width), 1), height - 4, colour))
        lines.append('<text x="%.1f" y="%d">%.2f×</text>' % (middle + max(width, 0) + 6, y + 12, value))
    lines.append('<line x1="%d" y1="%d" x2="%d" y2="%d" stroke="black"/>' % (middle, top - 4, middle, top + height * len(pairs) + 4))
    return "\n".join(lines + ["</svg>", ""])


def main():
    table, platform, md, svg = sys.argv[1:]
    rows = []
    with open(table, encoding="utf-8") as f:
        for line in f:
            mode, name, unit, *values = line.rstrip("\n").split("\t")
            rows.append([mode, name, unit] + [number(v) for v in values])
    with open(md, "w", encoding="utf-8") as f:
        f.write("# What the sandbox costs\n\nMedians of interleaved runs of `bench/run.sh`; the machines are noisy, read the ratios.\n\n")
        f.write(markdown(rows, platform))
    with open(svg, "w", encoding="utf-8") as f:
        f.write(chart(rows, platform))


main()
