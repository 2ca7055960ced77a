"""Writes the part of docs/benchmarks.md about multi-party computation from the results of measure_mpc.py, and keeps the rest.

usage: report_mpc.py mpc.json benchmarks.md
"""
import json
import sys
from pathlib import Path

from report import MISSING, PARTIES, machine_line, table, write_part

TITLES = {
    "matmul512": "matrix product 512³, truncated", "mul1m": "2²⁰ products, truncated", "relu1m": "2²⁰ ReLUs, all 64 bits",
    "relu1m33": "2²⁰ ReLUs, values of 33 bits", "cmp1m": "2²⁰ comparisons", "mlp1": "MLP 784-128-128-10, one sample",
    "mlp128": "the same, 128 samples", "lenet1": "LeNet 20/50/500, max pools, one sample",
    "mlp1-pond": "MLP, one sample, by Pond", "network-a": "a step of training 784-128-128-10 on 128 samples",
    "lr": "logistic regression 448×30, 70 steps", "session": "set-up of a session: mutual TLS, seeds, agreement",
}
# What peers' results stand beside a narrower range of ours.
BESIDE = {"relu1m33": "relu1m"}


def milliseconds(result):
    return MISSING if not result else f"{min(result['seconds']) * 1e3:,.{1 if min(result['seconds']) < 1 else 0}f}"


def megabytes(result):
    return MISSING if not result else f"{result['bytes'] / 1e6:,.{3 if result['bytes'] < 1e6 else 1}f}"


def ratio(theirs, ours):
    return MISSING if not theirs or not ours else f"{min(theirs['seconds']) / min(ours['seconds']):.1f}×"


def error(result):
    return MISSING if not result else f"{result['largest_error']:.1e}"


def main_table(results):
    ours, spu, crypten = (results["frameworks"].get(name, {}) for name in ("hushml", "spu", "crypten"))
    rows = []
    for work, title in TITLES.items():
        mine, beside = ours.get(work), BESIDE.get(work, work)
        if not mine and beside not in spu and beside not in crypten:
            continue
        # The set-up of a session computes nothing.
        computes = mine if mine and mine["rounds"] else None
        rows.append([title, milliseconds(mine), megabytes(computes), str(mine["rounds"]) if computes else MISSING, error(computes),
                     milliseconds(spu.get(beside)), megabytes(spu.get(beside)), ratio(spu.get(beside), mine),
                     milliseconds(crypten.get(beside)), megabytes(crypten.get(beside)), ratio(crypten.get(beside), mine)])
    header = ["", "HushML, ms", "MB", "rounds", "largest error", "SPU, ms", "MB", "ratio", "CrypTen, ms", "MB", "ratio"]
    note = ("HushML: three processes, replicated shares (ABY3) of 64-bit words, or two servers and a dealer (Pond), mutual TLS 1.3. SPU 0.9.5: three processes, ABY3 on 64 "
            "bits, no TLS. CrypTen 0.4.1: two processes, a dealer inside the first, no TLS. The least of "
            f"{results['passes']} passes, each framework in turn in every pass. Bytes of all parties; those of peers are what the "
            "loopback interface carried. Logistic regression has the sigmoid of three pieces in HushML and SPU, the true one in CrypTen.")
    return table(header, rows) + "\n\n" + note


def wide_table(results):
    if not results["wide"]:
        return None
    rows = []
    for result in results["wide"]:
        least = result["rounds"] * 0.02
        seconds = min(result["seconds"])
        rows.append([TITLES[result["work"]], f"{seconds:.3f}", str(result["rounds"]), f"{least:.2f}", f"{seconds / least:.2f}"])
    return table(["20 ms one way, 352 Mbit/s (a proxy)", "seconds", "rounds", "rounds × 20 ms", "ratio"], rows)


def aggregation_table(results):
    found = results["aggregation"]
    rows = [["a client, s", f"{found['client_seconds']:.3f}"], ["the server, s", f"{found['server_seconds']:.2f}"],
            ["upload of a client, MB", f"{found['upload_megabytes']:.2f}"]]
    return table(["secure aggregation: 100 clients × 10⁶ values, 21 neighbours, 10 drop out", ""], rows)


def report(results):
    """The part about parties, heading included."""
    sections = [PARTIES.strip("\n"), f"Measured on {results['date']}: {machine_line(results['machine'])}.\n\nWritten by `make bench-peers-mpc`."]
    sections += filter(None, [main_table(results), wide_table(results), aggregation_table(results)])
    left_out = "\n".join(f"- {name}: {why}" for name, why in sorted(results["skipped"].items()))
    if left_out:
        sections.append("Left out:\n\n" + left_out)
    return "\n" + "\n\n".join(sections) + "\n"


def main(source, target):
    write_part(target, PARTIES, report(json.loads(Path(source).read_text())))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
