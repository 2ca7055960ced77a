"""What people do with MLflow, through its own unmodified package; prints every answer as JSON, ids and times aside.

Run against two servers it shows where their answers differ: see mlflow_compare.py.
"""

import os
import re
import tempfile
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Metric, Param, RunTag, ViewType

from mlflow_answers import MODERN, client, listed, note, pages, refused, write
from mlflow_files import files
from mlflow_genai import evaluation, prompts, traces
from mlflow_models import models
from mlflow_projects import projects


def experiment(entity):
    return [entity.name, entity.lifecycle_stage, dict(entity.tags), entity.artifact_location.rsplit("/", 1)[0]]


def run(entity):
    return {
        "status": entity.info.status,
        "stage": entity.info.lifecycle_stage,
        "name": entity.info.run_name,
        "metrics": entity.data.metrics,
        "params": entity.data.params,
        "tags": {key: value for key, value in entity.data.tags.items() if not re.match(r"mlflow\.(source|user|log-model)", key)},
        "ended": entity.info.end_time is not None,
    }


def experiments():
    ids = [client.create_experiment(f"exp-{index}", tags={"group": str(index % 2)}) for index in range(5)]
    note("experiment", experiment(client.get_experiment(ids[0])))
    note("by name", experiment(client.get_experiment_by_name("exp-1")))
    note("no such name", client.get_experiment_by_name("nothing"))
    refused("name taken", lambda: client.create_experiment("exp-0"))
    refused("no name", lambda: client.create_experiment(""))
    refused("no such experiment", lambda: client.get_experiment("99999999"))
    client.rename_experiment(ids[2], "renamed")
    client.set_experiment_tag(ids[2], "k", "v")
    client.delete_experiment(ids[3])
    refused("tag a deleted one", lambda: client.set_experiment_tag(ids[3], "k", "v"))
    for view in (ViewType.ACTIVE_ONLY, ViewType.DELETED_ONLY, ViewType.ALL):
        note(f"search {view}", sorted(e.name for e in client.search_experiments(view_type=view)))
    client.restore_experiment(ids[3])
    for filter_string in ("name = 'exp-0'", "name LIKE 'exp-%'", "name ILIKE 'EXP-%'", "tags.group = '1'", "tags.`k` = 'v'", "name != 'exp-0' AND tags.group = '0'"):
        found = client.search_experiments(filter_string=filter_string, order_by=["name ASC"])
        note(f"filter {filter_string}", [e.name for e in found])
    refused("wrong filter", lambda: client.search_experiments(filter_string="nothing = 'x'"))
    page = client.search_experiments(max_results=2, order_by=["name DESC"])
    names = [e.name for e in page]
    while page.token:
        page = client.search_experiments(max_results=2, order_by=["name DESC"], page_token=page.token)
        names += [e.name for e in page]
    note("pages", names)
    return ids[0]


def runs(experiment_id):
    made = []
    for index in range(12):
        one = client.create_run(experiment_id, start_time=1_000_000 + index, run_name=f"run{index}", tags={"team": "ab"[index % 2]})
        made.append(one.info.run_id)
        client.log_param(one.info.run_id, "depth", index % 3)
        if index != 7:
            client.log_metric(one.info.run_id, "loss", float("nan") if index == 5 else 1 / (1 + index), step=0, timestamp=5)
        client.log_batch(
            one.info.run_id,
            metrics=[Metric("acc", index / 10, 10, step) for step in range(3)],
            params=[Param("lr", str(index))],
            tags=[RunTag("odd", str(index % 2 == 1))],
        )
        client.set_terminated(one.info.run_id, "FINISHED" if index % 4 else "FAILED", end_time=2_000_000 + index)
    note("run", run(client.get_run(made[3])))
    note("infinite", None)
    client.log_metric(made[0], "inf", float("inf"), timestamp=1)
    client.log_metric(made[0], "inf2", -float("inf"), timestamp=1)
    note("run 0", run(client.get_run(made[0])))
    client.delete_run(made[11])
    queries = [
        ("", None), ("metrics.loss < 0.5", ["metrics.loss DESC"]), ("metrics.loss != 0.5", ["metrics.loss ASC"]),
        ("params.depth = '1' and metrics.acc >= 0.4", ["metrics.acc ASC"]), ("params.depth != '1'", ["params.lr DESC"]),
        ("tags.team = 'a' AND attributes.status = 'FINISHED'", ["start_time ASC"]), ("tags.team LIKE 'b%'", ["tags.odd"]),
        ("attributes.run_name ILIKE 'RUN1%'", None), ("run_name = 'run4'", None), ("attributes.start_time > 1000005", ["attributes.end_time DESC"]),
        ("tags.nothing IS NULL", None), ("tags.team IS NOT NULL and params.depth IS NOT NULL", ["metrics.loss DESC"]),
        (f"attributes.run_id IN ('{made[1]}', '{made[2]}')", None), (f"run_id NOT IN ('{made[1]}', '{made[2]}')", None),
        ("metric.loss > 0 and parameter.lr LIKE '1%' and tag.team = 'a'", None), ("status != 'FAILED'", ["metrics.nothing", "start_time"]),
        ('params."lr" = "3"', None), ("tags.mlflow.runName = 'run2'", None), ("attributes.end_time <= 2000003", ["Created ASC"]),
    ]
    for filter_string, order in queries:
        found = client.search_runs([experiment_id], filter_string, order_by=order)
        note(f"runs {filter_string.replace(made[1], 'A').replace(made[2], 'B')} by {order}", [r.info.run_name for r in found])
    for wrong in ("metrics.a = 'x'", "params.a > 3", "nothing.a = 'x'", "metrics.a", "a = 'x' OR b = 'y'", "attributes.nothing = 'x'", "metrics.loss LIKE 'x'", "tags.a = 3"):
        refused(f"filter {wrong}", lambda: client.search_runs([experiment_id], wrong))
    for wrong in ("nothing", "metrics.a UP", "nothing.a"):
        refused(f"order {wrong}", lambda: client.search_runs([experiment_id], "", order_by=[wrong]))
    for order in (None, ["metrics.loss ASC"], ["params.lr DESC"], ["end_time"]):
        names, token = [], None
        while True:
            page = client.search_runs([experiment_id], "", order_by=order, max_results=5, page_token=token)
            names += [r.info.run_name for r in page]
            token = page.token
            if not token:
                break
        note(f"pages by {order}", names)
    for view in (ViewType.DELETED_ONLY, ViewType.ALL):
        note(f"runs {view}", sorted(r.info.run_name for r in client.search_runs([experiment_id], "", view)))
    client.restore_run(made[11])
    return made


