#!/usr/bin/env python3
"""curves_report.py RESULTS SVG JSON - what bench/curves measured, as a table, curves and JSON

A curve is the results of one axis and one operation; a point of it, those of one value. All figures
of a point are medians over the rounds; of the throughput, the lowest and the highest round are
shown as well.
"""
import json
import sys
from html import escape
from math import log10
from statistics import median

# Axis, operation: what the curve is called, what its value is.
CURVES = {
    ("callers", None): ("Callers", "callers, each with one request under way"),
    ("frames", None): ("Frames", "requests of a frame, 16 frames under way"),
    ("dates", None): ("Dates", "dates, 4,096 callers spread over them"),
    ("shards", None): ("Shards", "shards, 16 dates, 4,096 callers"),
    ("seats", None): ("Seats", "seats of the date, 48 callers"),
    ("seats", "hold, release"): ("Seats, domain alone",
                                 "seats of the date, as many users, one core"),
    ("waiters", "enter"): ("Waiters, domain alone: enter", "fans who enter, one core"),
    ("waiters", "poll"): ("Waiters, domain alone: poll", "fans who wait, one core"),
    ("log", None): ("Log", "decisions in the log, 4,096 callers"),
}
LATENCIES = ("p50_us", "p99_us", "p999_us", "mean_ns", "p99_ns", "max_ns")
FIGURES = LATENCIES + ("cpu_us", "resident_bytes", "peak_bytes", "resident_bytes_before_start",
                       "log_bytes", "start_seconds")


def summarise(results):
    """Curves in the order of CURVES, each a list of points by value."""
    curves = []
    for (axis, operation), (title, what) in CURVES.items():
        points = {}
        for run in results:
            if (run["axis"], run.get("operation")) == (axis, operation):
                # Rounds of a log differ by what was under way at its end.
                value = round(run["value"], -4) if axis == "log" else run["value"]
                points.setdefault(value, []).append(run)
        if points:
            curves.append({"axis": axis, "operation": operation, "title": title, "what": what,
                           "points": [summarise_point(*point) for point in sorted(points.items())]})
    return curves


def summarise_point(value, runs):
    rates = [run["per_second"] for run in runs]
    point = {"value": value, "per_second": median(rates), "min": min(rates), "max": max(rates)}
    for name in FIGURES:
        if all(name in run for run in runs):
            point[name] = median(run[name] for run in runs)
    # What served while the rate was measured, not what a start has made of it.
    point["memory_bytes"] = point.get("resident_bytes_before_start", point["resident_bytes"])
    return point


def cpu_us(point):
    return point["cpu_us"] if "cpu_us" in point else point["mean_ns"] / 1000


def p99_us(point):
    return point["p99_us"] if "p99_us" in point else point["p99_ns"] / 1000


def print_table(curves, rounds):
    print(f"\n  Medians of {rounds} round{'s' if rounds > 1 else ''} (lowest..highest). "
          "cpu us: of one core, an operation, the daemon's alone.\n"
          "  Memory: resident, of the daemon; domain alone: beyond an empty process.")
    for curve in curves:
        best = max(point["per_second"] for point in curve["points"])
        is_log, is_alone = curve["axis"] == "log", curve["operation"] is not None
        print(f"\n  {curve['title']}: {curve['what']}\n"
              f"  {'':>12} {'per second':>11} {'':<24} {'of best':>7} "
              f"{'cpu us':>7} {'p50 us':>7} {'p99 us':>7} {'MiB':>7}"
              + (f" {'MB of log':>9} {'start s':>8}" if is_log else ""))
        for point in curve["points"]:
            spread = f"({point['min']:,.0f}..{point['max']:,.0f})"
            p50 = "" if is_alone else f"{point['p50_us']:,.0f}"
            print(f"  {point['value']:>12,} {point['per_second']:>11,.0f} {spread:<24} "
                  f"{point['per_second'] / best:>7.0%} "
                  f"{cpu_us(point):>7.3f} {p50:>7} {p99_us(point):>7,.{3 if is_alone else 0}f} "
                  f"{point['memory_bytes'] / 2**20:>7,.1f}"
                  + (f" {point['log_bytes'] / 1e6:>9,.0f} {point.get('start_seconds', ''):>8}"
                     if is_log else ""))
    waiters = [point for curve in curves if curve["operation"] == "enter"
               for point in curve["points"]]
    if waiters:
        most = waiters[-1]
        print(f"\n  {most['value']:,} waiters: {most['peak_bytes'] / 2**20:,.0f} MiB at most, "
              f"{most['peak_bytes'] / most['value']:.0f} bytes each.")
    print()


# --- the curves -----------------------------------------------------------------------------------

