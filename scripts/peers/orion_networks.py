"""Runs the three MNIST networks that Orion ships, encrypted, and exports them for others to run.

usage: orion_networks.py prepare FOLDER             trains briefly, writes NETWORK.pt, NETWORK.onnx, calibration and inputs
       orion_networks.py run NETWORK FOLDER IMAGES  one JSON line

The definitions are Orion's own (orion.models), the parameters those of its configuration files. HUSH_DATA names the
folder with mnist_train.npz and mnist_test.npz; without it the weights and the images are random. Everything runs on
one thread; GOMAXPROCS=1 must be set before, for Lattigo.
"""
import contextlib
import importlib.metadata
import io
import math
import os
import resource
import statistics
import sys
import time
from pathlib import Path

import numpy
import torch

import orion
import orion.models

from timing import print_result

SEED = 20
CALIBRATION, INPUTS = 512, 32
TRAINING, EPOCHS, BATCH = 10_000, 2, 64


def small(bits):
    """Orion's parameters for its MLP and LoLA."""
    return {"LogN": 13, "LogQ": [29] + [26] * bits, "LogP": [29, 29], "LogScale": 26, "H": 8192}


NETWORKS = {
    "mlp": (orion.models.MLP, small(5)),
    "lola": (orion.models.LoLA, small(5)),
    "lenet": (orion.models.LeNet, {"LogN": 14, "LogQ": [45] + [35] * 7, "LogP": [45, 45], "LogScale": 35}),
}


def images():
    """Training images and labels, and test images, [count, 1, 28, 28] in [0, 1]; random without HUSH_DATA."""
    data = os.environ.get("HUSH_DATA")
    if not data:
        generator = torch.Generator().manual_seed(SEED)
        return torch.rand(CALIBRATION, 1, 28, 28, generator=generator), None, torch.rand(
            INPUTS, 1, 28, 28, generator=generator)

    def pixels(array):
        return torch.from_numpy(array.astype("float32") / 255).unsqueeze(1)

    train, test = numpy.load(Path(data) / "mnist_train.npz"), numpy.load(Path(data) / "mnist_test.npz")
    labels = torch.from_numpy(train["y"][:TRAINING].astype("int64"))
    return pixels(train["x"][:TRAINING]), labels, pixels(test["x"][:INPUTS])


def train(network, inputs, labels):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    network.train()
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(inputs)).split(BATCH):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs[batch]), labels[batch]).backward()
            optimizer.step()


def prepare(folder):
    training, labels, test = images()
    numpy.save(folder / "calibration.npy", training[:CALIBRATION].numpy())
    numpy.save(folder / "inputs.npy", test.numpy())
    for name, (definition, _) in NETWORKS.items():
        torch.manual_seed(SEED)
        network = definition()
        if labels is not None:
            train(network, training, labels)
        network.eval()
        torch.save(network.state_dict(), folder / f"{name}.pt")
        # Orion wraps `forward` for torch.compile, which the exporter refuses to trace by default.
        torch._dynamo.config.error_on_nested_jit_trace = False
        torch.onnx.export(network, (test[:1],), str(folder / f"{name}.onnx"), input_names=["input"],
                          output_names=["output"], dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}})


def run(name, folder, count):
    definition, parameters = NETWORKS[name]
    settings = {"margin": 2, "embedding_method": "hybrid", "backend": "lattigo", "fuse_modules": True,
                "debug": False, "io_mode": "none"}
    inputs = torch.from_numpy(numpy.load(folder / "inputs.npy")[:count])
    network = definition()
    network.load_state_dict(torch.load(folder / f"{name}.pt"))
    network.eval()
    with torch.no_grad():
        expected = network(inputs)

    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        scheme = orion.init_scheme({"ckks_params": {**parameters, "RingType": "ConjugateInvariant"}, "orion": settings})
        with torch.no_grad():
            orion.fit(network, inputs[:1])
        level = orion.compile(network)
    compiled = time.perf_counter() - start

    network.he()
    seconds, found = [], []
    for image in inputs:
        ciphertext = orion.encrypt(orion.encode(image.unsqueeze(0), level))
        start = time.perf_counter()
        output = network(ciphertext)
        seconds.append(time.perf_counter() - start)
        found.append(output.decrypt().decode().reshape(-1))
    error = (torch.stack(found) - expected).abs()
    print_result(
        library=f"Orion {importlib.metadata.version('orion-fhe')}", network=name, images=count,
        seconds=statistics.median(seconds), compile_seconds=compiled,
        mean_error=error.mean().item(), largest_error=error.max().item(), largest_output=expected.abs().max().item(),
        same_class=int((torch.stack(found).argmax(1) == expected.argmax(1)).sum()),
        precision_bits=-math.log2(error.mean().item()), levels=len(parameters["LogQ"]) - 1,
        log_degree=parameters["LogN"], log_q_p=sum(parameters["LogQ"] + parameters["LogP"]),
        hamming_weight=scheme.params.get_hamming_weight(),
        peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def main(command=None, *arguments):
    torch.set_num_threads(1)
    if command == "prepare" and len(arguments) == 1:
        prepare(Path(arguments[0]))
    elif command == "run" and len(arguments) == 3 and arguments[0] in NETWORKS:
        run(arguments[0], Path(arguments[1]), int(arguments[2]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