def refusals(run_id):
    def number(**changes):
        return lambda: client.log_batch(run_id, metrics=[Metric("m", 1.0, changes.get("timestamp", 1), 0)])

    refused("changed param", lambda: client.log_param(run_id, "depth", "other"))
    refused("same params", lambda: client.log_batch(run_id, params=[Param("a", "1"), Param("a", "2")]))
    refused("no such run", lambda: client.log_metric("0" * 32, "a", 1))
    refused("get no such run", lambda: client.get_run("0" * 32))
    refused("many params", lambda: client.log_batch(run_id, params=[Param(f"p{index}", "x") for index in range(101)]))
    refused("many metrics", lambda: client.log_batch(run_id, metrics=[Metric("x", 1, 1, index) for index in range(1001)]))
    refused("no such tag", lambda: client.delete_tag(run_id, "nothing"))
    refused("negative time", number(timestamp=-1))
    refused("name with ..", lambda: client.log_batch(run_id, metrics=[Metric("../a", 1.0, 1, 0)]))
    refused("name with *", lambda: client.log_batch(run_id, tags=[RunTag("a*b", "x")]))
    client.log_param(run_id, "long", "x" * 7000)
    note("long param", len(client.get_run(run_id).data.params["long"]))
    client.delete_run(run_id)
    refused("log to a deleted run", lambda: client.log_metric(run_id, "a", 1))
    client.restore_run(run_id)


def history(run_id):
    for start in range(0, 3000, 1000):
        client.log_batch(run_id, metrics=[Metric("long", index * 0.5, 1000 + index, index) for index in range(start, start + 1000)])
    client.log_batch(run_id, metrics=[Metric("long", 1.5, 1003, 3)])
    values = client.get_metric_history(run_id, "long")
    note("history", [len(values), values[0].value, values[-1].value, values[-1].step, sum(v.value for v in values)])
    note("newest", client.get_run(run_id).data.metrics["long"])
    client.log_metric(run_id, "back", 2.0, step=5, timestamp=10)
    client.log_metric(run_id, "back", 1.0, step=4, timestamp=20)
    note("newest by step", client.get_run(run_id).data.metrics["back"])


