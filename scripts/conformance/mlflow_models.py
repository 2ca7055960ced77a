"""Models through MLflow's package: logged by hand and by autolog, registered, loaded, served, copied, deleted."""

import re

import mlflow

from mlflow_answers import MODERN, client, note, pages, refused
from mlflow_serving import serving


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
    outputs = len(got.outputs.model_outputs) if MODERN else None
    note("autolog", [sorted(got.data.metrics), got.data.params["max_iter"], len(got.inputs.dataset_inputs), outputs])
    with mlflow.start_run(run_name="logged") as active:
        name = {"name": "net"} if MODERN else {"artifact_path": "net"}
        info = mlflow.sklearn.log_model(model, **name, input_example=x.head(2), registered_model_name="iris")
    if MODERN:
        logged_model(active.info.run_id, info.model_id)
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
    note("version without a description", client.get_model_version("iris", "2").description)
    note("version", [version.version, version.description, dict(version.tags), version.aliases, version.status, version.current_stage, version.run_id == active.info.run_id])
    uris = {uri: uri for uri in ("models:/iris/1", "models:/iris@champion", "models:/iris/latest", "models:/iris/Staging")}
    uris["a run's model"] = f"runs:/{active.info.run_id}/net"
    if MODERN:
        uris["a logged model"] = f"models:/{info.model_id}"
    for name, uri in uris.items():
        note(f"load {name}", [int(v) for v in mlflow.pyfunc.load_model(uri).predict(x.head(3))])
    note("load again", [int(v) for v in mlflow.sklearn.load_model("models:/iris@champion").predict(x.tail(3))])
    serving("models:/iris@champion", x.iloc[[0, 60, 140]])
    refused("no such alias", lambda: client.get_model_version_by_alias("iris", "nobody"))
    refused("no such version", lambda: client.get_model_version("iris", "9"))
    refused("no such registered model", lambda: client.get_registered_model("nothing"))
    refused("registered twice", lambda: client.create_registered_model("iris"))
    refused("alias latest", lambda: client.set_registered_model_alias("iris", "latest", "1"))
    refused("stage nowhere", lambda: client.transition_model_version_stage("iris", "1", "Nowhere"))
    refused("name with slash", lambda: client.create_registered_model("a/b"))
    for index in range(7):
        client.create_registered_model(f"model-{index}", tags={"n": str(index)})
    names, _ = pages(client.search_registered_models, lambda m: m.name, max_results=3)
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


def logged_model(run_id, model_id):
    """What MLflow 3 keeps of a model beside the registry."""
    mlflow.log_metric("score", 0.9, run_id=run_id, model_id=model_id)
    logged = mlflow.get_logged_model(model_id)
    note("logged model", [logged.name, str(logged.status), logged.source_run_id == run_id, [m.key for m in logged.metrics or []], sorted(k for k in logged.tags if not k.startswith("mlflow.source") and k != "mlflow.user")])
    found = client.search_logged_models([logged.experiment_id], filter_string="name = 'net'")
    note("search logged", [m.name for m in found])
    note("by metric", [m.name for m in client.search_logged_models([logged.experiment_id], filter_string="metrics.score > 0.5", order_by=[{"field_name": "metrics.score", "ascending": False}])])
    client.set_logged_model_tags(model_id, {"a": "b"})
    client.delete_logged_model_tag(model_id, "a")
    refused("no such model tag", lambda: client.delete_logged_model_tag(model_id, "a"))
    refused("no such logged model", lambda: client.get_logged_model("m-" + "0" * 32))
