"""`mlflow models serve` with a version of the registry, asked over HTTP."""

import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

from mlflow_answers import note
from tracking_servers import answers, free_port, process


def ask(address, body):
    request = urllib.request.Request(f"{address}/invocations", json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return [response.status, json.loads(response.read())]
    except urllib.error.HTTPError as error:
        return [error.code, json.loads(error.read())["error_code"]]


def serving(uri, frame):
    """Serves what `uri` names in a process of its own and notes what it answers."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    # "local" is the environment of this interpreter, whose programs have to be found.
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local", "-p", str(port)]
    with tempfile.NamedTemporaryFile() as log, process(command, lambda: answers(f"{address}/ping"), log.name, env=environment):
        note("serve", ask(address, {"dataframe_split": frame.to_dict("split")}))
        note("serve records", ask(address, {"dataframe_records": frame.to_dict("records")}))
        note("serve nonsense", ask(address, {"nothing": 1}))
    command = [sys.executable, "-m", "mlflow", "models", "predict", "-m", uri, "--env-manager", "local"]
    said = subprocess.run(command, input=json.dumps({"dataframe_split": frame.to_dict("split")}), capture_output=True, text=True, check=True, env=environment)
    note("predict", json.loads(said.stdout.strip().splitlines()[-1]))
