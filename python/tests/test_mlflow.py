"""The MLflow flavour, against a store in a file, or the server that HUSH_TEST_TRACKING_URI names."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import numpy as np
import pytest
from conftest import TOLERANCE, floats, network
from test_server import Server, program

import hushml

mlflow = pytest.importorskip("mlflow")

import hushml.mlflow  # noqa: E402  (takes the package)

THREE = int(mlflow.__version__.split(".")[0]) >= 3


@pytest.fixture(scope="module", autouse=True)
def tracking(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlflow")
    uri = os.environ.get("HUSH_TEST_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    # MLflow leaves files of its own where it stands.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.chdir(folder)
    where = None if uri.startswith("http") else (folder / "artifacts").as_uri()
    name = f"hushml-{uuid.uuid4().hex[:8]}"
    mlflow.create_experiment(name, artifact_location=where)
    mlflow.set_experiment(name)
    yield mlflow.MlflowClient()
    monkeypatch.undo()


@pytest.fixture
def name():
    """Of a registered model that nobody else has."""
    return f"small-{uuid.uuid4().hex[:8]}"


def frame(x):
    import pandas

    return pandas.DataFrame(x, columns=[f"feature {i}" for i in range(x.shape[1])])


def test_log_and_load(small, tracking, rng, name):
    x = rng.uniform(-0.9, 0.9, size=(5, 6))
    with mlflow.start_run() as run:
        info = hushml.mlflow.log_model(
            small.compiled,
            "encrypted",
            calibration=small.calibration,
            input_example=x[:2],
            registered_model_name=name,
            aliases=["production"],
            tags={"team": "tumours"},
        )
    version = tracking.get_model_version_by_alias(name, "production")
    assert str(info.registered_model_version) == str(version.version) == "1"
    report = small.compiled.report_json
    expected = hushml.mlflow.facts(report, small.client.program_id)
    assert expected.items() <= version.tags.items()
    assert version.tags["team"] == "tumours" and version.tags["hush.key_bytes"] == str(report["key_bytes"])
    assert version.run_id == run.info.run_id
    if THREE:
        logged = mlflow.get_logged_model(info.model_id)
        assert expected.items() <= logged.tags.items() and logged.status.name == "READY"

    folder = Path(mlflow.artifacts.download_artifacts(f"models:/{name}@production"))
    assert {"MLmodel", "encrypted.model", "encrypted.client", "report.json", "requirements.txt"} <= {
        path.name for path in folder.iterdir()
    }
    assert not [path for path in folder.rglob("*") if path.suffix in {".pkl", ".pickle", ".joblib"}]
    assert json.loads((folder / "report.json").read_text()) == report
    assert hushml.load_client(folder / "encrypted.client").program_id == small.client.program_id

    model = mlflow.pyfunc.load_model(f"models:/{name}@production")
    assert model.metadata.signature.inputs.inputs[0].shape == (-1, 6)
    np.testing.assert_allclose(model.predict(x), floats(small.onnx, {"x": x})[0], atol=TOLERANCE)
    own = hushml.mlflow.load_model(f"models:/{name}/1")
    assert own.client_spec.program_id == small.client.program_id and own.server is None


def test_frames(small, rng, tmp_path):
    x = rng.uniform(-0.9, 0.9, size=(3, 6))
    hushml.mlflow.save_model(small.compiled, tmp_path / "model", input_example=frame(x))
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    [expected] = floats(small.onnx, {"x": x})
    np.testing.assert_allclose(model.predict(frame(x)), expected, atol=TOLERANCE)
    with pytest.raises(mlflow.exceptions.MlflowException, match="feature 3"):
        model.predict(frame(x).drop(columns=["feature 3"]))
    with pytest.raises(hushml.HushError, match="is there already"):
        hushml.mlflow.save_model(small.compiled, tmp_path / "model")


def test_files(small, tmp_path):
    model, client = small.compiled.save(tmp_path / "small")
    hushml.mlflow.save_model(model, tmp_path / "logged")
    assert (tmp_path / "logged/encrypted.model").read_bytes() == model.read_bytes()
    assert (tmp_path / "logged/encrypted.client").read_bytes() == client.read_bytes()
    with pytest.raises(hushml.HushError, match="comes too late"):
        hushml.mlflow.save_model(model, tmp_path / "other", precision=1e-3)
    with pytest.raises(hushml.HushError, match="sample rows"):
        hushml.mlflow.save_model(small.onnx, tmp_path / "other")
    other = hushml.compile(network(np.random.default_rng(7)), small.calibration, precision=3e-2)
    other.save(tmp_path / "other")
    (tmp_path / "other.client").replace(client)
    with pytest.raises(hushml.HushError, match="not the client file"):
        hushml.mlflow.save_model(model, tmp_path / "another")


def test_an_estimator_is_compiled(rng, name, tracking):
    pytest.importorskip("skl2onnx")
    from sklearn.linear_model import LogisticRegression

    x = frame(rng.normal(size=(64, 4)))
    estimator = LogisticRegression().fit(x.to_numpy(), x.to_numpy().sum(axis=1) > 0)
    with mlflow.start_run():
        info = hushml.mlflow.log_model(estimator, "m", calibration=x, precision=1e-2, registered_model_name=name)
    tags = tracking.get_model_version(name, str(info.registered_model_version)).tags
    assert tags["hush.source.class"].endswith("LogisticRegression") and len(tags["hush.source.sha256"]) == 64
    found = mlflow.pyfunc.load_model(info.model_uri).predict(x)
    found = next(iter(found.values())) if isinstance(found, dict) else found
    np.testing.assert_allclose(found, estimator.predict_proba(x.to_numpy()), atol=2e-2)


def test_lineage_to_an_onnx_artifact(small, name, tracking):
    with mlflow.start_run() as training:
        plain = mlflow.onnx.log_model(small.onnx, **({"name": "plain"} if THREE else {"artifact_path": "plain"}))
    with mlflow.start_run():
        hushml.mlflow.log_model(
            plain.model_uri, "m", calibration=small.calibration, precision=1e-2, registered_model_name=name
        )
    tags = tracking.get_model_version(name, "1").tags
    assert tags["hush.source.uri"] == plain.model_uri
    assert tags["hush.source.run_id"] == training.info.run_id
    if THREE:
        assert tags["hush.source.model_id"] == plain.model_id


def test_autolog(small, tracking):
    hushml.mlflow.autolog()
    try:
        with mlflow.start_run() as run:
            compiled = hushml.compile(small.onnx, small.calibration, precision=2e-2)
            hushml.compile(small.onnx, small.calibration, precision=3e-2)
        before = len(mlflow.search_runs())
        hushml.compile(small.onnx, small.calibration, precision=2e-2)
        assert len(mlflow.search_runs()) == before + 1 and mlflow.active_run() is None
        with mlflow.start_run() as quiet:
            hushml.mlflow.log_model(small.onnx, "m", calibration=small.calibration)
    finally:
        hushml.mlflow.autolog(disable=True)
    data = tracking.get_run(run.info.run_id).data
    assert data.params["hush_precision"] == "0.02" and data.params["hush_security"] == "128"
    assert data.metrics["hush_key_bytes"] > 0 and 0 < data.metrics["hush_agreement"] <= 1
    assert data.tags["hush.security_bits"] == str(compiled.report_json["security_bits"])
    files = {file.path for file in tracking.list_artifacts(run.info.run_id, "hush")}
    assert files == {"hush/report.json", "hush/report.txt"}
    assert "hush_precision" not in tracking.get_run(quiet.info.run_id).data.params


def test_autolog_never_stops_a_compilation(small, monkeypatch, caplog):
    def refuse(*_, **__):
        raise OSError("no server")

    hushml.mlflow.autolog()
    monkeypatch.setattr(mlflow, "start_run", refuse)
    try:
        assert hushml.compile(small.onnx, small.calibration, precision=2e-2).client_spec.inputs == {"x": (6,)}
    finally:
        hushml.mlflow.autolog(disable=True)
    assert "no server" in caplog.text


def test_predictions_at_a_server(small, rng, tmp_path, name, monkeypatch):
    if program() is None:
        pytest.skip("there is no hush-server: cargo build --release -p hush-server")
    served = tmp_path / "models"
    (served / name).mkdir(parents=True)
    small.compiled.save(served / name / "1")
    with mlflow.start_run():
        hushml.mlflow.log_model(small.compiled, "m", registered_model_name=name)
    x = rng.uniform(-0.9, 0.9, size=(4, 6))
    [expected] = floats(small.onnx, {"x": x})
    config = {"keys": str(tmp_path / "keys")}
    with Server("--models", served, "--keys", tmp_path / "server-keys") as server:
        model = mlflow.pyfunc.load_model(f"models:/{name}/1", model_config={**config, "server": server.grpc})
        np.testing.assert_allclose(model.predict(x), expected, atol=TOLERANCE)
        monkeypatch.setenv("HUSHML_SERVER", server.http)
        model = mlflow.pyfunc.load_model(f"models:/{name}/1", model_config=config)
        np.testing.assert_allclose(model.predict(x), expected, atol=TOLERANCE)
        # Another program under that name: its predictions would not be this model's.
        other = hushml.compile(network(rng), small.calibration, precision=3e-2)
        hushml.mlflow.save_model(other, tmp_path / "other", served_as=name)
        model = mlflow.pyfunc.load_model(str(tmp_path / "other"), model_config=config)
        with pytest.raises(hushml.HushError, match="serves another program"):
            model.predict(x)
