"""The MNIST images of a folder, for the examples that train on them: mnist_train.npz and mnist_test.npz, each with the images
`x` (uint8, [n, 28, 28]) and the digits `y`. HUSH_DATA names the folder.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Images = tuple[NDArray[np.float64], NDArray[np.int64]]


def load() -> tuple[Images, Images]:
    """Training and test images as rows of 784 numbers from 0 to 1, with their digits."""
    folder = os.environ.get("HUSH_DATA")
    if folder is None:
        sys.exit("set HUSH_DATA to the folder of mnist_train.npz and mnist_test.npz (arrays x and y)")
    return _read(Path(folder, "mnist_train.npz")), _read(Path(folder, "mnist_test.npz"))


def _read(path: Path) -> Images:
    if not path.is_file():
        sys.exit(f"{path} is missing; HUSH_DATA names its folder")
    # Arrays of numbers only: nothing in the file is run.
    with np.load(path, allow_pickle=False) as file:
        images, digits = file["x"], file["y"]
    return images.reshape(len(images), -1) / 255.0, digits.astype(np.int64)


def one_hot(digits: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.eye(10)[digits]


class Network:
    """Dense layers with ReLU between them and cross-entropy at the end, in floating point: the reference."""

    def __init__(self, parameters: list[NDArray[np.float64]]) -> None:
        self.parameters = [array.copy() for array in parameters]

    @staticmethod
    def first(sizes: list[int], seed: int) -> list[NDArray[np.float64]]:
        """Weights and biases before the first step, uniform after Glorot."""
        random = np.random.default_rng(seed)
        parameters = []
        for inputs, outputs in zip(sizes, sizes[1:], strict=False):
            reach = np.sqrt(6 / (inputs + outputs))
            parameters += [random.uniform(-reach, reach, (inputs, outputs)), np.zeros(outputs)]
        return parameters

    def layers(self, x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        values = [x]
        last = len(self.parameters) // 2 - 1
        for layer in range(last + 1):
            value = values[-1] @ self.parameters[2 * layer] + self.parameters[2 * layer + 1]
            values.append(np.maximum(value, 0) if layer < last else value)
        return values

    def step(self, x: NDArray[np.float64], labels: NDArray[np.float64], rate: float) -> None:
        values = self.layers(x)
        scores = np.exp(values[-1] - values[-1].max(1, keepdims=True))
        gradient = (scores / scores.sum(1, keepdims=True) - labels) / len(x)
        for layer in reversed(range(len(self.parameters) // 2)):
            of_weights, of_bias = values[layer].T @ gradient, gradient.sum(0)
            gradient = (gradient @ self.parameters[2 * layer].T) * (values[layer] > 0)
            self.parameters[2 * layer] -= rate * of_weights
            self.parameters[2 * layer + 1] -= rate * of_bias

    def accuracy(self, x: NDArray[np.float64], digits: NDArray[np.int64]) -> float:
        return float((self.layers(x)[-1].argmax(1) == digits).mean())
