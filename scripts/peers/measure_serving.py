"""Measures hush-server under load, beside the same work in one process and beside MLServer, and stores the results.

Callers run on the same machine as the server and take part of it.
"""
import argparse
import csv
import datetime
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from hush import Network
from measure import EXAMPLE, Skip, machine, run

HERE = Path(__file__).resolve().parent
# As the example of the README compiles it for.
OPTIONS = ["--precision", "5e-6", "--activation-margin", "1", "--headroom", "7"]
MODELS = 10
TOLERANCE = 1e-2


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def ready(url):
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return answer.status == 200
    except OSError:
        return False


def memory(process, field):
    """`VmRSS` (now) or `VmHWM` (at most) of a process in bytes."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return 1024 * int(line.split()[1])
    return None


class Server:
    def __init__(self, process, http, grpc, seconds):
        self.process, self.http, self.grpc, self.seconds = process, http, grpc, seconds


@contextmanager
def serving(command, health, http, grpc, folder, environment=None):
    """Starts a server and waits until it is ready."""
    with open(folder / "server.log", "w") as log:
        begun = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, cwd=folder,
                                   env=dict(os.environ, **(environment or {})))
        try:
            while not ready(f"http://127.0.0.1:{http}{health}"):
                if process.poll() is not None or time.perf_counter() - begun > 120:
                    raise Skip((folder / "server.log").read_text().strip()[-300:])
                time.sleep(0.005)
            yield Server(process, f"127.0.0.1:{http}", f"127.0.0.1:{grpc}", time.perf_counter() - begun)
        finally:
            process.terminate()
            process.wait(60)


def hush_server(options, folder, *arguments):
    http, grpc = free_port(), free_port()
    command = [options.server, "--http", f"127.0.0.1:{http}", "--grpc", f"127.0.0.1:{grpc}", "--keys", folder / "keys",
               "--log-level", "warn", *arguments]
    return serving(command, "/v2/health/ready", http, grpc, folder)


def load(options, *arguments):
    return json.loads(run([options.load, *arguments], threads=os.cpu_count() or 1))


def overhead(options, server, model=()):
    return {f"{protocol} {connections}":
            load(options, protocol, getattr(server, name), connections, options.seconds, *model)
            for connections in (1, 16) for protocol, name in (("grpc", "grpc"), ("rest", "http"))}


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))[1:]


def encrypted(options):
    """The breast-cancer network: in one process, served to one user and to sixteen."""
    folder = options.work
    subprocess.run([sys.executable, EXAMPLE / "standardise.py", folder], check=True, stdout=subprocess.DEVNULL)
    model = EXAMPLE / "breast_cancer_mlp.onnx"
    network = Network(options.hush, model, folder / "training.csv", folder, OPTIONS)
    rows = rows_of(folder / "validation.csv")
    inputs, expected = folder / "inputs.csv", folder / "expected.csv"
    inputs.write_text("\n".join(",".join(row) for row in rows) + "\n")
    subprocess.run([options.python, "-c", (
        "import sys, numpy, onnxruntime\n"
        "x = numpy.loadtxt(sys.argv[2], delimiter=',').astype('float32')\n"
        "session = onnxruntime.InferenceSession(sys.argv[1])\n"
        "numpy.savetxt(sys.argv[3], session.run(None, {session.get_inputs()[0].name: x})[0], delimiter=',')\n"
    ), model, inputs, expected], check=True)
    network.encrypt(folder / "validation.csv", folder / "x.ct")
    one, all_cores = (network.run(folder / "x.ct", folder / "y.ct", threads) for threads in (1, os.cpu_count() or 1))

    model_file = f"{network.name}.model"
    models = folder / "models"
    models.mkdir(exist_ok=True)
    for index in range(MODELS):
        name = "cancer" if index == 0 else f"cancer-{index}"
        shutil.copy(model_file, models / f"{name}.model")

    def process():
        return load(options, "process", model_file, 16, options.user_seconds / 4, inputs, expected, TOLERANCE)

    # Before and after what it is compared with.
    processes = [process()]
    with hush_server(options, folder, models) as server:
        users = {str(count): load(options, "users", f"grpc://{server.grpc}", "cancer", count, seconds, inputs, expected,
                                  TOLERANCE)
                 for count, seconds in ((1, options.seconds), (16, options.user_seconds))}
        peak = memory(server.process, "VmHWM")
        start = server.seconds
    processes.append(process())
    return {
        "users": users, "processes": processes, "peak_bytes": peak, "models": MODELS, "start_seconds": start,
        "in_process_ms": one.said["milliseconds"]["per_sample"],
        "in_process_per_second": 1e3 / all_cores.said["milliseconds"]["per_sample"],
        "evaluation_key_bytes": network.evaluation_key_bytes,
    }


def upload(options):
    """A large file of evaluation keys, sent whole over HTTP."""
    folder = options.work / "upload"
    folder.mkdir(exist_ok=True)
    network = Network(options.hush, options.large_model, options.large_calibration, folder)
    key = folder / "keys" / "evaluation.key"
    said = json.loads(run([options.hush, "inspect", key, "--json"]))
    with hush_server(options, folder / "keys", ) as server:
        before = memory(server.process, "VmRSS")
        url = f"http://{server.http}/v1/keys/{said['key_id']}"
        begun = time.perf_counter()
        subprocess.run(["curl", "--silent", "--show-error", "--fail", "--upload-file", key, url], check=True,
                       stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
        grown = memory(server.process, "VmHWM") - before
    return {"bytes": network.evaluation_key_bytes, "seconds": seconds, "memory_growth_bytes": grown}


MLSERVER_MODEL = '''
import json, joblib, numpy
from sklearn.linear_model import LogisticRegression
random = numpy.random.default_rng(1)
x = random.normal(size=(200, 30)); y = (x.sum(axis=1) > 0).astype(int)
joblib.dump(LogisticRegression().fit(x, y), "model.joblib")
json.dump({"name": "cancer", "implementation": "mlserver_sklearn.SKLearnModel",
           "parameters": {"uri": "./model.joblib"}}, open("model-settings.json", "w"))
'''


def mlserver(options):
    """MLServer with a plain model of 30 features."""
    folder = options.work / "mlserver"
    folder.mkdir(exist_ok=True)
    subprocess.run([options.mlserver, "-c", MLSERVER_MODEL], cwd=folder, check=True)
    http, grpc, metrics = free_port(), free_port(), free_port()
    settings = {"http_port": http, "grpc_port": grpc, "metrics_port": metrics, "host": "127.0.0.1",
                "parallel_workers": 0, "debug": False}
    (folder / "settings.json").write_text(json.dumps(settings))
    command = [Path(options.mlserver).parent / "mlserver", "start", "."]
    with serving(command, "/v2/health/ready", http, grpc, folder) as server:
        results = overhead(options, server, ("cancer", "predict"))
        return {"load": results, "start_seconds": server.seconds, "peak_bytes": memory(server.process, "VmHWM")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hush", type=Path, required=True)
    parser.add_argument("--server", type=Path, required=True, help="hush-server")
    parser.add_argument("--load", type=Path, required=True, help="the example service_load")
    parser.add_argument("--python", required=True, help="interpreter that has NumPy and ONNX Runtime")
    parser.add_argument("--mlserver", help="interpreter that has MLServer with its scikit-learn runtime")
    parser.add_argument("--large-model", type=Path, default=EXAMPLE.parent / "mnist" / "mnist_lenet5.onnx")
    parser.add_argument("--large-calibration", type=Path)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--user-seconds", type=float, default=60)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for name in ("hush", "server", "load", "work"):
        setattr(options, name, getattr(options, name).resolve())

    results = {"date": datetime.date.today().isoformat(), "machine": machine(), "skipped": {}}

    def attempt(name, measure):
        print(name, file=sys.stderr, flush=True)
        try:
            results[name] = measure()
        except (Skip, subprocess.CalledProcessError, OSError, json.JSONDecodeError) as reason:
            print(f"  skipped, {reason}", file=sys.stderr)
            results["skipped"][name] = str(reason)

    def plain():
        with hush_server(options, options.work, "--demo-models") as server:
            return {"load": overhead(options, server), "start_seconds": server.seconds,
                    "peak_bytes": memory(server.process, "VmHWM")}

    attempt("plain", plain)
    if options.mlserver:
        attempt("mlserver", lambda: mlserver(options))
    attempt("encrypted", lambda: encrypted(options))
    if options.large_calibration:
        attempt("upload", lambda: upload(options))
    options.output.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
