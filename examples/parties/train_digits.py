"""Three servers train a network on handwritten digits that none of them sees.

Network A of the literature (784-128-128-10, ReLU; Mohassel and Zhang 2017): images, labels, weights and gradients stay
shared, and the trained network is opened to server0 at the end. The same steps from the same first weights in floating
point stand beside it.
Run it with: HUSH_DATA=FOLDER python examples/parties/train_digits.py [--images 60000] [--epochs 1]
FOLDER has mnist_train.npz and mnist_test.npz. All servers are threads of this process here, which protects nothing.
"""

import argparse

import numpy as np
from digits import Network, load, one_hot
from hushml import mpc
from table import amount, show

SIZES, BATCH, RATE, SEED = [128, 128, 10], 128, 0.1, 7

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("--images", type=int, default=60_000, help="how many images of the training set")
arguments.add_argument("--epochs", type=int, default=1)
given = arguments.parse_args()

(x, digits), (test_x, test_digits) = load()
# Rows in an order that depends on no value.
order = np.random.default_rng(0).permutation(len(x))[: given.images]
x, labels = x[order], one_hot(digits[order])


def network(rate: float) -> mpc.Sequential:
    layers = [mpc.Dense(size, activation="relu") for size in SIZES[:-1]] + [mpc.Dense(SIZES[-1], activation="softmax")]
    return mpc.Sequential(layers, seed=SEED).compile(mpc.SGD(rate), "categorical_crossentropy")


with mpc.local() as parties:
    # Weights before the first step are public: a network of the same seed shows them.
    untrained = network(0.0)
    untrained.fit(parties.public(x[:1] * 0), parties.public(labels[:1] * 0), progress=False)
    reference = Network([np.squeeze(array) for array in untrained.reveal_weights_to("server0")])
    model = network(RATE)
    history = model.fit(
        parties.secret(x, "server0"), parties.secret(labels, "server1"), epochs=given.epochs, batch_size=BATCH
    )
    trained = Network([np.squeeze(array) for array in model.reveal_weights_to("server0")])

for _ in range(given.epochs):
    for start in range(0, len(x), BATCH):
        reference.step(x[start : start + BATCH], labels[start : start + BATCH], RATE)

differences = [float(np.abs(a - b).max()) for a, b in zip(trained.parameters, reference.parameters, strict=True)]
show(
    f"Network A on {len(x):,} images, three servers (ABY3, development: all in one process)",
    ["", "accuracy", "float", "largest difference", "steps", "seconds", "seconds a step", "rounds", "bytes"],
    [
        [
            f"{given.epochs} epoch" + "s" * (given.epochs > 1),
            f"{trained.accuracy(test_x, test_digits):.2%}",
            f"{reference.accuracy(test_x, test_digits):.2%}",
            max(differences),
            history.steps,
            history.seconds,
            history.seconds / history.steps,
            history.rounds,
            amount(history.bytes),
        ]
    ],
)
