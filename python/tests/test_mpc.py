"""Secret tensors, training and predictions against floating point."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, network
from hushml import HushError, mpc
from hushml.mpc import LocalParties, SecretTensor

#: A few units of 2^-16.
CLOSE = 2e-4


@pytest.fixture
def parties() -> Iterator[LocalParties]:
    with mpc.local() as parties:
        yield parties


def opened(secret: SecretTensor) -> np.ndarray:
    return secret.reveal_to("server1")


def test_operators_work_as_on_arrays(rng: np.random.Generator, parties: LocalParties) -> None:
    x, y, row = rng.uniform(-4, 4, (3, 5)), rng.uniform(-4, 4, (3, 5)), rng.uniform(-4, 4, 5)
    a, b, r = parties.secret(x, "server0"), parties.secret(y, "server2"), parties.secret(row, "server1")
    cases = {
        "add": (a + b, x + y),
        "add a row": (a + r, x + row),
        "add public": (a + row, x + row),
        "public first": (1.5 - a, 1.5 - x),
        "subtract": (a - b, x - y),
        "negate": (-a, -x),
        "multiply": (a * b, x * y),
        "multiply public": (a * y, x * y),
        "power": (a**3, x**3),
        "matrix product": (a @ b.T, x @ y.T),
        "public matrix": (x.T @ b, x.T @ y),
        "vector": (a @ r, x @ row),
        "sum": (a.sum(), x.sum()),
        "sum of an axis": (a.sum(axis=1), x.sum(axis=1)),
        "mean": (a.mean(0), x.mean(0)),
        "absolute": (abs(a), abs(x)),
        "relu": (mpc.relu(a), np.maximum(x, 0)),
        "larger": (mpc.maximum(a, b), np.maximum(x, y)),
        "smaller": (mpc.minimum(a, 0.5), np.minimum(x, 0.5)),
        "clip": (mpc.clip(a, -1.0, 2.0), np.clip(x, -1.0, 2.0)),
        "largest": (a.max(axis=0), x.max(axis=0)),
        "sort": (a.sort(), np.sort(x)),
        "slice": (a[1:, 2], x[1:, 2]),
        "join": (mpc.concatenate([a, b], axis=1), np.concatenate([x, y], axis=1)),
        "where": (mpc.where(a > b, a, 0.0), np.where(x > y, x, 0.0)),
        "divide": (a / (abs(b) + 1.0), x / (np.abs(y) + 1.0)),
        "divide by negative": (a / -(abs(b) + 1.0), -x / (np.abs(y) + 1.0)),
        "reciprocal": (2.0 / (abs(b) + 1.0), 2.0 / (np.abs(y) + 1.0)),
        "divide public": (a / 4.0, x / 4.0),
    }
    for name, (secret, expected) in cases.items():
        found = opened(secret)
        assert found.shape == np.shape(expected), name
        assert np.abs(found - expected).max() < 1e-3, (name, found, expected)


def test_comparisons_give_zeros_and_ones(rng: np.random.Generator, parties: LocalParties) -> None:
    x, y = rng.integers(-3, 4, 40).astype(float), rng.integers(-3, 4, 40).astype(float)
    a, b = parties.secret(x), parties.secret(y)
    for secret, expected in [
        (a < b, x < y),
        (a > b, x > y),
        (a <= b, x <= y),
        (a >= b, x >= y),
        (a == b, x == y),
        (a != b, x != y),
        (a > 0, x > 0),
    ]:
        assert (opened(secret) == expected).all()
    with pytest.raises(HushError, match="whether a secret is true is secret"):
        bool(a < b)


def test_smooth_functions(rng: np.random.Generator, parties: LocalParties) -> None:
    x, positive = rng.uniform(-6, 6, (4, 6)), rng.uniform(0.1, 50, (4, 6))
    a, p = parties.secret(x), parties.secret(positive)
    exponentials = np.exp(x - x.max(1, keepdims=True))
    softmax = exponentials / exponentials.sum(1, keepdims=True)
    for secret, expected in [
        (mpc.sigmoid(a), 1 / (1 + np.exp(-x))),
        (mpc.tanh(a), np.tanh(x)),
        (mpc.log(p), np.log(positive)),
        (mpc.sqrt(p), np.sqrt(positive)),
        (mpc.softmax(a), softmax),
        (mpc.log_softmax(a), np.log(softmax)),
        (mpc.exp(a), np.exp(x)),
    ]:
        assert np.abs(opened(secret) - expected).max() < 5e-3 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize("protocol", ["aby3", "pond", "securenn"])
@pytest.mark.parametrize("ring_bits", [64, 128])
def test_every_protocol_and_ring(rng: np.random.Generator, protocol: str, ring_bits: int) -> None:
    bits = {"integer_bits": 15, "fraction_bits": 16} if ring_bits == 64 else {"integer_bits": 24, "fraction_bits": 32}
    x, y = rng.uniform(-3, 3, (4, 3)), rng.uniform(-3, 3, (3, 2))
    with mpc.local(protocol=protocol, ring_bits=ring_bits, **bits) as parties:  # type: ignore[arg-type]
        a, b = parties.secret(x, "server0"), parties.secret(y, "server1")
        assert np.abs(opened(mpc.relu(a @ b)) - np.maximum(x @ y, 0)).max() < CLOSE
        assert np.abs(opened(mpc.tanh(a)) - np.tanh(x)).max() < 3e-4
        rounds, sent = parties.spent
        assert rounds > 0 and sent > 0
    with pytest.raises(HushError, match="no protocol `yao`"):
        mpc.local(protocol="yao")  # type: ignore[arg-type]
    with pytest.raises(HushError, match="on a ring of 64 bits"):
        mpc.local(fraction_bits=40)


def test_more_functions(rng: np.random.Generator, parties: LocalParties) -> None:
    x = rng.uniform(-4, 4, (3, 4))
    image, kernel = rng.uniform(-1, 1, (2, 2, 4, 4)), rng.uniform(-1, 1, (3, 2, 3, 3))
    a, i, k = parties.secret(x), parties.secret(image), parties.secret(kernel, "server1")
    windows = image.reshape(2, 2, 2, 2, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(2, 2, 2, 2, 4)
    convolved = np.zeros((2, 3, 2, 2))
    for row in range(2):
        for column in range(2):
            patch = image[:, :, row : row + 3, column : column + 3]
            convolved[:, :, row, column] = np.einsum("ncyx,fcyx->nf", patch, kernel)
    erf = np.vectorize(__import__("math").erf)
    for secret, expected in [
        (mpc.gelu(a), x / 2 * (1 + erf(x / np.sqrt(2)))),
        (mpc.silu(a), x / (1 + np.exp(-x))),
        (mpc.softplus(a), np.log1p(np.exp(x))),
        (mpc.elu(a, 0.5), np.where(x < 0, 0.5 * np.expm1(x), x)),
        (mpc.leaky_relu(a, 0.1), np.where(x < 0, 0.1 * x, x)),
        (mpc.erf(a), erf(x)),
        (mpc.polynomial(a, [1.0, -0.5, 0.25]), 1 - 0.5 * x + 0.25 * x * x),
        (mpc.rsqrt(abs(a) + 1.0), 1 / np.sqrt(np.abs(x) + 1)),
        (a.min(axis=1), x.min(1)),
        (a.var(axis=0), x.var(0)),
        (a.take([2, 0, 2]), x[[2, 0, 2]]),
        (a[[1]], x[[1]]),
        (a.pad(1, 2), np.pad(x, ((0, 0), (1, 2)))),
        (mpc.max_pool(i), windows.max(-1)),
        (mpc.average_pool(i), windows.mean(-1)),
        (mpc.conv2d(i, k), convolved),
    ]:
        found = opened(secret)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() < 5e-4


def test_rows_are_shuffled_together(rng: np.random.Generator, parties: LocalParties) -> None:
    x, y = np.arange(60.0).reshape(30, 2), np.arange(30.0)
    first, second = mpc.shuffle(parties.secret(x), parties.secret(y, "server1"))
    places = opened(second)
    assert sorted(places) == list(y) and list(places) != list(y)
    assert (opened(first) == x[places.astype(int)]).all()


def test_shares_are_saved_and_loaded(rng: np.random.Generator, parties: LocalParties, tmp_path: Path) -> None:
    x = rng.uniform(-4, 4, (3, 4))
    parties.save(parties.secret(x), "table", folder=tmp_path)
    assert len(list(tmp_path.glob("table.*.shares"))) == 3
    # Later, in other parties.
    with mpc.local() as others:
        assert np.abs(opened(others.load("table", folder=tmp_path)) - x).max() < CLOSE
        with pytest.raises(HushError, match=r"the shape \(3, 4\)"):
            others.load("table", (4, 3), folder=tmp_path)
        with pytest.raises(HushError, match="cannot read"):
            others.load("chair", folder=tmp_path)
        file = next(tmp_path.glob("table.server1.shares"))
        damaged = bytearray(file.read_bytes())
        damaged[-40] ^= 1
        file.write_bytes(damaged)
        with pytest.raises(HushError, match="checksum"):
            others.load("table", folder=tmp_path)
    with mpc.local(protocol="pond") as others, pytest.raises(HushError, match="stored shares"):
        others.load("table", folder=tmp_path)


def test_argmax_and_top(rng: np.random.Generator, parties: LocalParties) -> None:
    x = rng.permutation(30).reshape(5, 6).astype(float)
    a = parties.secret(x)
    assert (opened(a.argmax()) == x.argmax(1)).all()
    assert (np.sort(opened(a.top(2))) == np.sort(x)[:, -2:]).all()


def test_inputs_that_do_not_fit_are_refused_and_parties_go_on(parties: LocalParties) -> None:
    for value in (np.nan, np.inf, 40000.0):
        with pytest.raises(HushError, match="outside the range"):
            parties.secret([1.0, value])
    a = parties.secret([1.0, 2.0])
    with pytest.raises(HushError, match="do not go together"):
        a @ parties.secret([[1.0, 2.0, 3.0]])
    with pytest.raises(HushError, match="no party `server9`"):
        a.reveal_to("server9")
    with mpc.local() as others, pytest.raises(HushError, match="different parties"):
        a + others.secret([1.0, 2.0])
    assert opened(a * 2.0) == pytest.approx([2.0, 4.0], abs=CLOSE)


def test_closed_parties_say_so() -> None:
    with mpc.local() as parties:
        a = parties.secret([1.0])
    with pytest.raises(HushError, match="the parties are closed"):
        a + 1.0
    with pytest.raises(HushError, match="there are no parties"):
        mpc.Sequential([mpc.Dense(1)]).compile().fit([[1.0]], [1.0])


def test_decorators_share_and_open(parties: LocalParties) -> None:
    @mpc.private_input("server0")
    def numbers() -> list[float]:
        return [1.0, 2.0, 6.0]

    @mpc.private_output("server2")
    def mean(secret: SecretTensor) -> SecretTensor:
        return secret.mean()

    secret = numbers()
    assert isinstance(secret, SecretTensor)
    assert mean(secret) == pytest.approx(3.0, abs=CLOSE)
    rounds, sent = parties.spent
    assert rounds > 0 and sent > 0


def clouds(rng: np.random.Generator, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    y = (np.arange(rows) % 2).astype(float).reshape(-1, 1)
    return rng.normal(size=(rows, columns)) + (y - 0.5) * 2, y


def test_logistic_regression_follows_floating_point(rng: np.random.Generator, parties: LocalParties) -> None:
    x, y = clouds(rng, 64, 6)
    # Columns of two owners.
    data = mpc.concatenate([parties.secret(x[:, :2], "server0"), parties.secret(x[:, 2:], "server1")], axis=1)
    model = mpc.Sequential([mpc.Dense(1, activation="sigmoid")], seed=3).compile(mpc.SGD(0.3), "binary_crossentropy")
    start = mpc.Sequential([mpc.Dense(1, activation="sigmoid")], seed=3).compile(mpc.SGD(0.0), "binary_crossentropy")
    start.fit(x[:1], y[:1], progress=False)
    weights, bias = start.reveal_weights_to("server0")
    history = model.fit(data, parties.secret(y, "server1"), epochs=3, batch_size=24, reveal_loss_to="server2")
    for _ in range(3):
        for batch in (slice(0, 24), slice(24, 48), slice(48, 64)):
            errors = 1 / (1 + np.exp(-(x[batch] @ weights + bias))) - y[batch]
            weights, bias = weights - 0.3 * x[batch].T @ errors / len(errors), bias - 0.3 * errors.mean(0)
    found = model.reveal_weights_to("server0")
    assert np.abs(found[0] - weights).max() < 2e-3 and np.abs(found[1] - bias).max() < 2e-3
    logits = x @ weights + bias
    loss = (np.logaddexp(0, logits) - y * logits).mean()
    assert history.loss[-1] == pytest.approx(loss, abs=5e-3)
    assert history.steps == 9 and len(history.loss) == 3 and history.rounds > 0 and history.bytes > 0
    predicted = opened(model.predict(data))
    assert np.abs(predicted - 1 / (1 + np.exp(-logits))).max() < 3e-3


@pytest.mark.parametrize("optimizer", [mpc.SGD(0.3, momentum=0.9), mpc.Adam(0.02), mpc.Adam(0.02, amsgrad=True)])
def test_networks_learn(rng: np.random.Generator, parties: LocalParties, optimizer: mpc.SGD | mpc.Adam) -> None:
    x, y = clouds(rng, 96, 4)
    labels = np.concatenate([1 - y, y], axis=1)
    model = mpc.Sequential([mpc.Dense(8, activation="relu"), mpc.Dense(2, activation="softmax")])
    model.compile(optimizer, "categorical_crossentropy")
    model.fit(x, labels, epochs=6, batch_size=32, progress=False)
    scores = opened(model.predict(parties.secret(x)))
    assert np.abs(scores.sum(1) - 1).max() < 5e-3
    assert (scores.argmax(1) == y[:, 0]).mean() > 0.85


def test_convolutions_learn(rng: np.random.Generator, parties: LocalParties) -> None:
    y = (np.arange(32) % 2).astype(float)
    x = rng.normal(0, 0.2, (32, 1, 6, 6)) + y[:, None, None, None] * np.eye(6)
    model = mpc.Sequential(
        [
            mpc.Conv2D(2, 3, padding="same", activation="relu"),
            mpc.MaxPooling2D(2),
            mpc.Flatten(),
            mpc.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(mpc.Adam(0.05), "binary_crossentropy")
    model.fit(x, y, epochs=8, batch_size=16, progress=False)
    predicted = opened(model.predict(parties.secret(x)))
    assert ((predicted[:, 0] > 0.5) == (y > 0.5)).mean() > 0.9


def test_mistakes_in_networks_are_errors(parties: LocalParties) -> None:
    model = mpc.Sequential([mpc.Dense(1)])
    with pytest.raises(HushError, match="not compiled"):
        model.fit([[1.0]], [1.0])
    with pytest.raises(HushError, match="no optimizer `rmsprop`"):
        model.compile("rmsprop")
    with pytest.raises(HushError, match="no loss `hinge`"):
        model.compile(loss="hinge")  # type: ignore[arg-type]
    model.compile()
    with pytest.raises(HushError, match="2 samples and 1 labels"):
        model.fit([[1.0], [2.0]], [1.0])


def test_training_ends_on_a_loss_that_was_agreed(rng: np.random.Generator, parties: LocalParties) -> None:
    x, y = clouds(rng, 32, 3)
    model = mpc.Sequential([mpc.Dense(1, activation="sigmoid")]).compile(mpc.SGD(0.5), "binary_crossentropy")
    history = model.fit(x, y, epochs=50, reveal_loss_to="server0", stop_below=100.0, progress=False)
    assert len(history.loss) == 1
    # Nobody needs to see the loss for all to see that it is below.
    history = model.fit(x, y, epochs=50, batch_size=8, stop_below=100.0, progress=False)
    assert history.steps == 4 and history.loss == []


@pytest.mark.parametrize("protocol", ["aby3", "pond"])
def test_an_interrupted_training_leaves_parties_that_agree(rng: np.random.Generator, protocol: str) -> None:
    x, y = clouds(rng, 200, 8)
    with mpc.local(protocol=protocol) as parties:  # type: ignore[arg-type]
        data, labels = parties.secret(x), parties.secret(y)
        model = mpc.Sequential([mpc.Dense(16, activation="relu"), mpc.Dense(1)]).compile(mpc.Adam(0.01))
        timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            model.fit(data, labels, epochs=100_000, batch_size=20, progress=False)
        assert np.abs(opened(data) - x).max() < CLOSE
        assert model.fit(data, labels, batch_size=20, progress=False).steps == 10


def test_weights_can_be_replaced(rng: np.random.Generator, parties: LocalParties) -> None:
    x = rng.normal(size=(4, 3))
    model = mpc.Sequential([mpc.Dense(2)]).compile()
    model.fit(x, np.zeros((4, 2)), progress=False)
    weights, bias = rng.normal(size=(3, 2)), rng.normal(size=2)
    model.set_weights([parties.secret(weights), parties.secret(bias)])
    assert np.abs(opened(model.predict(parties.secret(x))) - (x @ weights + bias)).max() < CLOSE


def test_a_kept_model_goes_on(rng: np.random.Generator, tmp_path: Path) -> None:
    x, y = clouds(rng, 48, 4)
    layers = [mpc.Dense(6), mpc.BatchNormalization(activation="relu"), mpc.Dense(1, activation="sigmoid")]
    with mpc.local() as parties:
        model = mpc.Sequential(layers).compile(mpc.Adam(0.05), "binary_crossentropy")
        model.fit(x, y, epochs=6, batch_size=24, progress=False)
        first = opened(model.predict(x))
        weights = model.reveal_weights_to("server0")
        # Scale, shift, and the running mean and variance.
        assert [np.shape(weight) for weight in weights] == [(4, 6), (6,), (6,), (6,), (6,), (6,), (6, 1), (1,)]
        model.keep("clouds", folder=tmp_path)
    assert ((first > 0.5) == (y > 0.5)).mean() > 0.85
    with mpc.local() as parties:
        model = mpc.Sequential(layers).compile(mpc.SGD(0.1), "binary_crossentropy").load("clouds", folder=tmp_path)
        assert np.abs(opened(model.predict(parties.secret(x))) - first).max() < 2e-3
        history = model.fit(x, y, reveal_loss_to="server1", progress=False)
        assert history.loss[0] < 0.6


def test_a_training_goes_on_from_its_checkpoint(rng: np.random.Generator, tmp_path: Path) -> None:
    x, y = clouds(rng, 48, 4)
    # Smooth: the last bits of each step are random, and would decide for samples where a ReLU bends.
    network = [mpc.Dense(6, activation="sigmoid"), mpc.Dense(1, activation="sigmoid")]

    def model(seed: int) -> mpc.Sequential:
        # Adam would make much of small gradients.
        optimizer = mpc.SGD(0.1, momentum=0.9)
        return mpc.Sequential(network, seed=seed).compile(optimizer, "binary_crossentropy")

    with mpc.local():
        straight, first = model(1), model(1)
        straight.fit(x, y, epochs=4, batch_size=24, progress=False)
        first.fit(x, y, epochs=1, batch_size=24, progress=False)
        first.fit(x, y, epochs=1, batch_size=24, progress=False)
        first.keep("clouds", optimizer=True, folder=tmp_path)
        steps = first.steps
        assert steps == 4
        expected = straight.reveal_weights_to("server0")
    with mpc.local():
        resumed = model(2).load("clouds", steps=steps, folder=tmp_path)
        resumed.fit(x, y, epochs=2, batch_size=24, progress=False)
        assert resumed.steps == straight.steps == 8
        for found, wanted in zip(resumed.reveal_weights_to("server0"), expected, strict=True):
            assert np.abs(found - wanted).max() < 5e-3


def test_programs_for_real_parties_run_as_one_session(rng: np.random.Generator) -> None:
    x, y = clouds(rng, 32, 3)
    with mpc.connect(name="client", progress=False) as parties:
        a, b = parties.secret(x, name="x"), parties.secret(y, name="y")
        total = (a.sum(axis=1) * 2.0).reveal_to("client", "total")
        model = mpc.Sequential([mpc.Dense(1, activation="sigmoid")], seed=1)
        model.compile(mpc.SGD(0.5), "binary_crossentropy")
        history = model.fit(a, b, epochs=4, batch_size=16, reveal_loss_to="client", stop_below=0.0)
        scores = model.predict(a).reveal_to("client")
        weights = model.reveal_weights_to("client")
        with pytest.raises(HushError, match="only when the parties have run"):
            _ = total.value  # type: ignore[union-attr]
    assert np.abs(total.value - 2 * x.sum(1)).max() < 1e-3  # type: ignore[union-attr]
    assert len(history.loss) == 4 and history.loss[-1] < history.loss[0]
    logits = x @ weights[0].value + weights[1].value  # type: ignore[union-attr]
    assert np.abs(scores.value - 1 / (1 + np.exp(-logits))).max() < 2e-3  # type: ignore[union-attr]
    report = parties.report
    assert report is not None and report.rounds > 0 and report.bytes > 0 and report.operations
    # What has run is gone; what follows is another session.
    with pytest.raises(HushError, match="a session that has run"):
        a + 1.0
    again = parties.secret(x).mean().reveal_to("client")
    parties.run()
    assert again.value == pytest.approx(x.mean(), abs=CLOSE)  # type: ignore[union-attr]


@pytest.mark.parametrize(("protocol", "ring_bits"), [("pond", 64), ("securenn", 64), ("aby3", 128)])
def test_programs_choose_protocol_and_ring(rng: np.random.Generator, protocol: str, ring_bits: int) -> None:
    x = rng.uniform(-4, 4, (5, 3))

    @mpc.private_input("client")
    def numbers() -> np.ndarray:
        return x

    @mpc.private_output("client")
    def positive(secret: SecretTensor) -> SecretTensor:
        return mpc.relu(secret)

    with mpc.connect(protocol=protocol, ring_bits=ring_bits, progress=False):  # type: ignore[arg-type]
        found = positive(numbers())
    assert np.abs(found.value - np.maximum(x, 0)).max() < CLOSE  # type: ignore[union-attr]


def test_mistakes_in_programs_are_errors() -> None:
    parties = mpc.connect(progress=False)
    with pytest.raises(HushError, match="has no numbers of hospital"):
        parties.secret([1.0], "hospital")
    with pytest.raises(HushError, match="share its numbers"):
        parties.private("x", 3, "client")
    with pytest.raises(HushError, match="outside the range"):
        parties.secret([np.nan])
    x = parties.private("x", (2, 3), "hospital")
    with pytest.raises(HushError, match="do not go together"):
        x @ x
    with pytest.raises(HushError, match="not to this process"):
        _ = x.reveal_to("hospital").value  # type: ignore[union-attr]
    with pytest.raises(HushError, match="hospital"):
        parties.run()
    with pytest.raises(HushError, match="nothing is opened or kept"):
        parties.run()


def test_onnx_models_run_on_shares(rng: np.random.Generator, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = network(rng).SerializeToString()
    x = rng.normal(size=(5, 6)).astype(np.float32)
    session = onnxruntime.InferenceSession(model)
    expected = session.run(None, {session.get_inputs()[0].name: x})[0]
    prediction = mpc.predict(model, x, "aby3", progress=False)
    assert np.abs(prediction.output - expected).max() < 1e-3
    assert prediction.rounds > 0 and prediction.bytes > 0 and prediction.operations
    for protocol in ("pond", "securenn"):
        other = mpc.predict(model, x, protocol, progress=False)  # type: ignore[arg-type]
        assert np.abs(other.output - expected).max() < 1e-3
    with pytest.raises(HushError, match="no protocol `yao`"):
        mpc.predict(model, x, "yao", progress=False)  # type: ignore[arg-type]
    with pytest.raises(HushError, match="takes arrays of shape"):
        mpc.predict(model, x[:, :3], progress=False)
    with pytest.raises(HushError):
        mpc.predict(model, x, parties=tmp_path / "none.toml", progress=False)


@pytest.mark.parametrize("script", ["average", "logistic_regression", "federated_averaging", "private_prediction"])
def test_examples_run(script: str) -> None:
    arguments = ["2"] if script == "private_prediction" else []
    path = ROOT / "examples" / "parties" / f"{script}.py"
    # Found where this interpreter found it.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, path, *arguments], capture_output=True, text=True, timeout=300, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "bytes" in done.stdout