def fluent():
    mlflow.set_experiment("fluent")
    with mlflow.start_run(run_name="parent", description="about") as parent:
        mlflow.log_params({"a": 1, "b": "x"})
        mlflow.log_metrics({"m": 1.0, "n": 2.0}, step=1)
        mlflow.set_tags({"t": 1})
        with mlflow.start_run(nested=True, run_name="child") as child:
            mlflow.log_metric("m", 3)
        mlflow.log_text("hello", "notes/hello.txt")
        mlflow.log_dict({"x": [1, 2]}, "data/x.json")
        mlflow.log_table({"q": ["a", "b"], "r": [1, 2]}, "table.json")
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "sub").mkdir()
            Path(folder, "sub", "a b [1].txt").write_text("odd")
            Path(folder, "empty").write_text("")
            mlflow.log_artifacts(folder, "tree")
        frame = pd.DataFrame({"x": [1.0, 2.0], "y": [0, 1]})
        mlflow.log_input(mlflow.data.from_pandas(frame, name="frame", targets="y"), context="training", tags={"k": "v"})
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot

        figure, axes = pyplot.subplots()
        axes.plot([1, 2])
        mlflow.log_figure(figure, "plots/line.png")
    got = mlflow.get_run(parent.info.run_id)
    note("parent", {**run(got), "tags": {k: v for k, v in run(got)["tags"].items() if k != "mlflow.loggedArtifacts"}})
    note("inputs", [[i.dataset.name, i.dataset.source_type, len(i.tags)] for i in got.inputs.dataset_inputs])
    note("child's parent", mlflow.get_run(child.info.run_id).data.tags["mlflow.parentRunId"] == parent.info.run_id)
    note("artifacts", listed(parent.info.run_id))
    note("file as folder", client.list_artifacts(parent.info.run_id, "table.json"))
    with tempfile.TemporaryDirectory() as folder:
        path = client.download_artifacts(parent.info.run_id, "tree", folder)
        note("downloaded", sorted(str(p.relative_to(path)) for p in Path(path).rglob("*")))
        note("odd file", Path(path, "sub", "a b [1].txt").read_text())
    note("load", mlflow.artifacts.load_dict(f"runs:/{parent.info.run_id}/data/x.json"))
    note("table", mlflow.load_table("table.json", run_ids=[parent.info.run_id]).to_dict("list"))
    frame = mlflow.search_runs(experiment_names=["fluent"], filter_string="metrics.m > 0", order_by=["metrics.m DESC"])
    note("frame", [list(frame["tags.mlflow.runName"]), sorted(c for c in frame.columns if c.startswith(("metrics", "params")))])
    refused("no such file", lambda: client.download_artifacts(parent.info.run_id, "nothing.txt"))
    datasets = client._tracking_client.store.search_runs([parent.info.experiment_id], "dataset.name = 'frame' and dataset.context = 'training'", 1, 10, None, None)
    note("by dataset", [r.info.run_name for r in datasets])


def system_metrics():
    """Metrics of the machine, which MLflow's package takes in a thread of its own while a run goes on."""
    mlflow.set_experiment("system")
    mlflow.set_system_metrics_sampling_interval(0.2)
    mlflow.set_system_metrics_samples_before_logging(1)
    with mlflow.start_run(log_system_metrics=True) as active:
        time.sleep(1.5)
    mlflow.set_system_metrics_sampling_interval(None)
    mlflow.set_system_metrics_samples_before_logging(None)
    got = client.get_run(active.info.run_id)
    note("system metrics", sorted(key for key in got.data.metrics if key.startswith("system/")))
    values = client.get_metric_history(active.info.run_id, "system/system_memory_usage_megabytes")
    note("taken more than once", [len(values) > 2, [value.step for value in values[:3]]])


def many():
    """More of everything than one page of the server holds."""
    made = mlflow.set_experiment("many")
    for index in range(1005):
        client.create_run(made.experiment_id, start_time=1000 + index, run_name=f"r{index}")
    names, count = pages(client.search_runs, lambda r: r.info.run_name, experiment_ids=[made.experiment_id], order_by=["attributes.start_time ASC"])
    note("many runs", [count, len(names), names[:2], names[-2:], len(set(names))])
    note("many runs as a table", len(mlflow.search_runs([made.experiment_id])))
    run_id = client.search_runs([made.experiment_id], max_results=1)[0].info.run_id
    for start in range(0, 26_000, 1000):
        client.log_batch(run_id, metrics=[Metric("v", index * 0.5, 1000 + index, index) for index in range(start, start + 1000)])
    values = client.get_metric_history(run_id, "v")
    note("long history", [len(values), values[-1].value, len({value.step for value in values})])
    for index in range(105):
        client.create_experiment(f"many-{index}")
    note("many experiments", pages(client.search_experiments, lambda e: e.name, filter_string="name LIKE 'many-%'", max_results=50, order_by=["name ASC"]))
    client.create_registered_model("many")
    for index in range(7):
        client.create_model_version("many", f"mlflow-artifacts:/{made.experiment_id}/{run_id}/artifacts/model{index}", run_id)
    found = pages(client.search_model_versions, lambda v: v.version, filter_string="name = 'many'", max_results=3, order_by=["version_number DESC"])
    note("many versions", found)
    if MODERN:
        for index in range(7):
            client.create_logged_model(made.experiment_id, f"net{index}")
        order = [{"field_name": "name", "ascending": True}]
        found = pages(client.search_logged_models, lambda m: m.name, experiment_ids=[made.experiment_id], max_results=3, order_by=order)
        note("many logged models", found)


def main():
    first = experiments()
    made = runs(first)
    refusals(made[1])
    history(made[2])
    fluent()
    system_metrics()
    files()
    models()
    prompts()
    traces()
    evaluation()
    projects()
    many()
    write()


if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT", "false")
    np.random.seed(0)
    main()
