"""Measures tracking: our server and `mlflow server --workers 1`, one after the other, by the same raw keep-alive client.

usage: measure_tracking.py --server hush-server --output tracking.json [--seconds 10] [--runs 10000] [--megabytes 500]

Runs under a Python that has mlflow.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import random
import re
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "conformance"))
import tracking_servers as servers

API = "/api/2.0/mlflow/"


class Client:
    """HTTP/1.1 over one connection, and nothing that takes time of its own."""

    def __init__(self, url):
        self.host, port = url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((self.host, int(port)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.rest = b""

    def send(self, method, path, body=b"", kind="application/json"):
        head = f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        self.socket.sendall(head.encode() + body)
        return self.answer()

    def head(self):
        while b"\r\n\r\n" not in self.rest:
            part = self.socket.recv(1 << 16)
            if not part:
                raise OSError("the server closed the connection")
            self.rest += part
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        return int(lines[0].split()[1]), fields

    def take(self, count):
        while len(self.rest) < count:
            part = self.socket.recv(1 << 20)
            if not part:
                raise OSError("the answer broke off")
            self.rest += part
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def answer(self):
        status, fields = self.head()
        if fields.get("transfer-encoding") == "chunked":
            body = b""
            while True:
                while b"\r\n" not in self.rest:
                    self.rest += self.socket.recv(1 << 16)
                size, self.rest = self.rest.split(b"\r\n", 1)
                part = self.take(int(size, 16) + 2)
                if int(size, 16) == 0:
                    break
                body += part[:-2]
        else:
            body = self.take(int(fields.get("content-length", 0)))
        if status >= 400:
            raise RuntimeError(f"{status}: {body[:500]}")
        return body

    def post(self, path, value):
        return json.loads(self.send("POST", API + path, json.dumps(value).encode()) or b"{}")


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def writer(url, seconds, metrics, begin, out):
    """One client that logs as fast as it is answered, each time other values of the same metrics."""
    client = Client(url)
    run = client.post("runs/create", {"experiment_id": "0", "start_time": 1})["run"]["info"]["run_id"]
    times, step, now = [], 0, int(time.time() * 1000)
    begin.wait()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        value = [{"key": f"metric_{index}", "value": random.random(), "timestamp": now + step, "step": step} for index in range(metrics)]
        if metrics == 1:
            path, body = "runs/log-metric", {"run_id": run, **value[0]}
        else:
            path, body = "runs/log-batch", {"run_id": run, "metrics": value}
        body = json.dumps(body).encode()
        before = time.perf_counter()
        client.send("POST", API + path, body)
        times.append(time.perf_counter() - before)
        step += 1
    out.put(times)


def writing(url, seconds, metrics, clients):
    begin, out = multiprocessing.Barrier(clients), multiprocessing.Queue()
    workers = [multiprocessing.Process(target=writer, args=(url, seconds, metrics, begin, out)) for _ in range(clients)]
    for worker in workers:
        worker.start()
    times = [value for _ in workers for value in out.get()]
    for worker in workers:
        worker.join()
    return {"per_second": len(times) / seconds, "p50_ms": percentile(times, 0.5) * 1e3, "p99_ms": percentile(times, 0.99) * 1e3}


def contents(index):
    """What a run of the searches has: ten metrics, ten parameters, five tags."""
    generator = random.Random(index)
    metrics = {f"metric_{key}": generator.random() for key in range(10)}
    params = {f"param_{key}": str(generator.randrange(10)) for key in range(10)}
    tags = {f"tag_{key}": f"value {generator.randrange(100)}" for key in range(5)}
    return metrics, params, tags


def fill_part(url, experiment, indexes):
    client = Client(url)
    for index in indexes:
        metrics, params, tags = contents(index)
        run = client.post("runs/create", {"experiment_id": experiment, "start_time": index, "run_name": f"run {index}"})
        client.post("runs/log-batch", {
            "run_id": run["run"]["info"]["run_id"],
            "metrics": [{"key": key, "value": value, "timestamp": 1, "step": 0} for key, value in metrics.items()],
            "params": [{"key": key, "value": value} for key, value in params.items()],
            "tags": [{"key": key, "value": value} for key, value in tags.items()],
        })


def fill_ours(url, experiment, count):
    workers = [multiprocessing.Process(target=fill_part, args=(url, experiment, range(part, count, 8))) for part in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0


def fill_mlflow(database, experiment, count):
    """The same rows, past MLflow's server, which would take a quarter of an hour."""
    with contextlib.closing(sqlite3.connect(database, timeout=60)) as connection:
        for index in range(count):
            run = uuid.uuid4().hex
            metrics, params, tags = contents(index)
            connection.execute(
                "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, source_version,"
                " lifecycle_stage, artifact_uri, experiment_id) VALUES (?, ?, 'UNKNOWN', '', '', '', 'RUNNING', ?, '', 'active', ?, ?)",
                (run, f"run {index}", index, f"mlflow-artifacts:/{experiment}/{run}/artifacts", int(experiment)))
            rows = [(key, value, 1, run, 0, 0) for key, value in metrics.items()]
            connection.executemany("INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT INTO latest_metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?, ?, ?, ?, ?, ?)", rows)
            connection.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", [(k, v, run) for k, v in params.items()])
            tags["mlflow.runName"] = f"run {index}"
            connection.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)", [(k, v, run) for k, v in tags.items()])
        connection.commit()


