"""The same things done with MLflow's package against its own server and ours, on every store; says where answers differ.

usage: mlflow_compare.py FOLDER-OF-hush-server [sqlite|postgres|s3]...
"""

import json
import os
import subprocess
import sys
import tempfile
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
    with open(Path(folder, f"{name}.log"), "w") as log:
        done = subprocess.run([sys.executable, HERE / "mlflow_scenario.py", url, out], stdout=log, stderr=log, cwd=folder, env=environment)
    if done.returncode:
        raise SystemExit(f"error: the scenario fails against {name}:\n{Path(folder, f'{name}.log').read_text()[-4000:]}")
    return {entry["step"]: entry["answer"] for entry in json.loads(out.read_text())}


def differences(theirs, ours):
    for step in dict.fromkeys([*theirs, *ours]):
        expected, found = theirs.get(step, "no such step"), ours.get(step, "no such step")
        if expected == found:
            continue
        if step in ON_PURPOSE and expected[0] == found[0]:
            continue
        yield step, expected, found


def main():
    server = str(Path(sys.argv[1], "hush-server").resolve())
    stores = sys.argv[2:] or ["sqlite", "postgres", "s3"]
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
            if store == "postgres":
                with servers.postgres() as place, servers.hush(server, own, store=place) as (url, _):
                    ours = answers(url, own, store)
            elif store == "s3":
                with servers.s3(own) as (place, environment), servers.hush(server, own, artifacts=place, environment=environment) as (url, _):
                    ours = answers(url, own, store)
            else:
                with servers.hush(server, own) as (url, _):
                    ours = answers(url, own, store)
            found = list(differences(theirs, ours))
            for step, expected, got in found:
                print(f"{store}: {step}\n    MLflow: {json.dumps(expected)[:600]}\n    ours:   {json.dumps(got)[:600]}")
            print(f"{store}: {len(ours)} answers, {len(found)} differ", flush=True)
            wrong += len(found)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
