"""`hush register`, `hush-server models:/…` and `hush run-project`, against MLflow's own server or the one that
HUSH_TEST_TRACKING_URI names. Takes the programs `hush` and `hush-server`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import uuid
from pathlib import Path

import numpy as np
import pytest
from conftest import TOLERANCE, floats, network
from test_server import Server, program

import hushml

mlflow = pytest.importorskip("mlflow")


def hush() -> Path | None:
    if "HUSH" in os.environ:
        return Path(os.environ["HUSH"])
    beside = program() and program().with_name("hush")
    return beside if beside and beside.exists() else None


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory):
    if program() is None or hush() is None:
        pytest.skip("there is no hush and hush-server: cargo build --release -p hush-cli -p hush-server")
    if uri := os.environ.get("HUSH_TEST_TRACKING_URI"):
        yield uri
        return
    folder = tmp_path_factory.mktemp("tracking")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
    try:
        uri = f"http://127.0.0.1:{port}"
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{uri}/health", timeout=5).close()
                break
            except OSError:
                assert server.poll() is None, (folder / "log").read_text()
                time.sleep(0.1)
        yield uri
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def tracking(tracking_uri, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking_uri)
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(tracking_uri)
    return mlflow.MlflowClient()


@pytest.fixture
def name():
    return f"small-{uuid.uuid4().hex[:8]}"


def run(*arguments, code=0, **options):
    done = subprocess.run([hush(), *arguments], capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


class Versions:
    """Networks of one shape, so that their keys are the same, in a registry."""

    def __init__(self, tracking, name, folder, count):
        self.tracking, self.name = tracking, name
        seeds = np.random.default_rng(int.from_bytes(name.encode(), "little") % 2**32)
        self.calibration = seeds.uniform(-1, 1, size=(256, 6))
        self.models = {}
        for version in range(1, count + 1):
            onnx = network(seeds)
            model, _ = hushml.compile(onnx, self.calibration, precision=1e-2).save(folder / f"v{version}")
            run("register", model, "--name", name)
            self.models[version] = onnx

    def alias(self, version, alias="production"):
        self.tracking.set_registered_model_alias(self.name, alias, str(version))

    def expected(self, version, x):
        return floats(self.models[version], {"x": x})[0]

    def which(self, x, y):
        """The version that an answer comes from."""
        fitting = [version for version in self.models if np.abs(self.expected(version, x) - y).max() < TOLERANCE]
        assert len(fitting) == 1, fitting
        return fitting[0]


def until(condition, what):
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"{what} did not happen")


def test_register(small, tracking, name, tmp_path, rng):
    model, _ = small.compiled.save(tmp_path / "small")
    experiment = mlflow.create_experiment(name)
    with mlflow.start_run(experiment_id=experiment) as training:
        pass
    said = run("register", model, "--name", name, "--run-id", training.info.run_id, "--alias", "production", "--tag", "a=b")
    assert f"models:/{name}/1" in said and training.info.run_id in said
    version = tracking.get_model_version_by_alias(name, "production")
    import hushml.mlflow

    facts = hushml.mlflow.facts(small.compiled.report_json, small.client.program_id)
    assert facts.items() <= version.tags.items() and version.tags["a"] == "b"
    assert version.run_id == training.info.run_id
    x = rng.uniform(-0.9, 0.9, size=(2, 6))
    found = mlflow.pyfunc.load_model(f"models:/{name}@production").predict(x)
    np.testing.assert_allclose(found, floats(small.onnx, {"x": x})[0], atol=TOLERANCE)
    run("register", model, "--name", name, "--experiment", name)
    assert str(tracking.get_model_version(name, "2").version) == "2"
    finished = mlflow.get_run(tracking.get_model_version(name, "2").run_id)
    assert finished.info.status == "FINISHED" and finished.info.experiment_id == experiment
    said = run("register", model, "--name", name, "--run-id", "nothing", code=1)
    assert "nothing" in said
    said = run("register", model, "--name", name, "--tracking-uri", "http://127.0.0.1:1", code=1)
    assert "cannot reach http://127.0.0.1:1" in said and "hint" in said


def test_an_alias_moves_under_load(tracking, tracking_uri, name, tmp_path, rng):
    versions = Versions(tracking, name, tmp_path, 3)
    versions.alias(1)
    x = rng.uniform(-0.9, 0.9, size=(1, 6))
    settings = ["--registry-cache", tmp_path / "cache", "--registry-interval", "100ms", "--retire-after", "1s"]
    settings += ["--keys", tmp_path / "server", "--tracking-uri", tracking_uri, f"models:/{name}@production"]
    with Server(*settings) as server:
        clients = [hushml.connect(server.grpc, name, keys=tmp_path / f"keys{i % 2}") for i in range(4)]
        over = threading.Event()
        answers: list[list[int]] = [[] for _ in clients]
        lost: list[Exception] = []

        def ask(index):
            while not over.is_set():
                try:
                    answers[index].append(versions.which(x, clients[index].predict(x, progress=False)))
                except Exception as error:
                    lost.append(error)

        threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(clients))]
        for thread in threads:
            thread.start()
        for version in (2, 3, 1, 2):
            versions.alias(version)
            # Also those that were there before come to the new version.
            until(lambda: lost or all(seen and seen[-1] == version for seen in answers), f"version {version}")
        over.set()
        for thread in threads:
            thread.join(60)
        assert not lost, lost[0]
        assert all(len(seen) > 10 for seen in answers), [len(seen) for seen in answers]
        fresh = hushml.connect(server.http, name, keys=tmp_path / "keys0")
        assert versions.which(x, fresh.predict(x)) == 2 and fresh.metadata["versions"] == ["2"]


def test_only_what_is_approved_is_served(tracking, tracking_uri, name, tmp_path, rng):
    versions = Versions(tracking, name, tmp_path, 2)
    x = rng.uniform(-0.9, 0.9, size=(1, 6))
    versions.alias(1)
    settings = ["--registry-cache", tmp_path / "cache", "--registry-interval", "100ms", "--retire-after", "0s"]
    settings += ["--keys", tmp_path / "server", "--tracking-uri", tracking_uri, "--require-tag", "approved=true"]

    def served(server):
        index = urllib.request.Request(f"{server.http}/v2/repository/index", b"{}", method="POST")
        import json

        with urllib.request.urlopen(index, timeout=10) as answer:
            return [model["version"] for model in json.load(answer) if model["name"] == name]

    with Server(*settings, f"models:/{name}@production") as server:
        assert served(server) == []
        tracking.set_model_version_tag(name, "1", "approved", "true")
        until(lambda: served(server) == ["1"], "the approved version")
        client = hushml.connect(server.grpc, name, keys=tmp_path / "keys")
        assert versions.which(x, client.predict(x)) == 1
        # The alias moves to one that nobody approved: the old one stays.
        versions.alias(2)
        time.sleep(0.5)
        assert served(server) == ["1"]
        tracking.set_model_version_tag(name, "2", "approved", "true")
        until(lambda: served(server) == ["2"], "the other approved version")
        # The approval is taken back.
        tracking.set_model_version_tag(name, "2", "approved", "false")
        until(lambda: served(server) == [], "the end of the version")
    tracking.set_model_version_tag(name, "2", "approved", "true")
    with Server(*settings, f"models:/{name}@production") as server:
        assert served(server) == ["2"]
    # Of another registry nothing is here, so the server does not start without it.
    settings[settings.index("--tracking-uri") + 1] = "http://127.0.0.1:1"
    done = subprocess.run(
        [program(), "--http", "127.0.0.1:0", "--grpc", "none", *settings, f"models:/{name}@production"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "registry: cannot reach" in done.stderr


def test_deployments_are_logged(small, tracking, tracking_uri, name, tmp_path, rng):
    import hushml.mlflow

    model, _ = small.compiled.save(tmp_path / name)
    run("register", model, "--name", name, "--alias", "production")
    settings = ["--registry-cache", tmp_path / "cache", "--keys", tmp_path / "server", "--tracking-uri", tracking_uri]
    settings += ["--log-to", f"deployments of {name}", "--log-interval", "200ms"]
    x = rng.uniform(-0.9, 0.9, size=(3, 6))
    with Server(*settings, f"models:/{name}@production") as server:
        config = {"server": server.http, "keys": str(tmp_path / "keys"), "report_drift": True}
        model = hushml.mlflow.load_model(f"models:/{name}@production", **config)
        y = model.predict(x)
        runs = []

        def logged():
            experiment = tracking.get_experiment_by_name(f"deployments of {name}")
            runs[:] = tracking.search_runs([experiment.experiment_id]) if experiment else []
            metrics = [metric for run in runs for metric in run.data.metrics]
            return "requests/answered" in metrics and any(metric.startswith("output/") for metric in metrics)

        until(logged, "the log of the deployment")
    [logged_run] = tracking.search_runs([runs[0].info.experiment_id])
    assert logged_run.data.tags["hush.deployment"] == name and logged_run.data.tags["hush.version"] == "1"
    metrics = logged_run.data.metrics
    assert metrics["milliseconds/total"] > 0
    ids = [tracking.get_metric_history(logged_run.info.run_id, key) for key in ("requests/answered", "samples")]
    requests, samples = [sum(point.value for point in history) for history in ids]
    assert 1 <= requests <= samples == 3
    assert abs(metrics["output/output/maximum"] - y.max()) < 1e-6 and metrics["reported_samples"] == 3
    assert logged_run.info.status == "FINISHED"


def test_a_server_follows_its_own_registry(small, tracking, name, tmp_path, rng, monkeypatch):
    model, _ = small.compiled.save(tmp_path / name)
    settings = ["--backend-store-uri", f"sqlite:///{tmp_path}/own.db", "--artifacts-destination", tmp_path / "artifacts"]
    settings += ["--registry-cache", tmp_path / "cache", "--keys", tmp_path / "server", "--registry-interval", "100ms"]
    settings += ["--log-to", "deployments", "--log-interval", "200ms", f"models:/{name}@production"]
    x = rng.uniform(-0.9, 0.9, size=(2, 6))
    with Server(*settings) as server:
        own = mlflow.MlflowClient(server.http, server.http)
        run("register", model, "--name", name, "--tracking-uri", server.http, "--alias", "production")

        def ready():
            try:
                urllib.request.urlopen(f"{server.http}/v2/models/{name}/ready", timeout=10).close()
            except OSError:
                return False
            return True

        until(ready, "the version of the server's own registry")
        client = hushml.connect(server.grpc, name, keys=tmp_path / "keys")
        np.testing.assert_allclose(client.predict(x), floats(small.onnx, {"x": x})[0], atol=TOLERANCE)

        def logged():
            experiment = own.get_experiment_by_name("deployments")
            runs = own.search_runs([experiment.experiment_id]) if experiment else []
            return any("requests/answered" in run.data.metrics for run in runs)

        until(logged, "the log of the deployment")


def test_a_canary(small, tracking, name, tmp_path, rng):
    model, _ = small.compiled.save(tmp_path / name)
    x = rng.uniform(-0.9, 0.9, size=(3, 6)).astype(np.float32)
    [expected] = floats(small.onnx, {"x": x})
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "right.npy", expected)
    np.save(tmp_path / "wrong.npy", expected + 1)
    with Server("--models", model, "--keys", tmp_path / "server") as server:
        arguments = ["canary", server.grpc, "--model", name, "--input", tmp_path / "x.npy", "--tolerance", str(TOLERANCE)]
        arguments += ["--keys", tmp_path / "keys", "--experiment", name]
        run(*arguments, "--expected", tmp_path / "right.npy")
        assert "is off by 1" in run(*arguments, "--expected", tmp_path / "wrong.npy", code=1)
    experiment = tracking.get_experiment_by_name(name)
    found = {one.info.status: one.data.metrics for one in tracking.search_runs([experiment.experiment_id])}
    assert found["FINISHED"]["canary/largest_error"] <= TOLERANCE and found["FINISHED"]["canary/failed"] == 0
    assert 0.9 < found["FAILED"]["canary/mean_error"] < 1.1 and found["FAILED"]["canary/failed"] == 1


PROJECT = """
name: example
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.25}
      data: path
      label: {type: string, default: nothing}
    command: "python main.py --alpha {alpha} --data {data} --label {label}"
  fails:
    command: "exit 3"
