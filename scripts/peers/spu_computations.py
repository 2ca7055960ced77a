"""Times SPU's ABY3 on 64-bit words: three processes on loopback, without TLS.

usage: spu_computations.py REPETITIONS CANCER.npz WORK...
"""
import multiprocessing
import os
import socket
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")
import jax
import jax.numpy as jnp
import numpy as np
import spu.utils.frontend as frontend
from jax import lax
from spu import Io, Runtime, libspu

import loopback
import shapes

SETTINGS = dict(protocol=libspu.ProtocolKind.ABY3, field=libspu.FieldType.FM64)
FRACTION = 18


def configuration():
    config = libspu.RuntimeConfig(**SETTINGS)
    config.fxp_fraction_bits = FRACTION
    return config


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def party(rank, ports, executable, shares, repetitions, pipe):
    description = libspu.link.Desc()
    description.recv_timeout_ms = 600_000
    for index, port in enumerate(ports):
        description.add_party(f"party{index}", f"127.0.0.1:{port}")
    link = libspu.link.create_brpc(description, rank)
    runtime = Runtime(link, configuration())
    for name, share in zip(executable.input_names, shares):
        runtime.set_var(name, share)
    runtime.run(executable)
    seconds, sizes = loopback.timed(lambda: runtime.run(executable), link.barrier, repetitions)
    pipe.send((seconds, sizes, [runtime.get_var(name) for name in executable.output_names]))
    pipe.recv()
    link.stop_link()


def measure(work, function, arguments, expected, repetitions):
    names = [f"in{index}" for index in range(len(arguments))]
    secret = libspu.Visibility.VIS_SECRET
    executable, _ = frontend.compile(frontend.Kind.JAX, function, arguments, {}, names, [secret] * len(arguments),
                                     lambda outputs: [f"out{index}" for index in range(len(outputs))],
                                     static_argnums=(), static_argnames=None, copts=libspu.CompilerOptions())
    sharing = Io(3, configuration())
    shares = [sharing.make_shares(np.asarray(array), secret) for array in arguments]
    context = multiprocessing.get_context("spawn")
    ports, processes, pipes = free_ports(3), [], []
    for rank in range(3):
        ours, theirs = context.Pipe()
        process = context.Process(target=party, args=(rank, ports, executable, [share[rank] for share in shares], repetitions, theirs))
        process.start()
        processes.append(process)
        pipes.append(ours)
    results = []
    for process, pipe in zip(processes, pipes):
        while not pipe.poll(1):
            if not process.is_alive():
                raise SystemExit(f"a party of SPU died at {work}")
        results.append(pipe.recv())
    for pipe in pipes:
        pipe.send(None)
    for process in processes:
        process.join(20)
        if process.is_alive():
            process.kill()
    outputs = [sharing.reconstruct(list(parts)) for parts in zip(*(result[2] for result in results))]
    found = np.concatenate([np.asarray(output, dtype=np.float64).ravel() for output in outputs])
    loopback.report(work, results[0][0], results[0][1], float(np.abs(found - np.asarray(expected, np.float64).ravel()).max()))


def dense(x, *weights):
    for index in range(0, len(weights), 2):
        x = jnp.matmul(x, weights[index]) + weights[index + 1]
        if index + 2 < len(weights):
            x = jnp.maximum(x, 0)
    return x


def pooled(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def lenet(x, first, first_bias, second, second_bias, *rest):
    def convolution(x, kernel, bias):
        return lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")) + bias

    x = jnp.maximum(pooled(convolution(x, first, first_bias)), 0)
    x = jnp.maximum(pooled(convolution(x, second, second_bias)), 0)
    return dense(x.reshape((x.shape[0], -1)), *rest)


def three_pieces(x):
    return jnp.clip(x + 0.5, 0.0, 1.0)


def descent(rows, labels):
    """Rows as [batches, BATCH, features]."""
    def step(index, state):
        weights, bias = state
        error = three_pieces(jnp.matmul(rows[index], weights) + bias) - labels[index]
        factor = shapes.RATE / shapes.BATCH
        return weights - factor * jnp.matmul(rows[index].T, error), bias - factor * jnp.sum(error)

    def epoch(_, state):
        for index in range(rows.shape[0]):
            state = step(index, state)
        return state

    return lax.fori_loop(0, shapes.EPOCHS, epoch, (jnp.zeros(rows.shape[2]), jnp.zeros(())))


def main(repetitions, cancer, works):
    for work in works:
        if work == "lr":
            rows, labels = shapes.cancer(cancer)
            expected = shapes.regression(rows, labels, lambda x: np.clip(x + 0.5, 0, 1))
            batches = (rows.reshape(-1, shapes.BATCH, rows.shape[1]), labels.reshape(-1, shapes.BATCH))
            measure(work, descent, batches, expected, repetitions)
            continue
        arguments = shapes.arrays(work)
        function = {"matmul512": jnp.matmul, "mul1m": lambda x, y: x * y, "relu1m": lambda x: jnp.maximum(x, 0),
                    "cmp1m": lambda x, y: jnp.less(x, y)}.get(work, dense)
        if work.startswith("lenet"):
            function = lenet
            # SPU wants channels last.
            arguments[0] = arguments[0].transpose(0, 2, 3, 1)
            for index in (1, 3):
                arguments[index] = arguments[index].transpose(2, 3, 1, 0)
        measure(work, function, tuple(arguments), jax.jit(function)(*arguments), repetitions)


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