def searching(url, experiment, count):
    client = Client(url)

    def timed(body, repeat):
        times = []
        for _ in range(repeat):
            before = time.perf_counter()
            answer = client.send("POST", API + "runs/search", json.dumps({"experiment_ids": [experiment], **body}).encode())
            times.append(time.perf_counter() - before)
        return percentile(times, 0.5) * 1e3, min(times) * 1e3, json.loads(answer)

    page, page_least, answer = timed({"max_results": 100}, 15)
    assert len(answer["runs"]) == 100
    wanted = {"max_results": 100, "filter": "metrics.metric_0 > 0.5 and params.param_0 = '3'", "order_by": ["metrics.metric_1 DESC"]}
    filtered, filtered_least, answer = timed(wanted, 15)
    first = [next(m["value"] for m in run["data"]["metrics"] if m["key"] == "metric_1") for run in answer["runs"]]
    assert first == sorted(first, reverse=True)
    before, token, found = time.perf_counter(), None, 0
    while True:
        body = {"experiment_ids": [experiment], "max_results": 1000, **({"page_token": token} if token else {})}
        answer = client.send("POST", API + "runs/search", json.dumps(body).encode())
        # Python's reading of JSON would take longer than the search.
        found += answer.count(b'"run_uuid"')
        match = re.search(rb'"next_page_token": ?"([^"]*)"', answer)
        token = match.group(1).decode() if match else None
        if not token:
            break
    everything = time.perf_counter() - before
    assert found == count
    return {"page_ms": page, "page_least_ms": page_least, "filtered_ms": filtered, "filtered_least_ms": filtered_least,
            "first": first[:5], "all_s": everything}


def family(pid):
    """A process and all below it."""
    found = [pid]
    for parent in found:
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True).stdout
        found += [int(child) for child in children.split()]
    return found


def resident(pid):
    total = 0
    for member in family(pid):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{member}/status").read_text().splitlines():
                if line.startswith("VmRSS:"):
                    total += int(line.split()[1]) * 1024
    return total


def files(url, pid, megabytes):
    part = os.urandom(1 << 20)
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{uuid.uuid4().hex}/artifacts/big.bin"
    most, before_all = 0, resident(pid)
    best = {}
    for attempt in range(2):
        client = Client(url)
        size = megabytes << 20
        before = time.perf_counter()
        client.socket.sendall(f"PUT {path} HTTP/1.1\r\nHost: {client.host}\r\nContent-Type: application/octet-stream\r\nContent-Length: {size}\r\n\r\n".encode())
        for index in range(megabytes):
            client.socket.sendall(part)
            if index % 64 == 0:
                most = max(most, resident(pid))
        client.answer()
        up = size / 1e6 / (time.perf_counter() - before)
        before = time.perf_counter()
        client.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: {client.host}\r\n\r\n".encode())
        status, fields = client.head()
        got, buffer, parts = len(client.rest), bytearray(1 << 20), 0
        if fields.get("transfer-encoding") == "chunked":
            while not client.rest.endswith(b"0\r\n\r\n"):
                count = client.socket.recv_into(buffer)
                got += count
                client.rest = (client.rest + bytes(buffer[:count]))[-16:]
        else:
            size_of_answer = int(fields["content-length"])
            while got < size_of_answer:
                got += client.socket.recv_into(buffer)
                parts += 1
                if parts % 256 == 0:
                    most = max(most, resident(pid))
        assert got >= size and status == 200
        down = size / 1e6 / (time.perf_counter() - before)
        best = {"up": max(up, best.get("up", 0)), "down": max(down, best.get("down", 0))}
    most = max(most, resident(pid))
    return {"upload_mb_s": best["up"], "download_mb_s": best["down"], "growth_mb": max(0, most - before_all) / 1e6}


def measure(name, start, options, fill):
    found = {}
    begun = time.perf_counter()
    with start() as (url, child):
        found["start_s"] = time.perf_counter() - begun
        time.sleep(2)
        found["rest_mb"] = resident(child.pid) / 1e6
        for metrics, title in ((100, "log_batch"), (1, "log_metric")):
            for clients in (1, 8):
                found[f"{title} {clients}"] = writing(url, options.seconds, metrics, clients)
                print(name, title, clients, found[f"{title} {clients}"], flush=True)
        experiment = Client(url).post("experiments/create", {"name": "many"})["experiment_id"]
        fill(url, experiment)
        found["search"] = searching(url, experiment, options.runs)
        print(name, found["search"], flush=True)
        found["files"] = files(url, child.pid, options.megabytes)
        found["after_mb"] = resident(child.pid) / 1e6
        print(name, found["files"], found["start_s"], found["rest_mb"], flush=True)
    return found


@contextlib.contextmanager
def usual_mlflow(folder):
    """As `mlflow server` starts without flags: four workers."""
    with servers.mlflow(folder, workers=4) as server:
        yield server


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--only", choices=["ours", "mlflow"])
    options = parser.parse_args()
    results = {"cores": os.cpu_count(), "load": os.getloadavg()}
    if Path(options.output).exists() and options.only:
        results = json.loads(Path(options.output).read_text())
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "ours"), Path(folder, "theirs")
        ours.mkdir()
        theirs.mkdir()
        if options.only != "mlflow":
            results["ours"] = measure("HushML", lambda: servers.hush(options.server, ours), options,
                                      lambda url, experiment: fill_ours(url, experiment, options.runs))
        if options.only != "ours":
            database = theirs / "mlflow.db"
            results["mlflow"] = measure("MLflow", lambda: servers.mlflow(theirs), options,
                                        lambda _, experiment: fill_mlflow(database, experiment, options.runs))
            begun = time.perf_counter()
            with usual_mlflow(theirs) as (_, child):
                results["mlflow"]["usual_start_s"] = time.perf_counter() - begun
                time.sleep(5)
                results["mlflow"]["usual_rest_mb"] = resident(child.pid) / 1e6
    Path(options.output).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
