"""The computations that every framework runs, as arrays: same shapes and ranges everywhere."""
import numpy as np

WORKS = ["matmul512", "mul1m", "relu1m", "cmp1m", "mlp1", "mlp128", "lenet1", "lr"]
# What only this library runs: Pond, a step of training network A, and the set-up of a session.
OWN_WORKS = ["mlp1-pond", "network-a", "session"]
# Rows of a batch and passes of logistic regression; its data is the breast-cancer file of the examples.
BATCH, EPOCHS, RATE = 64, 10, 0.1


def uniform(generator, shape, reach):
    return generator.uniform(-reach, reach, shape).astype(np.float32)


def arrays(work):
    """Inputs of a work, weights included."""
    generator = np.random.default_rng(7)

    def draw(*shape, reach=1.0):
        return uniform(generator, shape, reach)

    if work == "matmul512":
        return [draw(512, 512), draw(512, 512)]
    if work == "mul1m":
        return [draw(1 << 20), draw(1 << 20)]
    if work == "relu1m":
        return [draw(1 << 20, reach=8)]
    if work == "cmp1m":
        return [draw(1 << 20, reach=8), draw(1 << 20, reach=8)]
    if work.startswith("mlp"):
        layers = [(784, 128, .06), (128, 128, .12), (128, 10, .12)]
        weights = [array for rows, columns, reach in layers for array in (draw(rows, columns, reach=reach), draw(columns, reach=.1))]
        return [np.abs(draw(int(work[3:]), 784))] + weights
    if work.startswith("lenet"):
        # Channels first.
        return [np.abs(draw(int(work[5:]), 1, 28, 28)), draw(20, 1, 5, 5, reach=.2), draw(20, reach=.1),
                draw(50, 20, 5, 5, reach=.06), draw(50, reach=.1), draw(800, 500, reach=.05), draw(500, reach=.1),
                draw(500, 10, reach=.06), draw(10, reach=.1)]
    raise SystemExit(f"no work is called {work}")


def cancer(file):
    """Standardised rows and labels, cut to whole batches."""
    data = np.load(file)
    names = list(data.files)
    rows = next(data[name] for name in names if data[name].ndim == 2 and data[name].shape[0] > 300)
    labels = next(data[name] for name in names if data[name].ndim == 1 and data[name].shape[0] == rows.shape[0])
    count = len(rows) // BATCH * BATCH
    return rows[:count].astype(np.float32), labels[:count].astype(np.float32)


def regression(rows, labels, sigmoid):
    """Weights after all passes of gradient descent, in floats."""
    weights, bias = np.zeros(rows.shape[1]), 0.0
    for _ in range(EPOCHS):
        for start in range(0, len(rows), BATCH):
            x, y = rows[start:start + BATCH], labels[start:start + BATCH]
            error = sigmoid(x @ weights + bias) - y
            weights = weights - RATE / BATCH * (x.T @ error)
            bias -= RATE / BATCH * error.sum()
    return np.concatenate([weights, [bias]])
