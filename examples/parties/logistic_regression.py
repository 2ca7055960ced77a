"""Two hospitals train one model on the data of both, and neither sees the other's.

Logistic regression on the breast-cancer data: first each hospital has half of the patients, then each has half of the
measurements of every patient. Weights, data, labels and losses stay shared; the model is opened to server0 at the end.
Run it with: python examples/parties/logistic_regression.py
All servers are threads of this process here, which protects nothing.
"""

from pathlib import Path

import numpy as np
from hushml import mpc
from table import amount, show

FOLDER = Path(__file__).resolve().parent.parent / "breast_cancer"
EPOCHS, BATCH, RATE = 5, 32, 0.3

table = np.loadtxt(FOLDER / "breast_cancer.csv", delimiter=",", skiprows=1)
held_out = np.loadtxt(FOLDER / "split.csv", skiprows=1, dtype=int)
training = np.setdiff1d(np.arange(len(table)), held_out)
# Rows in an order that depends on no value.
training = np.random.default_rng(0).permutation(training)
mean, deviation = table[training, :-1].mean(0), table[training, :-1].std(0)
x, y = (table[:, :-1] - mean) / deviation, table[:, -1:]


def accuracy(weights: np.ndarray, bias: np.ndarray) -> float:
    return float(((x[held_out] @ weights + bias > 0) == (y[held_out] > 0.5)).mean())


def in_the_open(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same steps in floating point, from the same first weights."""
    weights, bias = weights.copy(), np.zeros(1)
    for _ in range(EPOCHS):
        for start in range(0, len(training), BATCH):
            rows = training[start : start + BATCH]
            errors = 1 / (1 + np.exp(-(x[rows] @ weights + bias))) - y[rows]
            weights -= RATE * x[rows].T @ errors / len(rows)
            bias -= RATE * errors.mean(0)
    return weights, bias


def train(split: str) -> list[object]:
    with mpc.local() as parties:
        if split == "rows":
            half = len(training) // 2
            owned = [(training[:half], "server0"), (training[half:], "server1")]
            data = mpc.concatenate([parties.secret(x[rows], owner) for rows, owner in owned])
            labels = mpc.concatenate([parties.secret(y[rows], owner) for rows, owner in owned])
        else:
            data = mpc.concatenate(
                [parties.secret(x[training, :15], "server0"), parties.secret(x[training, 15:], "server1")], axis=1
            )
            labels = parties.secret(y[training], "server1")
        model = mpc.Sequential([mpc.Dense(1, activation="sigmoid")], seed=7)
        model.compile(mpc.SGD(RATE), "binary_crossentropy")
        # Weights before the first step are public: a network of the same seed shows them.
        first = mpc.Sequential([mpc.Dense(1, activation="sigmoid")], seed=7).compile(
            mpc.SGD(0.0), "binary_crossentropy"
        )
        first.fit(parties.public(x[:1] * 0), parties.public(y[:1] * 0), progress=False)
        history = model.fit(data, labels, EPOCHS, BATCH)
        weights, bias = model.reveal_weights_to("server0")
        open_weights, open_bias = in_the_open(first.reveal_weights_to("server0")[0])
    return [
        split,
        f"{accuracy(weights, bias):.1%}",
        f"{accuracy(open_weights, open_bias):.1%}",
        float(np.abs(weights - open_weights).max()),
        history.steps,
        history.seconds,
        history.rounds,
        amount(history.bytes),
    ]


show(
    "Logistic regression of two hospitals, three servers (ABY3, development: all in one process)",
    ["split by", "accuracy", "float", "largest error of a weight", "steps", "seconds", "rounds", "bytes"],
    [train("rows"), train("columns")],
)