"""

SCRIPT = """
import json, os, sys, urllib.request
run = os.environ["MLFLOW_RUN_ID"]
body = {"run_id": run, "key": "arguments", "value": json.dumps([a for a in sys.argv[1:] if not os.path.isabs(a)])}
url = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/set-tag"
urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"}))
print("in", sys.prefix)
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "MLproject").write_text(PROJECT)
    (folder / "main.py").write_text(SCRIPT)
    (folder / "python_env.yaml").write_text(f"python: '{sys.version_info.major}.{sys.version_info.minor}'\n")
    (folder / "data.csv").write_text("1\n")
    git = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "init", "-q", "-b", "main", folder], check=True)
    subprocess.run([*git, "remote", "add", "origin", "https://ada:secret@example.org/p.git"], check=True)
    subprocess.run([*git, "add", "."], check=True)
    subprocess.run([*git, "commit", "-qm", "first"], check=True)
    return folder


def told(tracking, run_id):
    """What a run says that does not depend on when it was."""
    data = tracking.get_run(run_id)
    tags = {key: value for key, value in data.data.tags.items() if key not in ("mlflow.runName", "mlflow.user")}
    return tags, data.data.params, data.info.status


def test_projects(tracking, tracking_uri, name, project, tmp_path, monkeypatch):
    import json

    monkeypatch.chdir(project)
    monkeypatch.setenv("HUSH_ENVIRONMENTS", str(tmp_path / "environments"))
    parameters = ["-P", "data=data.csv", "-P", "label=two words; $(exit 1)", "-P", "extra=7"]
    arguments = [project, "--experiment-name", name, *parameters]
    said = json.loads(run("--json", "run-project", *arguments))
    tags, params, status = told(tracking, said["run_id"])
    given = ["--alpha", "0.25", "--data", "--label", "two words; $(exit 1)", "--extra", "7"]
    assert json.loads(tags["arguments"]) == given and status == "FINISHED"
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    assert tags["mlflow.source.git.commit"] == commit and tags["mlflow.project.entryPoint"] == "main"
    assert tags["mlflow.source.git.repoURL"] == "https://example.org/p.git"
    # The environment is there by now; a version is cloned.
    again = run("run-project", f"file://{project}", "-v", "main", "--experiment-name", name, "-P", f"data={project}/data.csv")
    assert tracking.get_run(again.split()[1]).data.tags["mlflow.source.git.branch"] == "main"
    assert len(list((tmp_path / "environments").iterdir())) == 1
    error = run("run-project", project, "-e", "fails", "--experiment-name", name, code=1)
    assert "exit code 3" in error
    failed = tracking.get_run(error.strip().split()[-1])
    assert failed.info.status == "FAILED"
    assert "`data` has no value" in run("run-project", project, "--experiment-name", name, code=1)

    # As MLflow runs the same project, in the same environment as this test.
    pytest.importorskip("git")
    local = json.loads(run("--json", "run-project", *arguments[:-4], "-P", "extra=7", "--env-manager", "local"))
    theirs = mlflow.projects.run(
        str(project), experiment_name=name, parameters={"data": "data.csv", "extra": "7"}, env_manager="local"
    )
    ours, expected = told(tracking, local["run_id"]), told(tracking, theirs.run_id)
    for of in (ours, expected):
        # The original keeps the password in it.
        of[0].pop("mlflow.source.git.repoURL")
    assert ours == expected
