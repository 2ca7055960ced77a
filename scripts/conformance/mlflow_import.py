"""A store of MLflow's own server, on SQLite and PostgreSQL, taken over by ours: the same clients then see the same.

usage: mlflow_import.py FOLDER-OF-hush-server [sqlite|postgres]...
"""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import tracking_servers as servers

FILL = """
import sys, tempfile, mlflow, numpy as np, pandas as pd
from pathlib import Path
from mlflow import MlflowClient
from sklearn.linear_model import LogisticRegression
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
made = mlflow.set_experiment("flowers ü")
x = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc")); y = (x.a > 0).astype(int)
model = LogisticRegression().fit(x, y)
for index in range(7):
    with mlflow.start_run(run_name=f"run {index} ü", description="about") as run:
        mlflow.log_params({"depth": index, "long": "x" * 5000, "ü": "ß"})
        for step in range(30):
            mlflow.log_metrics({"loss": 1 / (1 + step + index), "a/b": -float(step)}, step=step)
        mlflow.log_metrics({"nan": float("nan"), "inf": float("inf"), "-inf": -float("inf")})
        mlflow.set_tag("team", "a"); mlflow.log_text("hello text", "notes/a b ü.txt"); mlflow.log_text("", "empty")
        mlflow.log_input(mlflow.data.from_pandas(x, name="frame"), context="training", tags={"k": "v"})
        with mlflow.start_run(run_name="child", nested=True):
            mlflow.log_metric("m", 1)
        if index == 0:
            info = mlflow.sklearn.log_model(model, name="net", input_example=x.head(2), registered_model_name="iris", params={"p": "q"}, tags={"t": "u"})
            mlflow.log_metric("score", 0.9, model_id=info.model_id)
client.delete_run(run.info.run_id)
mlflow.register_model(f"models:/{info.model_id}", "iris", tags={"of": "version"})
client.set_registered_model_alias("iris", "champion", "1"); client.set_model_version_tag("iris", "1", "k", "v")
client.update_registered_model("iris", "of flowers"); client.set_registered_model_tag("iris", "x", "y")
client.transition_model_version_stage("iris", "2", "Staging"); client.update_model_version("iris", "1", "the first")
client.create_registered_model("empty"); client.delete_model_version("iris", client.copy_model_version("models:/iris/1", "iris").version)
gone = client.create_experiment("gone", tags={"a": "b"}); client.delete_experiment(gone)
mlflow.genai.register_prompt("greet", "Hello {{name}}", tags={"a": "b"})
"""

