"""The same things done with MLflow's package against its own server and ours, on every store; says where answers differ.

usage: mlflow_compare.py FOLDER-OF-hush-server [sqlite|postgres|s3|postgres-s3]...
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import tracking_servers as servers

HERE = Path(__file__).resolve().parent
# Where ours differs on purpose, and why.
ON_PURPOSE = {
    "name taken": "MLflow's refusal has the SQL statement and its parameters in it",
    "registered twice": "the same",
    "wrong filter": "ours names the key that there is not",
    "order nothing": "the same",
    "order metrics.a UP": "ours says that it cannot be read",
    "filter a = 'x' OR b = 'y'": "ours shows the whole filter",
}


def answers(url, folder, name):
    out = Path(folder, f"{name}.json")
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "GIT_PYTHON_REFRESH": "quiet"}
    told = Path(folder, f"{name}-client.log")
    with open(told, "w") as log:
        done = subprocess.run([sys.executable, HERE / "mlflow_scenario.py", url, out], stdout=log, stderr=log, cwd=folder, env=environment)
    if done.returncode:
        raise SystemExit(f"error: the scenario fails against {name}:\n{told.read_text()[-4000:]}")
    return {entry["step"]: entry["answer"] for entry in json.loads(out.read_text())}


def differences(theirs, ours):
    for step in dict.fromkeys([*theirs, *ours]):
        expected, found = theirs.get(step, "no such step"), ours.get(step, "no such step")
        if expected == found:
            continue
        if step in ON_PURPOSE and expected[0] == found[0]:
            continue
        yield step, expected, found


@contextlib.contextmanager
def ours(server, store, folder):
    """Our server with everything where `store` says: a database, an object store or both."""
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(servers.postgres()) if "postgres" in store else None
        artifacts, environment = stack.enter_context(servers.s3(folder)) if "s3" in store else (None, None)
        yield stack.enter_context(servers.hush(server, folder, store=place, artifacts=artifacts, environment=environment))


def main():
    server = str(Path(sys.argv[1], "hush-server").resolve())
    stores = sys.argv[2:] or ["sqlite", "postgres", "s3", "postgres-s3"]
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        reference = os.environ.get("MLFLOW_REFERENCE")
        if reference and Path(reference).exists():
            theirs = json.loads(Path(reference).read_text())
        else:
            with servers.mlflow(folder) as (url, _):
                theirs = answers(url, folder, "mlflow")
            if reference:
                Path(reference).write_text(json.dumps(theirs))
        for store in stores:
            own = tempfile.mkdtemp(dir=folder)
            with ours(server, store, own) as (url, _):
                found = answers(url, own, store)
            other = list(differences(theirs, found))
            for step, expected, got in other:
                print(f"{store}: {step}\n    MLflow: {json.dumps(expected)[:600]}\n    ours:   {json.dumps(got)[:600]}")
            print(f"MLflow {version('mlflow')}, {store}: {len(found)} answers, {len(other)} differ", flush=True)
            wrong += len(other)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
