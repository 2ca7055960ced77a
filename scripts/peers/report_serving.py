"""Writes the part of docs/benchmarks.md about serving from the results of measure_serving.py, and keeps the rest.

usage: report_serving.py serving.json benchmarks.md
"""
import json
import sys
from pathlib import Path

from report import MISSING, SERVING, machine_line, table, write_part

LOADS = [("grpc 1", "gRPC, one connection"), ("grpc 16", "gRPC, 16 connections"),
         ("rest 1", "REST, one connection"), ("rest 16", "REST, 16 connections")]


def number(value, digits=2):
    return MISSING if value is None else f"{value:,.{digits}f}"


def plain_table(results):
    ours, theirs = results.get("plain"), results.get("mlserver")
    if not ours:
        return None
    rows = []
    for key, title in LOADS:
        mine, other = ours["load"][key], (theirs or {}).get("load", {}).get(key, {})
        rate = other.get("requests_per_second")
        rows.append([title, number(mine["requests_per_second"], 0), number(mine["p50_ms"]), number(mine["p99_ms"]),
                     number(rate, 0), number(other.get("p50_ms")), number(other.get("p99_ms")),
                     f"{mine['requests_per_second'] / rate:.1f}×" if rate else MISSING])
    note = ("HushML answers its demo model `simple` (two rows of 16 integers, their sum and difference), MLServer 1.7.1 a "
            "scikit-learn model of 30 features. The callers are one program on the same cores.")
    header = ["plain tensors", "HushML, requests/s", "p50, ms", "p99, ms", "MLServer, requests/s", "p50, ms", "p99, ms", "ratio"]
    return table(header, rows) + "\n\n" + note


def encrypted_table(results):
    found = results.get("encrypted")
    if not found:
        return None
    one, many = found["users"]["1"], found["users"]["16"]
    same = max(process["requests_per_second"] for process in found["processes"])
    rows = [
        ["one sample in one process, one thread, ms", number(found["in_process_ms"])],
        ["one user over gRPC, encryption and decryption included, p50, ms", number(one["p50_ms"])],
        ["p99, ms", number(one["p99_ms"])],
        ["16 users with keys of their own over gRPC, samples a second", number(many["requests_per_second"], 1)],
        ["the same users in one process, all cores, no server", number(same, 1)],
        ["share of that", f"{many['requests_per_second'] / same:.0%}"],
        ["runs alone in one process, all cores, one key, nothing encrypted or decrypted",
         number(found["in_process_per_second"], 1)],
        ["p50, ms", number(many["p50_ms"], 0)],
        ["p99, ms", number(many["p99_ms"], 0)],
        ["answers, all decrypted and compared with ONNX Runtime", number(many["requests"], 0)],
        ["largest error of an output", f"{many['largest_error']:.1e}"],
        ["memory of the server, at most, MB", number(found["peak_bytes"] / 1e6, 0)],
        [f"start until ready with {found['models']} models, s", number(found["start_seconds"])],
    ]
    return table(["breast-cancer network, encrypted", ""], rows)


def upload_table(results):
    found = results.get("upload")
    if not found:
        return None
    rows = [
        ["evaluation keys, MB", number(found["bytes"] / 1e6, 0)],
        ["upload over HTTP, checked and on the disk, MB/s", number(found["bytes"] / found["seconds"] / 1e6, 0)],
        ["growth of the server's memory, MB", number(found["memory_growth_bytes"] / 1e6, 1)],
    ]
    return table(["keys of LeNet-5", ""], rows)


def report(results):
    """The part about serving, heading included."""
    sections = [SERVING.strip("\n"),
                f"Measured on {results['date']}: {machine_line(results['machine'])}.\n\n"
                "Written by `make bench-serving`. Server and callers share the machine."]
    sections += filter(None, [plain_table(results), encrypted_table(results), upload_table(results)])
    left_out = "\n".join(f"- {name}: {why}" for name, why in sorted(results["skipped"].items()))
    if left_out:
        sections.append("Left out:\n\n" + left_out)
    return "\n" + "\n\n".join(sections) + "\n"


def main(source, target):
    write_part(target, SERVING, report(json.loads(Path(source).read_text())))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