STYLE = """
  text { font: 11px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 14px; font-weight: 600 } .head { font-weight: 600 }
  .frame { stroke: #d0d7de; fill: none } .line { stroke: #2f81f7; stroke-width: 1.8; fill: none }
  .dot { fill: #2f81f7 } .whisker { stroke: #2f81f7; stroke-width: 1; opacity: .6 }
  @media (prefers-color-scheme: dark) { text { fill: #adbac7 } .frame { stroke: #444c56 } }
"""
PANELS = (
    ("per second", lambda point: point["per_second"]),
    ("p99, us", p99_us),
    ("processor time, us", cpu_us),
    ("memory, MiB", lambda point: point["memory_bytes"] / 2**20),
    ("start, s", lambda point: point.get("start_seconds")),
)
LEFT, WIDTH, HEIGHT, GAP_X, GAP_Y, TOP = 56, 180, 84, 56, 44, 58
LINEAR = ("log", "shards")  # the values of other axes are geometric


def short(number):
    """1234567 as 1.23M; up to four digits as they are"""
    if number == int(number) and number < 10000:
        return str(int(number))
    for unit, size in (("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def draw_panel(curve, name, figure, x, y):
    """Up from zero; along the logarithm of the value where that is geometric."""
    points = [point for point in curve["points"] if figure(point) is not None]
    along = [point["value"] if curve["axis"] in LINEAR else log10(point["value"])
             for point in points]
    span = (along[-1] - along[0]) or 1
    top = max([figure(point) for point in points] +
              [point["max"] for point in points if name == "per second"])
    top = top * 1.08 or 1
    def at_x(index):
        return x + 12 + (WIDTH - 24) * (along[index] - along[0]) / span
    def at_y(number):
        return y + HEIGHT * (1 - number / top)
    parts = [f'<rect class="frame" x="{x}" y="{y}" width="{WIDTH}" height="{HEIGHT}"/>',
             f'<text class="head" x="{x}" y="{y - 5}">{name}</text>',
             f'<text x="{x - 5}" y="{at_y(top / 1.08) + 4:.1f}" text-anchor="end">'
             f'{short(top / 1.08)}</text>',
             f'<text x="{x - 5}" y="{y + HEIGHT}" text-anchor="end">0</text>']
    path = "L".join(f"{at_x(i):.1f} {at_y(figure(point)):.1f}" for i, point in enumerate(points))
    parts.append(f'<path class="line" d="M{path}"/>')
    labels, next_x = set(), x + 2 * WIDTH
    for i in reversed(range(len(points))):  # the last value is always told
        if at_x(i) <= next_x - 36:
            labels.add(i)
            next_x = at_x(i)
    for i, point in enumerate(points):
        parts.append(f'<circle class="dot" cx="{at_x(i):.1f}" cy="{at_y(figure(point)):.1f}" '
                     'r="2.4"/>')
        if name == "per second":
            parts.append(f'<path class="whisker" d="M{at_x(i):.1f} {at_y(point["min"]):.1f}'
                         f'V{at_y(point["max"]):.1f}"/>')
        if i in labels:
            parts.append(f'<text x="{at_x(i):.1f}" y="{y + HEIGHT + 13}" text-anchor="middle">'
                         f'{short(point["value"])}</text>')
    return parts


def draw(curves, rounds):
    """A row of panels for each curve."""
    parts = [f'<text class="title" x="12" y="24">How usher grows; medians of {rounds} '
             f'round{"s" if rounds > 1 else ""}, whiskers: lowest and highest</text>']
    y = TOP
    for curve in curves:
        parts.append(f'<text class="title" x="12" y="{y}">{escape(curve["title"])}</text>'
                     f'<text x="{LEFT + WIDTH + GAP_X}" y="{y}">{escape(curve["what"])}</text>')
        x = LEFT
        for name, figure in PANELS:
            if any(figure(point) is not None for point in curve["points"]):
                parts += draw_panel(curve, name, figure, x, y + 26)
            x += WIDTH + GAP_X
        y += 26 + HEIGHT + GAP_Y
    width = LEFT + len(PANELS) * (WIDTH + GAP_X)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y - 20}" role="img">\n'
            f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n")


def report(results_path, svg_path, json_path):
    with open(results_path, encoding="utf-8") as file:
        results = [json.loads(line) for line in file]
    rounds = len({run["round"] for run in results})
    curves = summarise(results)
    with open(svg_path, "w", encoding="utf-8") as file:
        file.write(draw(curves, rounds))
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump({"rounds": rounds, "curves": curves, "measurements": results}, file, indent=2)
        file.write("\n")
    print_table(curves, rounds)


if __name__ == "__main__":
    report(*sys.argv[1:])
