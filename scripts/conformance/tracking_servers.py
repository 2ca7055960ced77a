"""Servers for the conformance of tracking: ours, MLflow's own, PostgreSQL and an S3-compatible one, each until it is told to stop."""

import contextlib
import glob
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except OSError:
        return False


@contextlib.contextmanager
def process(command, ready, log, patience=120, **options):
    """Runs a command; goes on when `ready` says so; ends it, and all that it started."""
    with open(log, "wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True, **options)
    try:
        deadline = time.monotonic() + patience
        while not ready():
            if child.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} does not start:\n{Path(log).read_text()[-2000:]}")
            time.sleep(0.02)
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, 15)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, 9)


@contextlib.contextmanager
def hush(server, folder, store=None, artifacts=None, environment=None, arguments=()):
    """Our server; gives its address."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    store = store or f"sqlite:///{folder}/tracking.db"
    artifacts = artifacts or f"{folder}/artifacts"
    command = [server, "server", "--port", str(port), "--backend-store-uri", store, "--artifacts-destination", artifacts]
    command += ["--keys", f"{folder}/keys", "--log-level", "warn", *arguments]
    environment = {**os.environ, **(environment or {})}
    with process(command, lambda: answers(f"{url}/health"), f"{folder}/hush.log", env=environment) as child:
        yield url, child


@contextlib.contextmanager
def mlflow(folder, workers=1, store=None):
    """MLflow's own server, on a folder and a store (SQLite if none is named); of another version where MLFLOW_SERVER_PYTHON names its interpreter."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [os.environ.get("MLFLOW_SERVER_PYTHON", sys.executable), "-m", "mlflow", "server", "--port", str(port), "--workers", str(workers)]
    command += ["--backend-store-uri", store or f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", f"{folder}/mlartifacts"]
    with process(command, lambda: answers(f"{url}/health"), f"{folder}/mlflow.log", patience=400, cwd=folder) as child:
        yield url, child


@contextlib.contextmanager
def postgres():
    """PostgreSQL on a database of its own; gives the address. It refuses to run as root, so root runs it as somebody else."""
    found = glob.glob("/usr/lib/postgresql/*/bin/initdb") or [shutil.which("initdb")]
    if not found[-1]:
        raise RuntimeError("PostgreSQL's initdb is not installed")
    binaries = Path(sorted(found)[-1]).parent
    folder = Path(tempfile.mkdtemp(prefix="hush-postgres-"))
    other = []
    if os.geteuid() == 0:
        account = next((name for name in ("postgres", "nobody") if subprocess.run(["id", name], capture_output=True).returncode == 0), "nobody")
        other = ["setpriv", f"--reuid={account}", f"--regid={subprocess.check_output(['id', '-gn', account], text=True).strip()}", "--clear-groups"]
        shutil.chown(folder, account)
    port = free_port()
    run = lambda *command: subprocess.run([*other, *map(str, command)], check=True, capture_output=True, cwd=folder)
    run(binaries / "initdb", "-D", folder / "data", "-U", "hush", "--auth=trust", "--no-sync")
    command = [*other, str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(port), "-k", str(folder), "-h", "127.0.0.1"]

    def ready():
        check = [str(binaries / "pg_isready"), "-h", "127.0.0.1", "-p", str(port)]
        return subprocess.run(check, capture_output=True).returncode == 0

    try:
        with process(command, ready, "/dev/null", cwd=folder):
            run(binaries / "createdb", "-h", "127.0.0.1", "-p", port, "-U", "hush", "tracking")
            yield f"postgresql://hush@127.0.0.1:{port}/tracking"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def s3(folder):
    """An S3-compatible server with one bucket; gives the address of artifacts and the environment to reach it."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [str(Path(sys.executable).with_name("moto_server")), "-H", "127.0.0.1", "-p", str(port)]
    with process(command, lambda: answers(f"{url}/moto-api/"), f"{folder}/moto.log"):
        keys = {"AWS_ACCESS_KEY_ID": "hush", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_REGION": "us-east-1"}
        # It asks nobody who they are.
        urllib.request.urlopen(urllib.request.Request(f"{url}/artifacts", method="PUT")).close()
        yield "s3://artifacts/mlflow", {**keys, "MLFLOW_S3_ENDPOINT_URL": url}
