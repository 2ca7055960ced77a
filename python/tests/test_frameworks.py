"""Estimators of scikit-learn and modules of torch, from fitting to decrypted answers."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from conftest import floats, network

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


def test_what_torch_is_asked_for(rng, tmp_path, monkeypatch):
    """Without torch: a stand-in that exports a network that is known, and remembers how it was asked."""
    asked = {}

    def export(module, samples, output, *, dynamo=True, **arguments):
        asked.update(arguments, dynamo=dynamo, samples=samples, training=module.training)
        output.write(network(rng).SerializeToString())

    class Module:
        training = True

        def eval(self):
            self.train(False)

        def train(self, training):
            self.training = training

    class Tensor:
        def __init__(self, array):
            self.array = array

        def detach(self):
            return self

        cpu = detach

        def numpy(self):
            return self.array

    stand_in = ModuleType("torch")
    stand_in.from_numpy = lambda array: array
    stand_in.no_grad = nullcontext
    stand_in.onnx = SimpleNamespace(export=export)
    monkeypatch.setitem(sys.modules, "torch", stand_in)
    module = Module()
    x = rng.uniform(-1, 1, size=(64, 6))
    compiled = hushml.torch.compile(module, Tensor(x), precision=1e-2)
    assert compiled.client_spec.inputs == {"x": (6,)}
    assert only(encrypted(compiled, x[:2], tmp_path)).shape == (2, 3)
    [sample] = asked["samples"]
    assert sample.shape == (1, 6) and sample.dtype == np.float32
    assert asked["dynamic_axes"] == {"x": {0: "batch"}, "y": {0: "batch"}}
    assert asked["dynamo"] is False and asked["training"] is False and module.training is True
    # Arguments of `forward` by name, and an exporter whose packages are missing.
    hushml.torch.to_onnx(module, {"left": x, "right": x})
    assert asked["input_names"] == ["left", "right"] and len(asked["samples"]) == 2

    def missing(*_, dynamo=True, **__):
        raise ImportError("No module named 'onnxscript'")

    stand_in.onnx.export = missing
    with pytest.raises(hushml.HushError, match="cannot export to ONNX") as error:
        hushml.torch.to_onnx(module, x)
    assert error.value.hint == "pip install onnx onnxscript" and module.training is True


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
