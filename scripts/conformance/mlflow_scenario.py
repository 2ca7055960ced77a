"""What people do with MLflow, through its own unmodified package; prints every answer as JSON, ids and times aside.

Run against two servers it shows where their answers differ: see mlflow_compare.py.
"""

import json
import math
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag, ViewType
from mlflow.exceptions import MlflowException

mlflow.set_tracking_uri(sys.argv[1])
client = MlflowClient()
ANSWERS = []
NAMES = {}


def plain(value):
    """A value without what differs from server to server: ids by order of appearance, no times."""
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in sorted(value.items(), key=lambda pair: str(pair[0]))}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return "NaN" if math.isnan(value) else value
    if isinstance(value, (int, bool)) or value is None:
        return value
    text = str(value)
    text = re.sub(r"m-[0-9a-f]{32}|a-[0-9a-f]{32}|d-[0-9a-f]{32}|tr-[0-9a-f]{32}|[0-9a-f]{32}", known, text)
    return re.sub(r"[a-z]+-[a-z]+-\d+\b", "<name>", text)


def known(match):
    return NAMES.setdefault(match.group(0), f"<id{len(NAMES)}>")


def note(step, value=None):
    ANSWERS.append({"step": step, "answer": plain(value)})


def refused(step, call):
    """Notes with which code and text something is refused."""
    try:
        call()
        note(step, "allowed")
    except MlflowException as error:
        text = str(error).split("Error: (")[0].strip()
        text = re.sub(r"BAD_REQUEST: |Response: .*", "", text)
        text = re.sub(r"Valid (keys|values|entity types) are.*|not one of.*", "…", text, flags=re.S)
        note(step, [error.error_code, text])


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


def listed(run_id, path=None):
    files = []
    for entry in client.list_artifacts(run_id, path):
        files.append([entry.path, entry.is_dir, None if entry.path.endswith("png") else entry.file_size])
        if entry.is_dir:
            files += listed(run_id, entry.path)
    return files


def models():
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression

    mlflow.set_experiment("models")
    mlflow.sklearn.autolog(log_datasets=True, silent=True)
    x, y = load_iris(return_X_y=True, as_frame=True)
    with mlflow.start_run(run_name="auto") as active:
        model = LogisticRegression(max_iter=200).fit(x, y)
    mlflow.sklearn.autolog(disable=True)
    got = mlflow.get_run(active.info.run_id)
    note("autolog", [sorted(got.data.metrics), got.data.params["max_iter"], len(got.inputs.dataset_inputs), len(got.outputs.model_outputs)])
    with mlflow.start_run(run_name="logged") as active:
        info = mlflow.sklearn.log_model(model, name="net", input_example=x.head(2), registered_model_name="iris")
        mlflow.log_metric("score", 0.9, model_id=info.model_id)
    logged = mlflow.get_logged_model(info.model_id)
    note("logged model", [logged.name, str(logged.status), logged.source_run_id == active.info.run_id, [m.key for m in logged.metrics or []], sorted(k for k in logged.tags if not k.startswith("mlflow.source") and k != "mlflow.user")])
    found = client.search_logged_models([logged.experiment_id], filter_string="name = 'net'")
    note("search logged", [m.name for m in found])
    note("by metric", [m.name for m in client.search_logged_models([logged.experiment_id], filter_string="metrics.score > 0.5", order_by=[{"field_name": "metrics.score", "ascending": False}])])
    client.set_logged_model_tags(info.model_id, {"a": "b"})
    client.delete_logged_model_tag(info.model_id, "a")
    refused("no such model tag", lambda: client.delete_logged_model_tag(info.model_id, "a"))
    refused("no such logged model", lambda: client.get_logged_model("m-" + "0" * 32))
    mlflow.register_model(f"runs:/{active.info.run_id}/net", "iris")
    client.set_registered_model_alias("iris", "champion", "1")
    client.set_model_version_tag("iris", "1", "k", "v")
    client.update_model_version("iris", "1", "the first")
    client.update_registered_model("iris", "flowers")
    client.set_registered_model_tag("iris", "team", "a")
    client.transition_model_version_stage("iris", "2", "Staging")
    model_of = client.get_registered_model("iris")
    note("registered", [model_of.name, model_of.description, dict(model_of.tags), dict(model_of.aliases), sorted([v.version, v.current_stage] for v in model_of.latest_versions)])
    version = client.get_model_version("iris", "1")
    note("version", [version.version, version.description, dict(version.tags), version.aliases, version.status, version.current_stage, version.run_id == active.info.run_id])
    for uri in ("models:/iris/1", "models:/iris@champion", "models:/iris/latest", "models:/iris/Staging", f"models:/{info.model_id}"):
        loaded = mlflow.pyfunc.load_model(uri)
        note(f"load {uri.replace(info.model_id, 'M')}", [int(v) for v in loaded.predict(x.head(3))])
    refused("no such alias", lambda: client.get_model_version_by_alias("iris", "nobody"))
    refused("no such version", lambda: client.get_model_version("iris", "9"))
    refused("no such registered model", lambda: client.get_registered_model("nothing"))
    refused("registered twice", lambda: client.create_registered_model("iris"))
    refused("alias latest", lambda: client.set_registered_model_alias("iris", "latest", "1"))
    refused("stage nowhere", lambda: client.transition_model_version_stage("iris", "1", "Nowhere"))
    refused("name with slash", lambda: client.create_registered_model("a/b"))
    for index in range(7):
        client.create_registered_model(f"model-{index}", tags={"n": str(index)})
    names, token = [], None
    while True:
        page = client.search_registered_models(max_results=3, page_token=token)
        names += [m.name for m in page]
        token = page.token
        if not token:
            break
    note("registered pages", names)
    note("search registered", [m.name for m in client.search_registered_models("name LIKE 'model-%' and tags.n = '3'")])
    note("search versions", [v.version for v in client.search_model_versions("name = 'iris'", order_by=["version_number ASC"])])
    note("by run", sorted(v.version for v in client.search_model_versions(f"run_id = '{active.info.run_id}'")))
    client.copy_model_version("models:/iris/1", "copied")
    copied = client.get_model_version("copied", "1")
    note("copied", [copied.name, copied.version, re.sub(r"m-[0-9a-f]+", "M", copied.source)])
    client.rename_registered_model("model-0", "renamed-model")
    client.delete_model_version("iris", "2")
    note("left", [v.version for v in client.search_model_versions("name = 'iris'")])
    client.delete_registered_model_alias("iris", "champion")
    client.delete_registered_model("model-1")
    note("latest", sorted([v.version, v.current_stage] for v in client.get_latest_versions("iris")))
    note("uri", re.sub(r"m-[0-9a-f]+|\d+/models", "M", client.get_model_version_download_uri("iris", "1")))


