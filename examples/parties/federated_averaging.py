"""Ten clinics train one model; the server sees the sum of their changes, and no single one. Two clinics drop out on
the way.

Logistic regression on the breast-cancer data by federated averaging: each clinic has some of the patients. In the
first round one clinic leaves before it sends its vector, in the second another one after, so that its masks have to be
rebuilt. Run it with: python examples/parties/federated_averaging.py
All clinics are in this process here, which protects nothing.
"""

import time
from pathlib import Path

import numpy as np
from hushml import federated
from table import amount, show

FOLDER = Path(__file__).resolve().parent.parent / "breast_cancer"
CLIENTS, ROUNDS, STEPS, RATE = 10, 6, 5, 0.3
DROP_OUTS = {1: {3: "mask"}, 2: {7: "unmask"}}

table = np.loadtxt(FOLDER / "breast_cancer.csv", delimiter=",", skiprows=1)
held_out = np.loadtxt(FOLDER / "split.csv", skiprows=1, dtype=int)
training = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(len(table)), held_out))
mean, deviation = table[training, :-1].mean(0), table[training, :-1].std(0)
x, y = (table[:, :-1] - mean) / deviation, table[:, -1]
# Clinics of different sizes.
clinics = np.split(training, np.cumsum([20, 30, 35, 40, 45, 50, 50, 55, 60]))


def train(client: int, parameters: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
    weights, bias = parameters
    rows = clinics[client]
    for _ in range(STEPS):
        errors = 1 / (1 + np.exp(-(x[rows] @ weights + bias))) - y[rows]
        weights = weights - RATE * x[rows].T @ errors / len(rows)
        bias = bias - RATE * errors.mean(keepdims=True)
    return [weights, bias], len(rows)


def accuracy(parameters: list[np.ndarray]) -> float:
    return float(((x[held_out] @ parameters[0] + parameters[1] > 0) == (y[held_out] > 0.5)).mean())


zero = [np.zeros(x.shape[1]), np.zeros(1)]
averaging = federated.FedAvg(zero, train, CLIENTS, bound=2.0, quorum=7)
in_the_open = [array.copy() for array in zero]
upload = federated.Settings(CLIENTS, x.shape[1] + 1, bound=2.0, weight_most=max(map(len, clinics))).upload_bytes
rows: list[list[object]] = []
for number in range(1, ROUNDS + 1):
    began = time.perf_counter()
    result = averaging.round(drop_outs=DROP_OUTS.get(number))
    seconds = time.perf_counter() - began
    # The same mean of the same clients in floating point.
    trained = [train(client, in_the_open) for client in result.survivors]
    total = sum(samples for _, samples in trained)
    in_the_open = [sum(new[place] * samples for new, samples in trained) / total for place in range(2)]
    rows.append(
        [
            f"round {number}",
            len(result.survivors),
            ", ".join(map(str, result.dropped)) or "-",
            f"{accuracy(averaging.parameters):.1%}",
            f"{accuracy(in_the_open):.1%}",
            max(float(np.abs(a - b).max()) for a, b in zip(averaging.parameters, in_the_open, strict=True)),
            seconds,
            5,
            amount(upload),
        ]
    )

show(
    "Federated averaging of ten clinics with secure aggregation (in one process)",
    ["", "in the sum", "missing", "accuracy", "float", "largest error", "seconds", "rounds", "bytes up, each"],
    rows,
)
print("\nClinic 3 left before it sent its vector in round 1; clinic 7 after, in round 2: its vector counts.")
