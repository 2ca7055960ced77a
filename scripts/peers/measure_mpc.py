"""Measures computations on secret shares beside SPU and CrypTen, one framework after another in every pass.

usage: measure_mpc.py --processes PROGRAM --aggregation PROGRAM --data FOLDER --output FILE [--spu PYTHON] [--crypten PYTHON]
       [--passes COUNT] [--more]

With --more the passes are added to those in FILE, for machines that are quiet for minutes only.
"""
import argparse
import datetime
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from measure import machine
from shapes import OWN_WORKS, WORKS

OURS = {"relu1m": ["relu1m", "relu1m33"]}
HERE = Path(__file__).parent


# What one run of one framework may take; CrypTen's processes wait for each other forever now and then.
SECONDS_MOST = 90


def objects(command, environment):
    """The JSON objects that a program prints; none and the reason if it fails or hangs, with all that it started."""
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment},
                             start_new_session=True)
    try:
        output, errors = child.communicate(timeout=SECONDS_MOST)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return [], f"took more than {SECONDS_MOST} seconds"
    if child.returncode:
        lines = (errors or output).strip().splitlines()
        return [], lines[-1] if lines else f"exit code {child.returncode}"
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")], None


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
    parser.add_argument("--more", action="store_true")
    arguments = parser.parse_args()
    cancer = str(Path(arguments.data) / "breast_cancer.npz")
    frameworks = {"hushml": lambda work: [arguments.processes, "1", *OURS.get(work, [work])]}
    for name in ("spu", "crypten"):
        python = getattr(arguments, name)
        if python:
            frameworks[name] = lambda work, python=python, name=name: [python, str(HERE / f"{name}_computations.py"), "1", cancer, work]
    results = {name: {} for name in frameworks}
    failures, before, output = {}, 0, Path(arguments.output)
    if arguments.more and output.exists():
        earlier = json.loads(output.read_text())
        results, before = {**results, **earlier["frameworks"]}, earlier["passes"]
    for turn in range(arguments.passes):
        for work in WORKS + OWN_WORKS:
            for name, command in frameworks.items():
                if work in OWN_WORKS and name != "hushml":
                    continue
                found, failure = objects(command(work), {"HUSH_DATA": arguments.data})
                if failure:
                    failures[name, work] = failure
                    print(f"{name}, {work}: {failure}", file=sys.stderr)
                for each in found:
                    known = results[name].setdefault(each["work"], {**each, "seconds": []})
                    known["seconds"] += each["seconds"]
                    known["largest_error"] = max(known["largest_error"], each["largest_error"])
                    known["bytes"] = min(known["bytes"], each["bytes"])
        print(f"pass {before + turn + 1}", file=sys.stderr)
    wide = []
    for work in ("mlp1", "lr"):
        found, failure = objects([arguments.processes, "3", work, "--latency", "20", "--rate", "352"], {"HUSH_DATA": arguments.data})
        if failure:
            failures["hushml, wide area", work] = failure
        wide += found
    output.write_text(json.dumps({
        "date": datetime.date.today().isoformat(), "machine": machine(), "passes": before + arguments.passes,
        "frameworks": results, "wide": wide, "aggregation": aggregation(arguments.aggregation),
        # What came to an end in another pass is not missing.
        "skipped": {f"{name}, {work}": why for (name, work), why in failures.items() if work not in results.get(name, {})},
    }, indent=1))


if __name__ == "__main__":
    main()