def prompts():
    mlflow.genai.register_prompt("greet", "Hello {{name}}", commit_message="first", tags={"a": "b"})
    mlflow.genai.register_prompt("greet", "Hi {{name}}")
    note("prompt", [mlflow.genai.load_prompt("prompts:/greet/1").template, mlflow.genai.load_prompt("prompts:/greet/2").version])
    note("models without prompts", "greet" in [m.name for m in client.search_registered_models()])
    note("prompts", [p.name for p in mlflow.genai.search_prompts()])


def traces():
    made = mlflow.set_experiment("traces")

    @mlflow.trace
    def inner(a):
        return a + 1

    @mlflow.trace(name="outer", attributes={"k": "v"})
    def outer(a):
        mlflow.update_current_trace(tags={"user": "me"})
        return inner(a) * 2

    outer(3)
    mlflow.flush_trace_async_logging()
    found, deadline = [], time.time() + 20
    while not found and time.time() < deadline:
        found = mlflow.search_traces(locations=[made.experiment_id], return_type="list")
    trace = client.get_trace(found[0].info.trace_id)
    note("trace", [trace.info.state, trace.info.tags.get("user"), trace.info.request_preview, trace.info.response_preview, sorted(s.name for s in trace.data.spans)])
    note("span values", sorted([str(s.inputs), str(s.outputs)] for s in trace.data.spans))
    client.set_trace_tag(trace.info.trace_id, "x", "y")
    note("by tag", len(mlflow.search_traces(locations=[made.experiment_id], filter_string="tags.x = 'y'", return_type="list")))
    note("by name", len(mlflow.search_traces(locations=[made.experiment_id], filter_string="trace.name = 'outer'", return_type="list")))
    client.delete_trace_tag(trace.info.trace_id, "x")
    mlflow.log_feedback(trace_id=trace.info.trace_id, name="good", value=True)
    note("feedback", [[a.name, a.feedback.value] for a in client.get_trace(trace.info.trace_id).info.assessments])
    note("deleted", client.delete_traces(made.experiment_id, trace_ids=[trace.info.trace_id]))


def evaluation():
    from mlflow.genai.datasets import create_dataset, delete_dataset, get_dataset

    made = mlflow.set_experiment("evaluation")
    dataset = create_dataset(name="questions", experiment_id=[made.experiment_id], tags={"a": "b"})
    dataset.merge_records([{"inputs": {"q": "1"}, "expectations": {"a": "x"}}, {"inputs": {"q": "2"}}])
    dataset.merge_records([{"inputs": {"q": "1"}, "expectations": {"b": "y"}}])
    again = get_dataset(dataset_id=dataset.dataset_id)
    frame = again.to_df()
    note("dataset", [again.name, again.tags.get("a"), sorted(str(v) for v in frame["inputs"]), sorted(str(v) for v in frame["expectations"])])
    delete_dataset(dataset_id=dataset.dataset_id)


def main():
    first = experiments()
    made = runs(first)
    refusals(made[1])
    history(made[2])
    fluent()
    models()
    for part in (prompts, traces, evaluation):
        try:
            part()
        except Exception as error:
            note(part.__name__, f"{type(error).__name__}: {error}")
    Path(sys.argv[2]).write_text(json.dumps(ANSWERS, indent=1))


if __name__ == "__main__":
    os.environ.setdefault("MLFLOW_TRACE_ENABLE_OTLP_DUAL_EXPORT", "false")
    np.random.seed(0)
    main()
