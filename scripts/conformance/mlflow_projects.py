"""`mlflow run`: a project's entry point as a run of the server."""

import sys
import tempfile
from pathlib import Path

import mlflow
from mlflow.exceptions import ExecutionException

from mlflow_answers import client, note

PROJECT = """
name: example
entry_points:
  main:
    parameters:
      alpha: {{type: float, default: 0.25}}
      label: {{type: string, default: nothing}}
    command: "{python} main.py {{alpha}} {{label}}"
  fails:
    command: "exit 3"
"""
SCRIPT = "import sys, mlflow; mlflow.log_metric('alpha', float(sys.argv[1])); mlflow.set_tag('label', sys.argv[2])"


def projects():
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "MLproject").write_text(PROJECT.format(python=sys.executable))
        Path(folder, "main.py").write_text(SCRIPT)
        options = {"experiment_name": "projects", "env_manager": "local"}
        done = mlflow.projects.run(folder, parameters={"alpha": 0.5, "label": "two words"}, **options)
        run = client.get_run(done.run_id)
        tags = {key: value for key, value in run.data.tags.items() if key not in ("mlflow.source.name", "mlflow.user", "mlflow.runName")}
        note("project", [run.info.status, run.data.params, run.data.metrics, tags, run.data.tags["mlflow.source.name"] == folder])
        try:
            mlflow.projects.run(folder, entry_point="fails", **options)
        except ExecutionException:
            made = client.get_experiment_by_name("projects").experiment_id
            note("project that fails", [run.info.status for run in client.search_runs([made])])