SEE = """
import hashlib, json, math, sys, mlflow
from mlflow import MlflowClient
from mlflow.entities import ViewType
mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
def files(uri, path=""):
    return sorted((entry.path, entry.file_size) for entry in mlflow.artifacts.list_artifacts(uri) if not entry.is_dir)
def tree(run_id, path=None):
    for entry in client.list_artifacts(run_id, path):
        if entry.is_dir:
            yield from tree(run_id, entry.path)
        else:
            yield [entry.path, entry.file_size]
seen = {}
for e in client.search_experiments(view_type=ViewType.ALL):
    seen[f"experiment {e.name}"] = [e.experiment_id, e.lifecycle_stage, e.creation_time, dict(e.tags)]
    for r in client.search_runs([e.experiment_id], run_view_type=ViewType.ALL):
        i = r.info
        seen[f"run {i.run_id}"] = [i.run_name, i.status, i.start_time, i.end_time, i.lifecycle_stage, r.data.params, r.data.tags, r.data.metrics]
        seen[f"inputs {i.run_id}"] = [[d.dataset.to_dictionary(), sorted([t.key, t.value] for t in d.tags)] for d in r.inputs.dataset_inputs]
        seen[f"models of {i.run_id}"] = [[m.model_id for m in r.inputs.model_inputs], [[m.model_id, m.step] for m in r.outputs.model_outputs]]
        for key in r.data.metrics:
            seen[f"history {i.run_id} {key}"] = sorted([m.timestamp, m.step, m.value] for m in client.get_metric_history(i.run_id, key))
        if i.lifecycle_stage == "active":
            seen[f"files {i.run_id}"] = sorted(tree(i.run_id))
    if e.lifecycle_stage == "active":
        for m in client.search_logged_models([e.experiment_id]):
            seen[f"logged model {m.model_id}"] = [m.name, str(m.status), m.source_run_id, m.params, m.tags, m.creation_timestamp, sorted([x.key, x.value, x.step] for x in m.metrics or [])]
for m in [*client.search_registered_models(), *client.search_registered_models("tags.`mlflow.prompt.is_prompt` = 'true'")]:
    seen[f"registered {m.name}"] = [m.description, {k: v for k, v in m.tags.items() if k != "_mlflow_experiment_ids"}, dict(m.aliases), m.creation_timestamp]
for name in ("iris", "greet", "empty"):
    for v in client.search_model_versions(f"name = '{name}'"):
        seen[f"version {v.name} {v.version}"] = [v.description, dict(v.tags), list(client.get_model_version(v.name, v.version).aliases), v.current_stage, v.run_id, v.source, v.creation_timestamp, v.status]
import numpy as np, pandas as pd
x = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("abc"))
seen["predictions"] = [int(v) for v in mlflow.pyfunc.load_model("models:/iris@champion").predict(x)]
seen["prompt"] = mlflow.genai.load_prompt("prompts:/greet/1").template
json.dump(seen, open(sys.argv[2], "w"), default=list)
"""


def ask(script, *arguments):
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "GIT_PYTHON_REFRESH": "quiet", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], capture_output=True, text=True, env=environment)
    if done.returncode:
        raise SystemExit(f"error: {done.stderr[-3000:]}")


def seen(url, folder, name):
    path = Path(folder, f"{name}.json")
    ask(SEE, url, path)
    return json.loads(path.read_text())


def files(folder):
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def main():
    server = str(Path(sys.argv[1], "hush-server").resolve())
    wrong = 0
    for store in sys.argv[2:] or ["sqlite", "postgres"]:
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            # The driver that is installed.
            postgres = lambda: stack.enter_context(servers.postgres()).replace("postgresql:", "postgresql+psycopg2:")
            place = postgres() if store == "postgres" else f"sqlite:///{folder}/mlflow.db"
            with servers.mlflow(folder, store=place) as (url, _):
                ask(FILL, url)
                theirs = seen(url, folder, "theirs")
            before = files(f"{folder}/mlartifacts")
            arguments = ["--backend-store-uri", f"sqlite:///{folder}/hush.db", "--artifacts-destination", f"{folder}/artifacts"]
            command = [server, "server", "import-mlflow", "--from", place, "--from-artifacts", f"{folder}/mlartifacts", *arguments]
            # Twice, as after an interruption.
            for _ in range(2):
                said = subprocess.run(command, capture_output=True, text=True)
                if said.returncode:
                    raise SystemExit(f"error: {said.stderr}")
                print(f"{store}: {said.stdout.strip()}")
            with servers.hush(server, folder, store=arguments[1], artifacts=arguments[3]) as (url, _):
                ours = seen(url, folder, "ours")
            for key in dict.fromkeys([*theirs, *ours]):
                # `NaN` is not itself.
                expected, found = json.dumps(theirs.get(key), sort_keys=True), json.dumps(ours.get(key), sort_keys=True)
                if expected != found:
                    wrong += 1
                    print(f"{store}: {key}\n    MLflow: {expected[:600]}\n    ours:   {found[:600]}")
            if before != files(f"{folder}/artifacts"):
                wrong += 1
                print(f"{store}: files differ: {sorted(set(before.items()) ^ set(files(f'{folder}/artifacts').items()))[:6]}")
            print(f"{store}: {len(theirs)} things compared", flush=True)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
