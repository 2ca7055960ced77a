"""Writes the part of docs/benchmarks.md about tracking from the results of measure_tracking.py, and keeps the rest.

usage: report_tracking.py tracking.json benchmarks.md
"""
import json
import sys
from pathlib import Path

from report import MISSING, TRACKING, table, write_part


def number(value, digits=0):
    return MISSING if value is None else f"{value:,.{digits}f}"


def more(ours, theirs):
    """How many times as much ours is."""
    return MISSING if not ours or not theirs else f"{ours / theirs:.1f}×"


def less(ours, theirs):
    """What part of theirs ours is."""
    return MISSING if not ours or not theirs else f"1/{theirs / ours:.0f}" if theirs > ours else f"{ours / theirs:.1f}×"


def rows(ours, theirs):
    for title, name in (("100 metrics in one request", "log_batch"), ("one metric a request", "log_metric")):
        for clients, who in ((1, "one client"), (8, "eight clients")):
            mine, other = ours[f"{name} {clients}"], theirs.get(f"{name} {clients}", {})
            yield [f"{title}, {who}, requests/s", number(mine["per_second"]), number(other.get("per_second")),
                   more(mine["per_second"], other.get("per_second"))]
            yield ["p99, ms", number(mine["p99_ms"], 1), number(other.get("p99_ms"), 1), less(mine["p99_ms"], other.get("p99_ms"))]
    mine, other = ours["search"], theirs.get("search", {})
    for title, name, digits in (("search among 10,000 runs, a page of 100, ms", "page_ms", 1),
                                ("the same with a metric and a parameter filter, ordered by a metric, ms", "filtered_ms", 1),
                                ("all 10,000 runs in pages of 1,000, s", "all_s", 2)):
        yield [title, number(mine[name], digits), number(other.get(name), digits), less(mine[name], other.get(name))]
    mine, other = ours["files"], theirs.get("files", {})
    yield ["upload of 500 MB, MB/s", number(mine["upload_mb_s"]), number(other.get("upload_mb_s")), more(mine["upload_mb_s"], other.get("upload_mb_s"))]
    yield ["download of 500 MB, MB/s", number(mine["download_mb_s"]), number(other.get("download_mb_s")),
           more(mine["download_mb_s"], other.get("download_mb_s"))]
    yield ["growth of the server's memory by that, MB", number(mine["growth_mb"]), number(other.get("growth_mb")), ""]
    start, rest = theirs.get("usual_start_s"), theirs.get("usual_rest_mb")
    yield ["start until ready, ms", number(ours["start_s"] * 1e3), number(start and start * 1e3), less(ours["start_s"], start)]
    yield ["memory at rest, MB", number(ours["rest_mb"]), number(rest), less(ours["rest_mb"], rest)]


def report(results):
    """The part about tracking, heading included."""
    note = (f"Written by `make bench-tracking` on {results['cores']} cores: MLflow 3.17.2 with one worker and ours, one after the other, each on SQLite "
            "and a folder, by the same raw keep-alive client on the same cores. Each request to log is on the disk before it is answered. Start and "
            "memory at rest of MLflow are those of its four workers, with which it starts.")
    load = max(results.get("load", [0]))
    if load > results["cores"]:
        note += f" The machine was busy with other work while it was measured (load {load:.0f}): both would be faster alone, the ratios are what counts."
    heading = ["", "HushML", "MLflow", "ratio"]
    sections = [TRACKING.strip("\n"), note, table(heading, list(rows(results["ours"], results.get("mlflow", {}))))]
    return "\n" + "\n\n".join(sections) + "\n"


def main(source, target):
    write_part(target, TRACKING, report(json.loads(Path(source).read_text())))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
