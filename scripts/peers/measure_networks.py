"""Measures HushML on convolutional networks, and beside Orion on Orion's own, and stores the results.

Two parts. The networks in HUSH_DATA: accuracy of float, simulated and encrypted outputs, times, memory and sizes.
Orion's networks: both libraries in turns on one core, a few images a round, with the same weights and images.
"""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from hush import Network, step
from measure import Skip, json_lines, machine, run

HERE = Path(__file__).resolve().parent
# Networks in HUSH_DATA and the options that they are compiled with.
NETWORKS = {
    "mnist_cryptonets": [],
    "heman_cryptonets": [],
    "mnist_mlp": [],
    "mnist_lenet5": [],
    "mnist_lenet5_maxpool": [],
}
THROUGHPUT = "mnist_cryptonets"
TOO_DEEP = "cifar10_resnet20"
TOO_DEEP_OPTIONS = ["--precision", "2"]
# Orion's networks, and the images of a round.
ORION = {"mlp": 5, "lola": 5, "lenet": 3}
REPORTED = ("log_degree", "log_q_p", "security_bits", "levels", "rotations", "key_switches", "multiplications",
            "plain_multiplications", "packing", "samples", "predicted_error", "group_milliseconds", "precision")


def arrays(python, *arguments):
    """Runs network_arrays.py and returns the JSON objects that it prints."""
    command = [str(part) for part in (python, HERE / "network_arrays.py", *arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Skip(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit code {done.returncode}")
    return json_lines(done.stdout)


def selected(report):
    return {name: report[name] for name in REPORTED if name in report}


def groups_of(said):
    """Milliseconds of each group of ciphertexts of one `hush run`."""
    times = said["milliseconds"]
    return times.get("groups") or [times["per_group"]]


def acceptance(name, options):
    """One network of HUSH_DATA: accuracy and times."""
    folder = options.work / name
    folder.mkdir(parents=True, exist_ok=True)
    arrays(options.python, "prepare", name, options.data, folder)
    network = Network(options.hush, options.data / f"{name}.onnx", folder / "calibration.npy", folder, NETWORKS[name])
    ciphertexts, outputs = folder / "x.ct", folder / "y.ct"

    encrypted = network.encrypt(folder / "few.npy", ciphertexts)
    one = [network.run(ciphertexts, outputs) for _ in range(options.rounds)]
    network.encrypt(folder / "some.npy", ciphertexts, threads=2)
    two = network.run(ciphertexts, outputs, threads=2)
    network.decrypt(outputs, folder / "encrypted.npy")
    simulated = network.simulate(folder / "images.npy", folder / "simulated.npy")
    few = encrypted.said["samples"]
    return {
        "network": name, "options": NETWORKS[name], "report": selected(network.report),
        "compile_seconds": network.compile.seconds, "compile_peak_bytes": network.compile.peak_bytes,
        "keygen_seconds": network.keygen.seconds, "evaluation_key_bytes": network.evaluation_key_bytes,
        "input_bytes": encrypted.said["output"]["bytes"] / few,
        "output_bytes": one[0].said["output"]["bytes"] / few,
        "seconds": statistics.median(ms for done in one for ms in groups_of(done.said)) / 1e3,
        "seconds_two_threads": statistics.median(groups_of(two.said)) / 1e3,
        "load_seconds": statistics.median(done.said["milliseconds"]["load"] for done in one) / 1e3,
        "peak_bytes": max(done.peak_bytes for done in one), "peak_bytes_two_threads": two.peak_bytes,
        "headroom_bits": simulated.said["headroom_bits"], "simulation_seconds": simulated.seconds,
        "score": arrays(options.python, "score", folder)[0],
    }


def throughput(options):
    """One network of HUSH_DATA on one large batch, on all cores."""
    folder = options.work / "throughput"
    folder.mkdir(parents=True, exist_ok=True)
    arrays(options.python, "prepare", THROUGHPUT, options.data, folder)
    network = Network(options.hush, options.data / f"{THROUGHPUT}.onnx", folder / "calibration.npy", folder,
                      ["--batch", "4096", "--packing", "throughput"])
    threads = os.cpu_count() or 1
    ciphertexts, outputs = folder / "x.ct", folder / "y.ct"
    encrypted = network.encrypt(folder / "many.npy", ciphertexts, threads)
    done = network.run(ciphertexts, outputs, threads)
    network.decrypt(outputs, folder / "many_encrypted.npy", threads)
    return {
        "network": THROUGHPUT, "threads": threads, "report": selected(network.report),
        "images": done.said["samples"], "seconds": done.said["milliseconds"]["run"] / 1e3,
        "load_seconds": done.said["milliseconds"]["load"] / 1e3, "encrypt_seconds": encrypted.seconds,
        "peak_bytes": done.peak_bytes, "evaluation_key_bytes": network.evaluation_key_bytes,
        "input_bytes": encrypted.said["output"]["bytes"], "output_bytes": done.said["output"]["bytes"],
        "score": arrays(options.python, "score", folder)[0],
    }


def too_deep(options):
    """What is said about a network that needs bootstrapping."""
    folder = options.work / TOO_DEEP
    folder.mkdir(parents=True, exist_ok=True)
    arrays(options.python, "prepare", TOO_DEEP, options.data, folder)
    done = step(options.hush, "compile", options.data / f"{TOO_DEEP}.onnx", "--calibration", folder / "calibration.npy",
                "-o", folder / "network", *TOO_DEEP_OPTIONS, threads=os.cpu_count() or 1, allow_failure=True)
    return {"network": TOO_DEEP, "options": TOO_DEEP_OPTIONS, "said": done.said, "seconds": done.seconds, "peak_bytes": done.peak_bytes}


class Pair:
    """One of Orion's networks on both libraries."""

    def __init__(self, name, options):
        self.name, self.options = name, options
        self.source = options.work / "orion"
        self.folder = self.source / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.theirs, self.times, self.peaks = [], [], []
        self.network = None

    def measure_orion(self):
        os.environ["GOMAXPROCS"] = "1"
        self.theirs += json_lines(run(
            [self.options.orion, HERE / "orion_networks.py", "run", self.name, self.source, ORION[self.name]]))

    def compile(self):
        """Compiles for the largest error that Orion showed."""
        error = f"{max(row['largest_error'] for row in self.theirs):.1e}"
        arrays(self.options.python, "first", self.source / "inputs.npy", ORION[self.name], self.folder / "inputs.npy")
        arrays(self.options.python, "float", self.source / f"{self.name}.onnx", self.folder / "inputs.npy",
               self.folder / "float.npy")
        self.network = Network(self.options.hush, self.source / f"{self.name}.onnx", self.source / "calibration.npy",
                               self.folder, ["--precision", error])
        self.network.encrypt(self.folder / "inputs.npy", self.folder / "x.ct")

    def measure_hush(self):
        done = self.network.run(self.folder / "x.ct", self.folder / "y.ct")
        self.times += groups_of(done.said)
        self.peaks.append(done.peak_bytes)

    def result(self):
        self.network.decrypt(self.folder / "y.ct", self.folder / "encrypted.npy")
        score = arrays(self.options.python, "compare", self.folder / "float.npy", self.folder / "encrypted.npy")[0]
        ours = {
            "seconds": statistics.median(self.times) / 1e3, "peak_bytes": max(self.peaks),
            "compile_seconds": self.network.compile.seconds, "compile_peak_bytes": self.network.compile.peak_bytes,
            "evaluation_key_bytes": self.network.evaluation_key_bytes, "report": selected(self.network.report), **score,
        }
        return {"network": self.name, "hush": ours, "orion": self.theirs}


def beside_orion(options, results):
    if not options.orion:
        results["skipped"]["Orion"] = "no Python interpreter that can load it"
        return
    (options.work / "orion").mkdir(parents=True, exist_ok=True)
    pairs = [Pair(name, options) for name in ORION]
    try:
        run([options.orion, HERE / "orion_networks.py", "prepare", options.work / "orion"])
    except Skip as reason:
        results["skipped"]["Orion"] = str(reason)
        return
    for number in range(1, options.rounds + 1):
        print(f"Orion: round {number} of {options.rounds}", file=sys.stderr)
        for pair in list(pairs):
            try:
                pair.measure_orion()
                if pair.network is None:
                    pair.compile()
                pair.measure_hush()
            except Skip as reason:
                results["skipped"][f"Orion's {pair.name}"] = str(reason)
                pairs.remove(pair)
    results["orion"] = [pair.result() for pair in pairs if pair.network]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hush", required=True)
    parser.add_argument("--python", required=True, help="interpreter that has NumPy and ONNX Runtime")
    parser.add_argument("--orion", help="interpreter that has Orion")
    parser.add_argument("--data", type=Path, help="folder of networks and images; without it only Orion's are run")
    parser.add_argument("--only", action="append", help="measure this network only; may be repeated")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    results = {
        "date": datetime.date.today().isoformat(), "rounds": options.rounds, "machine": machine(),
        "networks": [], "throughput": None, "too_deep": None, "orion": [], "skipped": {},
    }

    def wanted(name):
        return not options.only or name in options.only

    def store():
        options.output.write_text(json.dumps(results, indent=1) + "\n")

    def attempt(name, measure):
        print(name, file=sys.stderr, flush=True)
        found = None
        try:
            found = measure()
        except Skip as reason:
            print(f"  {name}: skipped, {reason}", file=sys.stderr)
            results["skipped"][name] = str(reason)
        return found

    if options.data:
        for name in filter(wanted, NETWORKS):
            found = attempt(name, lambda: acceptance(name, options))
            if found:
                results["networks"].append(found)
            store()
        if wanted("throughput"):
            results["throughput"] = attempt("throughput", lambda: throughput(options))
            store()
        if wanted(TOO_DEEP):
            results["too_deep"] = attempt(TOO_DEEP, lambda: too_deep(options))
    else:
        results["skipped"]["networks of HUSH_DATA"] = "HUSH_DATA is not set"
    store()
    if wanted("orion"):
        beside_orion(options, results)
    store()


if __name__ == "__main__":
    main()
