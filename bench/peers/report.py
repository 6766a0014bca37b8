#!/usr/bin/env python3
"""report.py - what bench/compare measured, as a table, a plot and JSON

report.py block RESULTS ROUND          the size of usher's writes when it was busiest, whole blocks
report.py fio OUTPUT ROUND BLOCK       fio's own report as a line of results
report.py report RESULTS FACTS SVG JSON
"""
import json
import sys
from html import escape
from statistics import median

US = "usher"


def read_results(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def print_block(path, round_number):
    """Mean bytes of a write of the device, up to the next multiple of 4096."""
    runs = [run for run in read_results(path)
            if run.get("name") == US and run["round"] == int(round_number)]
    run = max(runs, key=lambda run: run["holds_per_second"])
    size = run["disk_bytes"] / run["disk_writes"] if run["disk_writes"] else 4096
    print(max(1, -(-int(size) // 4096)) * 4096)


def print_fio(path, round_number, block):
    with open(path, encoding="utf-8") as file:
        write = json.load(file)["jobs"][0]["write"]
    print(json.dumps({"round": int(round_number), "name": "fio", "block_bytes": int(block),
                      "bytes_per_second": write["bw_bytes"], "writes_per_second": write["iops"]}))


# --- the figures ----------------------------------------------------------------------------------

def summarise(results):
    """A row for each system and number of callers, in the order of the first round."""
    rows = {}
    for run in results:
        if run["name"] != "fio":
            rows.setdefault((run["callers"], run["name"]), []).append(run)
    summary = []
    for (callers, name), runs in rows.items():
        ours = {run["round"]: run for run in rows.get((callers, US), [])}
        rates = [run["holds_per_second"] for run in runs]
        ratios = [run["holds_per_second"] / ours[run["round"]]["holds_per_second"]
                  for run in runs if run["round"] in ours]
        summary.append({
            "name": name, "callers": callers, "connections": runs[0]["connections"],
            "holds_per_second": median(rates), "min": min(rates), "max": max(rates),
            "ratio_to_usher": median(ratios) if ratios else None,
            "p50_us": median(run["p50_us"] for run in runs),
            "p99_us": median(run["p99_us"] for run in runs),
            "disk_bytes_per_hold": median(run["disk_bytes"] / run["all_holds"] for run in runs),
            "holds_per_flush": median(run["all_holds"] / max(1, run["disk_flushes"])
                                      for run in runs),
            "sold_out": any(run["sold_out"] for run in runs)})
    return summary


def compare_disk(results):
    """usher's bytes a second when it was busiest, against fio's in the same round."""
    shares, ours, fios, blocks = [], [], [], []
    for fio in (run for run in results if run["name"] == "fio"):
        runs = [run for run in results if run["name"] == US and run["round"] == fio["round"]]
        run = max(runs, key=lambda run: run["holds_per_second"])
        rate = run["disk_bytes"] / run["all_holds"] * run["holds_per_second"]
        ours.append(rate)
        fios.append(fio["bytes_per_second"])
        blocks.append(fio["block_bytes"])
        shares.append(rate / fio["bytes_per_second"])
    return {"block_bytes": median(blocks), "usher_bytes_per_second": median(ours),
            "fio_bytes_per_second": median(fios), "share": median(shares)}


def find_wins(summary):
    """Where a peer's median is better than ours, in words."""
    for ours in (row for row in summary if row["name"] == US):
        peers = [row for row in summary if row["callers"] == ours["callers"] and row is not ours]
        for key, what, sign in (("holds_per_second", "more holds/s", 1),
                                ("p50_us", "a lower p50", -1),
                                ("p99_us", "a lower p99", -1),
                                ("disk_bytes_per_hold", "fewer bytes on the disk a hold", -1)):
            better = [row for row in peers if sign * row[key] > sign * ours[key]]
            if better:
                yield (f"{ours['callers']:,} caller{'s' * (ours['callers'] > 1)}: "
                       f"{what} than usher ({ours[key]:,.0f}): "
                       + ", ".join(f"{row['name']} ({row[key]:,.0f})" for row in
                                   sorted(better, key=lambda row: -sign * row[key])))


# --- the table ------------------------------------------------------------------------------------

def print_table(summary, disk, rounds, facts):
    print("\n  Durable holds, one under way for each caller; "
          f"medians of {rounds} rounds (lowest..highest)\n")
    print(f"  {'callers':>7}  {'system':<24} {'holds/s':>9} {'':<19} {'of usher':>8} {'p50 us':>9} "
          f"{'p99 us':>9} {'bytes/hold':>10} {'holds/flush':>11}")
    before = None
    for row in summary:
        if before not in (None, row["callers"]):
            print()
        before = row["callers"]
        spread = f"({row['min']:,.0f}..{row['max']:,.0f})"
        ratio = f"{row['ratio_to_usher']:.2f}" if row["ratio_to_usher"] else ""
        print(f"  {row['callers']:>7,}  {row['name']:<24} {row['holds_per_second']:>9,.0f} "
              f"{spread:<19} {ratio:>8} {row['p50_us']:>9,.0f} {row['p99_us']:>9,.0f} "
              f"{row['disk_bytes_per_hold']:>10,.0f} {row['holds_per_flush']:>11,.1f}"
              + ("  sold out before the time was over" if row["sold_out"] else ""))
    print("\n  The log when usher was busiest: "
          f"{disk['usher_bytes_per_second'] / 1e6:,.0f} MB/s. fio with such writes "
          f"({disk['block_bytes'] / 1024:,.0f} KiB, one at a time,\n  durable): "
          f"{disk['fio_bytes_per_second'] / 1e6:,.0f} MB/s. "
          f"usher uses {disk['share']:.0%} of what the disk can do.\n")
    wins = list(find_wins(summary))
    print("  Where a peer is better:" if wins else
          "  No peer is better at anything that was measured here.")
    for win in wins:
        print(f"    {win}")
    print("\n  What the servers say of themselves:")
    for fact in facts:
        print(f"    {fact.rstrip()}")
    print("\n  Checked after every measurement: as many seats are held as holds were answered; "
          "a second holder of a\n  seat and a caller without a turn are refused.\n")


# --- the plot -------------------------------------------------------------------------------------

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #57606a }
  .title { font-size: 15px; font-weight: 600 }
  .group { font-weight: 600 }
  .bar { fill: #8c959f } .us { fill: #2f81f7 }
  .whisker { stroke: #57606a; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #adbac7 } .whisker { stroke: #cdd9e5 } .bar { fill: #6e7681 }
  }
"""
WIDTH, LEFT, RIGHT, LINE = 860, 190, 150, 26


def draw(summary, rounds):
    """Bars of medians on one scale a group, with whiskers from the lowest to the highest."""
    parts, y = [], 30
    parts.append(f'<text class="title" x="12" y="{y}">Durable holds a second, '
                 f"median of {rounds} rounds; whiskers: lowest and highest</text>")
    for callers in dict.fromkeys(row["callers"] for row in summary):
        rows = [row for row in summary if row["callers"] == callers]
        scale = (WIDTH - LEFT - RIGHT) / max(row["max"] for row in rows)
        y += 34
        parts.append(f'<text class="group" x="12" y="{y}">'
                     f'{callers:,} caller{"s" if callers > 1 else ""}</text>')
        for row in rows:
            y += LINE
            end = LEFT + row["holds_per_second"] * scale
            low, high = LEFT + row["min"] * scale, LEFT + row["max"] * scale
            kind = "bar us" if row["name"] == US else "bar"
            parts.append(f'<text x="{LEFT - 8}" y="{y}" text-anchor="end">'
                         f'{escape(row["name"])}</text>')
            parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y - 13}" '
                         f'width="{max(1, end - LEFT):.1f}" height="17" rx="2"/>')
            parts.append(f'<path class="whisker" d="M{low:.1f} {y - 4.5}H{high:.1f}'
                         f'M{low:.1f} {y - 9}v9M{high:.1f} {y - 9}v9" fill="none"/>')
            parts.append(f'<text x="{max(end, high) + 8:.1f}" y="{y}">'
                         f'{row["holds_per_second"]:,.0f}/s</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + 24}" role="img">\n'
            f"<style>{STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n")


def report(results_path, facts_path, svg_path, json_path):
    results = read_results(results_path)
    with open(facts_path, encoding="utf-8") as file:
        facts = file.read().splitlines()
    rounds = len({run["round"] for run in results})
    summary, disk = summarise(results), compare_disk(results)
    with open(svg_path, "w", encoding="utf-8") as file:
        file.write(draw(summary, rounds))
    with open(json_path, "w", encoding="utf-8") as file:
        json.dump({"rounds": rounds, "servers": facts, "summary": summary, "disk": disk,
                   "measurements": results}, file, indent=2)
        file.write("\n")
    print_table(summary, disk, rounds, facts)


if __name__ == "__main__":
    {"block": print_block, "fio": print_fio, "report": report}[sys.argv[1]](*sys.argv[2:])
