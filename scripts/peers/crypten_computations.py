"""Times CrypTen with two parties and its insecure dealer: two processes on loopback, without TLS.

usage: crypten_computations.py REPETITIONS CANCER.npz WORK...
"""
import os
import sys

os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
import crypten
import crypten.communicator
import crypten.mpc
import numpy as np
import torch
from crypten.config import cfg
from crypten.encoder import FixedPointEncoder

import loopback
import shapes

_encode = FixedPointEncoder.encode


def encode(self, value, device=None):
    """CrypTen 0.4.1 does not encode plain numbers on later versions of Python."""
    if isinstance(value, (int, float)):
        return torch.tensor(int(self._scale * value), dtype=torch.long, device=device)
    return _encode(self, value, device)


FixedPointEncoder.encode = encode


def dense(x, *weights):
    for index in range(0, len(weights), 2):
        x = x.matmul(weights[index]) + weights[index + 1]
        if index + 2 < len(weights):
            x = x.relu()
    return x


def lenet(convolution, pool):
    def network(x, first, first_bias, second, second_bias, *rest):
        x = pool(convolution(x, first) + first_bias.reshape(1, -1, 1, 1)).relu()
        x = pool(convolution(x, second) + second_bias.reshape(1, -1, 1, 1)).relu()
        return dense(x.reshape(x.shape[0], -1) if isinstance(x, torch.Tensor) else x.reshape(x.size(0), -1), *rest)

    return network


def computation(work):
    """The function on secret tensors and on plain ones."""
    simple = {"matmul512": lambda x, y: x.matmul(y), "mul1m": lambda x, y: x * y, "relu1m": lambda x: x.relu(), "cmp1m": lambda x, y: x < y}
    if work in simple:
        return simple[work], simple[work]
    if work.startswith("mlp"):
        return dense, dense
    functional = torch.nn.functional
    return lenet(lambda x, kernel: x.conv2d(kernel), lambda x: x.max_pool2d(2)), lenet(functional.conv2d, lambda x: functional.max_pool2d(x, 2))


def share(array):
    return crypten.cryptensor(torch.as_tensor(array), src=0)


def regression(rows, labels):
    count = len(rows) // shapes.BATCH
    x = [share(part) for part in np.split(rows, count)]
    turned = [part.t() for part in x]
    y = [share(part) for part in np.split(labels, count)]
    rate = torch.tensor([shapes.RATE / shapes.BATCH])

    def run():
        weights, bias = share(np.zeros(rows.shape[1], np.float32)), share(np.zeros(1, np.float32))
        for _ in range(shapes.EPOCHS):
            for index in range(count):
                error = (x[index].matmul(weights) + bias).sigmoid() - y[index]
                weights = weights - turned[index].matmul(error) * rate
                bias = bias - error.sum() * rate
        return crypten.cat([weights, bias])

    return run


def party(repetitions, cancer, works):
    torch.set_num_threads(1)
    for work in works:
        if work == "lr":
            rows, labels = shapes.cancer(cancer)
            expected = shapes.regression(rows, labels, lambda x: 1 / (1 + np.exp(-x)))
            run = regression(rows, labels)
        else:
            arrays = shapes.arrays(work)
            secret, plain = computation(work)
            expected = plain(*(torch.as_tensor(array) for array in arrays)).double().numpy()
            shared = [share(array) for array in arrays]

            def run():
                return secret(*shared)
        last = [run()]

        def once():
            last[0] = run()

        link = crypten.communicator.get()
        seconds, sizes = loopback.timed(once, link.barrier, repetitions)
        found = last[0].get_plain_text().double().numpy()
        if link.get_rank() == 0:
            loopback.report(work, seconds, sizes, float(np.abs(found - expected).max()))


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    cfg.mpc.provider = "TFP"
    crypten.mpc.run_multiprocess(world_size=2)(party)(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
