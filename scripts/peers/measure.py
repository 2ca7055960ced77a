"""Runs the peers and HushML in turns on one core and stores what they print.

Each round runs every library once at every size, one after another, so that a change of the machine's pace during
the run meets all of them. Two threads and the instruction sets are measured on HushML alone, after the rounds.
"""
import argparse
import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parents[1] / "examples" / "breast_cancer"
# log2 of the ring degree, levels, OpenFHE's digits, repetitions a round.
SHAPES = [(14, 8, 3, 15), (15, 16, 6, 7), (16, 25, 6, 3)]
MODEL_ROWS = 5


class Skip(Exception):
    """A measurement that this machine cannot make, with the reason."""


def pinned(cores):
    if not shutil.which("taskset"):
        return []
    return ["taskset", "-c", cores]


def run(command, threads=1, isa=None):
    """The standard output of `command` on the first `threads` cores."""
    environment = dict(os.environ, OMP_NUM_THREADS=str(threads), RAYON_NUM_THREADS=str(threads))
    if isa:
        environment["HUSH_ISA"] = isa
    command = pinned("0" if threads == 1 else f"0-{threads - 1}") + [str(part) for part in command]
    print("  " + " ".join(command), file=sys.stderr, flush=True)
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Skip(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}")
    return done.stdout


def json_lines(text):
    """The JSON objects among the lines of `text`; libraries print other lines between them."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def hush_operations(bench, threads=1, isa=None, only=()):
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "bench.json"
        run([bench, "--json", output, *only], threads, isa)
        return [dict(row, library="HushML") for row in json.loads(output.read_text())]


def machine():
    """What the numbers depend on."""

    def field(path, name):
        try:
            match = re.search(rf"^{name}\s*:\s*(.+)$", Path(path).read_text(), re.MULTILINE)
        except OSError:
            return None
        return match.group(1) if match else None

    flags = (field("/proc/cpuinfo", "flags") or "").split()
    wanted = ["avx2", "fma", "avx512f", "avx512ifma"]
    memory = field("/proc/meminfo", "MemTotal")
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True)
    return {
        "processor": field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "family": " ".join(filter(None, [field("/proc/cpuinfo", "cpu family"), field("/proc/cpuinfo", "model")])),
        "cores": os.cpu_count(),
        "memory_gib": round(int(memory.split()[0]) / 2**20) if memory else None,
        "instruction_sets": [flag for flag in wanted if flag in flags],
        "system": f"{platform.system()} {platform.release()}",
        "rustc": rustc.stdout.strip(),
        "pinned": bool(pinned("0")),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hush", required=True)
    parser.add_argument("--hush-bench", required=True)
    parser.add_argument("--tenseal", help="interpreter that has TenSEAL")
    parser.add_argument("--openfhe", help="interpreter that has OpenFHE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()

    results = {
        "date": datetime.date.today().isoformat(), "rounds": options.rounds, "machine": machine(),
        "operations": [], "tenseal_model": [], "hush_demo": [], "skipped": {},
    }

    def attempt(name, measure, into=None):
        """Adds what `measure` gives to the results, or notes why there is nothing."""
        if name in results["skipped"]:
            return
        try:
            results[into or "operations"].extend(measure())
        except (Skip, json.JSONDecodeError) as reason:
            print(f"  {name}: skipped, {reason}", file=sys.stderr)
            results["skipped"][name] = str(reason)

    for name, python in (("TenSEAL", options.tenseal), ("OpenFHE", options.openfhe)):
        if not python:
            results["skipped"][name] = "no Python interpreter that can load it"
    for number in range(1, options.rounds + 1):
        print(f"round {number} of {options.rounds}", file=sys.stderr)
        for log_degree, levels, digits, repetitions in SHAPES:
            attempt("TenSEAL", lambda: json_lines(run(
                [options.tenseal, HERE / "tenseal_operations.py", log_degree, levels, repetitions])))
            attempt("HushML", lambda: hush_operations(
                options.hush_bench, only=["--log-degree", str(log_degree)]))
            attempt("OpenFHE", lambda: json_lines(run(
                [options.openfhe, HERE / "openfhe_operations.py", log_degree, levels, digits, repetitions])))
        attempt("TenSEAL", lambda: json_lines(run(
            [options.tenseal, HERE / "tenseal_breast_cancer.py", EXAMPLE, MODEL_ROWS])), "tenseal_model")
        attempt("hush demo", lambda: [json.loads(run([options.hush, "demo", "--json"]))], "hush_demo")
    degrees = [part for log_degree, *_ in SHAPES for part in ("--log-degree", str(log_degree))]
    if (os.cpu_count() or 1) > 1:
        print("two threads", file=sys.stderr)
        attempt("HushML on two threads", lambda: hush_operations(
            options.hush_bench, threads=2, only=degrees))
    print("instruction sets", file=sys.stderr)
    for isa in ("scalar", "avx2", "avx512"):
        attempt(f"HUSH_ISA={isa}", lambda: hush_operations(
            options.hush_bench, isa=isa, only=["--operation", "ntt", *degrees]))
    options.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
