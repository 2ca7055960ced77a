"""Ten clients train one network on handwritten digits; the server sees the sum of their changes, and no single one. Two
clients drop out on the way.

Federated averaging of a network of 784, 64 and 10: each client has other images, and not all digits alike. In the second
round client 3 leaves before it sends its vector, in the third client 7 after, so that its masks have to be rebuilt.
Run it with: HUSH_DATA=FOLDER python examples/parties/federated_mnist.py [ROUNDS]
FOLDER has mnist_train.npz and mnist_test.npz. All clients are in this process here, which protects nothing.
"""

import sys
import time

import numpy as np
from digits import Network, load, one_hot
from hushml import federated
from table import amount, show

CLIENTS, BATCH, RATE, BOUND = 10, 32, 0.1, 2.0
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
DROP_OUTS = {2: {3: "mask"}, 3: {7: "unmask"}}

(x, digits), (test_x, test_digits) = load()
labels = one_hot(digits)
random = np.random.default_rng(1)
# Half of the images by digit, the other half at random: clients are of different sizes and see digits in different shares.
order = random.permutation(len(x))
by_digit, rest = order[: len(order) // 2], order[len(order) // 2 :]
shares = random.dirichlet(np.full(CLIENTS, 20.0))
clients = [
    np.concatenate([by_digit[digits[by_digit] == client % 10], part])
    for client, part in enumerate(np.split(rest, (np.cumsum(shares)[:-1] * len(rest)).astype(int)))
]


def train(client: int, parameters: list[np.ndarray]) -> tuple[list[np.ndarray], int]:
    """One epoch over the client's images, in an order of its own."""
    network = Network(parameters)
    rows = np.random.default_rng(client).permutation(clients[client])
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        network.step(x[part], labels[part], RATE)
    return network.parameters, len(rows)


first = Network.first([784, 64, 10], seed=1)
values = sum(array.size for array in first)
settings = federated.Settings(CLIENTS, values, bound=BOUND, weight_most=max(map(len, clients)))
averaging = federated.FedAvg(first, train, CLIENTS, bound=BOUND, quorum=7)
in_the_open = Network(first)
rows: list[list[object]] = []
for number in range(1, ROUNDS + 1):
    began = time.perf_counter()
    result = averaging.round(drop_outs=DROP_OUTS.get(number))
    seconds = time.perf_counter() - began
    # The same mean of the same clients in floating point.
    trained = [train(client, in_the_open.parameters) for client in result.survivors]
    total = sum(samples for _, samples in trained)
    in_the_open.parameters = [
        sum(new[place] * samples for new, samples in trained) / total for place in range(len(first))
    ]
    rows.append(
        [
            f"round {number}",
            len(result.survivors),
            ", ".join(map(str, result.dropped)) or "-",
            f"{Network(averaging.parameters).accuracy(test_x, test_digits):.2%}",
            f"{in_the_open.accuracy(test_x, test_digits):.2%}",
            max(float(np.abs(a - b).max()) for a, b in zip(averaging.parameters, in_the_open.parameters, strict=True)),
            seconds,
            5,
            amount(settings.upload_bytes),
        ]
    )

show(
    f"Federated averaging of ten clients' digits, {values:,} numbers, with secure aggregation (in one process)",
    ["", "in the sum", "missing", "accuracy", "float", "largest difference", "seconds", "rounds", "bytes up, each"],
    rows,
)
print("\nClient 3 left before it sent its vector in round 2; client 7 after, in round 3: its vector counts.")
