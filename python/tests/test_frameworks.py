"""Estimators of scikit-learn and modules of torch, from fitting to decrypted answers."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from conftest import floats

import hushml


def encrypted(compiled, x, folder):
    keys = hushml.keygen(compiled, folder)
    answer = hushml.run(compiled, keys, hushml.encrypt(compiled, keys, x))
    return hushml.decrypt(compiled, keys, answer)


def data(rng, classes=2):
    from sklearn.datasets import make_classification

    x, y = make_classification(
        n_samples=300, n_features=8, n_informative=6, n_classes=classes, random_state=int(rng.integers(1 << 31))
    )
    return x.astype(np.float32), y


def only(outputs):
    return next(iter(outputs.values())) if isinstance(outputs, dict) else outputs


@pytest.fixture
def sklearn():
    pytest.importorskip("skl2onnx")
    return pytest.importorskip("sklearn")


@pytest.mark.parametrize("classes", [2, 3])
def test_logistic_regression(sklearn, rng, tmp_path, classes):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = data(rng, classes)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x, y)
    compiled = hushml.sklearn.compile(pipeline, x, precision=5e-3)
    found = only(encrypted(compiled, x[:6], tmp_path))
    np.testing.assert_allclose(found, pipeline.predict_proba(x[:6]), atol=1e-2)


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic"])
def test_networks(sklearn, rng, tmp_path, activation):
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = data(rng)
    network = MLPClassifier((6,), activation=activation, max_iter=60, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network)
    pipeline.fit(x, y)
    compiled = hushml.sklearn.compile(pipeline, x, precision=2.5e-2)
    found = only(encrypted(compiled, x[:4], tmp_path))
    np.testing.assert_allclose(found, pipeline.predict_proba(x[:4]), atol=5e-2)


def test_linear_regression(sklearn, rng, tmp_path):
    from sklearn.linear_model import LinearRegression

    x = rng.normal(size=(100, 5)).astype(np.float32)
    y = x @ rng.normal(size=5) + 1
    estimator = LinearRegression().fit(x, y)
    found = encrypted(hushml.sklearn.compile(estimator, x, precision=1e-3), x[:3], tmp_path)
    np.testing.assert_allclose(np.ravel(found), estimator.predict(x[:3]), atol=2e-3)


def test_a_missing_package_is_named(sklearn, rng, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(hushml.HushError, match="skl2onnx") as error:
        hushml.sklearn.compile(object(), np.zeros((20, 3)))
    assert error.value.hint == "pip install skl2onnx"
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(hushml.HushError, match="torch"):
        hushml.torch.compile(object(), np.zeros((20, 3)))


def test_torch(rng, tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnx")
    torch.manual_seed(int(rng.integers(1 << 31)))
    module = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3, stride=2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(18, 4)
    )
    x = torch.rand(64, 1, 8, 8)
    compiled = hushml.torch.compile(module, x, precision=2e-2)
    assert compiled.client_spec.inputs == {"x": (1, 8, 8)}
    found = encrypted(compiled, x[:3].numpy(), tmp_path)
    expected = module(x[:3]).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=2e-2)
    np.testing.assert_allclose(floats(hushml.torch.to_onnx(module, x), {"x": x[:3]})[0], expected, atol=1e-5)
