"""Measures computations on secret shares beside SPU and CrypTen, one framework after another in every pass.

usage: measure_mpc.py --processes PROGRAM --aggregation PROGRAM --data FOLDER --output FILE [--spu PYTHON] [--crypten PYTHON]
       [--passes COUNT]
"""
import argparse
import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

from measure import machine
from shapes import OWN_WORKS, WORKS

OURS = {"relu1m": ["relu1m", "relu1m33"]}
HERE = Path(__file__).parent


def objects(command, environment):
    """The JSON objects that a program prints; none and its last line if it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=1200, env={**os.environ, **environment})
    except subprocess.TimeoutExpired:
        return [], "took more than 20 minutes"
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    lines = (done.stderr or done.stdout).strip().splitlines()
    return found, None if done.returncode == 0 else (lines[-1] if lines else f"exit code {done.returncode}")


def aggregation(program):
    """Seconds and megabytes of the last line of the example."""
    done = subprocess.run([program, "3"], capture_output=True, text=True, check=True)
    words = done.stdout.strip().splitlines()[-1].replace(",", "").split()
    number = {name: float(words[words.index(name) + 1]) for name in ("client", "server", "upload")}
    return {"client_seconds": number["client"], "server_seconds": number["server"], "upload_megabytes": number["upload"]}


def main():
    parser = argparse.ArgumentParser()
    for name in ("processes", "aggregation", "data", "output"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--spu")
    parser.add_argument("--crypten")
    parser.add_argument("--passes", type=int, default=7)
    arguments = parser.parse_args()
    cancer = str(Path(arguments.data) / "breast_cancer.npz")
    frameworks = {"hushml": lambda work: [arguments.processes, "1", *OURS.get(work, [work])]}
    for name in ("spu", "crypten"):
        python = getattr(arguments, name)
        if python:
            frameworks[name] = lambda work, python=python, name=name: [python, str(HERE / f"{name}_computations.py"), "1", cancer, work]
    results, skipped = {name: {} for name in frameworks}, {}
    for turn in range(arguments.passes):
        for work in WORKS + OWN_WORKS:
            for name, command in frameworks.items():
                if (name, work) in skipped or (work in OWN_WORKS and name != "hushml"):
                    continue
                found, failure = objects(command(work), {"HUSH_DATA": arguments.data})
                if failure:
                    skipped[name, work] = failure
                for each in found:
                    known = results[name].setdefault(each["work"], {**each, "seconds": []})
                    known["seconds"] += each["seconds"]
                    known["largest_error"] = max(known["largest_error"], each["largest_error"])
                    known["bytes"] = min(known["bytes"], each["bytes"])
        print(f"pass {turn + 1} of {arguments.passes}", file=sys.stderr)
    wide = []
    for work in ("mlp1", "lr"):
        found, failure = objects([arguments.processes, "3", work, "--latency", "20", "--rate", "352"], {"HUSH_DATA": arguments.data})
        if failure:
            skipped["hushml, wide area", work] = failure
        wide += found
    Path(arguments.output).write_text(json.dumps({
        "date": datetime.date.today().isoformat(), "machine": machine(), "passes": arguments.passes,
        "frameworks": results, "wide": wide, "aggregation": aggregation(arguments.aggregation),
        "skipped": {f"{name}, {work}": why for (name, work), why in skipped.items()},
    }, indent=1))


if __name__ == "__main__":
    main()
