"""What the tests share: random numbers whose seed is printed, a small network, its keys."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import hushml

#: What fresh inputs of the small network may differ by: its precision of 1e-2 holds for the calibration rows.
TOLERANCE = 3e-2

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Another seed each time, printed where a test fails; HUSH_TEST_SEED sets it."""
    seed = int(os.environ.get("HUSH_TEST_SEED", secrets.randbits(32)))
    print(f"HUSH_TEST_SEED={seed}")
    return np.random.default_rng(seed)


def network(rng: np.random.Generator, features: int = 6, hidden: int = 5, classes: int = 3) -> onnx.ModelProto:
    """Gemm, Tanh, Gemm."""
    weights = {
        "w1": rng.normal(size=(features, hidden)) / np.sqrt(features),
        "b1": rng.normal(size=hidden) / 4,
        "w2": rng.normal(size=(hidden, classes)) / np.sqrt(hidden),
        "b2": rng.normal(size=classes) / 4,
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w1", "b1"], ["h"], "first"),
            helper.make_node("Tanh", ["h"], ["a"], "activation"),
            helper.make_node("Gemm", ["a", "w2", "b2"], ["y"], "second"),
        ],
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", features])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", classes])],
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def floats(model: onnx.ModelProto | bytes, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    """What onnxruntime says."""
    import onnxruntime

    data = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    feed = {name: np.asarray(value, dtype=np.float32) for name, value in inputs.items()}
    return session.run(None, feed)


class Small:
    """A compiled network with keys."""

    def __init__(self, folder: Path) -> None:
        self.seed = secrets.randbits(32)
        print(f"network of seed {self.seed}")
        rng = np.random.default_rng(self.seed)
        self.onnx = network(rng)
        self.calibration = rng.uniform(-1, 1, size=(256, 6))
        self.compiled = hushml.compile(self.onnx, self.calibration, precision=1e-2)
        self.client = self.compiled.client_spec
        self.keys = hushml.keygen(self.client, folder / "keys")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    return Small(tmp_path_factory.mktemp("small"))
