"""Layers of networks that are trained on shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .._error import HushError

#: A layer as the library takes it: its name, a word, counts, numbers.
Spec = tuple[str, str, list[int], list[float]]
Activation = Literal["linear", "relu", "sigmoid", "softmax"] | None
Shape = tuple[int, ...]


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def activation(name: Activation) -> list[Spec]:
    """What an activation is as layers. Softmax is none: it goes into the loss, and into predictions."""
    if name in (None, "linear", "softmax"):
        return []
    if name == "relu":
        return [("relu", "", [], [])]
    if name == "sigmoid":
        return [("sigmoid", "accurate", [], [])]
    raise HushError(f"there is no activation `{name}`", "use linear, relu, sigmoid or softmax")


@dataclass(frozen=True)
class Dense:
    """``activation(x @ W + b)`` on the last dimension."""

    units: int
    activation: Activation = None

    def specs(self, shape: Shape) -> tuple[list[Spec], Shape]:
        return [("dense", "", [self.units], [])], (*shape[:-1], self.units)


@dataclass(frozen=True)
class Conv2D:
    """A convolution of ``[channels, height, width]``: channels come first."""

    filters: int
    kernel_size: int | tuple[int, int]
    strides: int | tuple[int, int] = 1
    padding: Literal["valid", "same"] = "valid"
    activation: Activation = None

    def specs(self, shape: Shape) -> tuple[list[Spec], Shape]:
        if len(shape) != 3:
            raise HushError(f"a convolution takes samples of three dimensions, not {shape}", "channels come first")
        kernel, strides = _pair(self.kernel_size), _pair(self.strides)
        lengths, padding = [], []
        for length, window, stride in zip(shape[1:], kernel, strides, strict=True):
            before = after = 0
            if self.padding == "same":
                wanted = -(-length // stride)
                total = max((wanted - 1) * stride + window - length, 0)
                before, after = total // 2, total - total // 2
            elif self.padding != "valid":
                raise HushError(f"there is no padding `{self.padding}`", "use valid or same")
            if window > length + before + after:
                raise HushError(f"a window of {kernel} is larger than samples of shape {shape}")
            padding += [before, after]
            lengths.append((length + before + after - window) // stride + 1)
        spec: Spec = ("convolution", "", [self.filters, *kernel, *strides, *padding], [])
        return [spec], (self.filters, *lengths)


@dataclass(frozen=True)
class _Pooling:
    pool_size: int | tuple[int, int] = 2

    def _specs(self, kind: str, shape: Shape) -> tuple[list[Spec], Shape]:
        height, width = _pair(self.pool_size)
        if len(shape) != 3:
            raise HushError(f"pooling takes samples of three dimensions, not {shape}", "channels come first")
        return [(kind, "", [height, width], [])], (shape[0], shape[1] // height, shape[2] // width)


@dataclass(frozen=True)
class MaxPooling2D(_Pooling):
    """The largest element of each window; windows do not overlap."""

    def specs(self, shape: Shape) -> tuple[list[Spec], Shape]:
        return self._specs("max_pool", shape)


@dataclass(frozen=True)
class AveragePooling2D(_Pooling):
    """The mean of each window; windows do not overlap."""

    def specs(self, shape: Shape) -> tuple[list[Spec], Shape]:
        return self._specs("average_pool", shape)


@dataclass(frozen=True)
class Flatten:
    """All dimensions of a sample as one."""

    def specs(self, shape: Shape) -> tuple[list[Spec], Shape]:
        size = 1
        for length in shape:
            size *= length
        return [("flatten", "", [], [])], (size,)


@dataclass(frozen=True)
class ReLU:
    """``max(x, 0)``."""

    def specs(self, shape: Shape) -> tuple[list[Spec], Shape]:
        return activation("relu"), shape


@dataclass(frozen=True)
class Sigmoid:
    """A sigmoid, off by at most 1e-4."""

    def specs(self, shape: Shape) -> tuple[list[Spec], Shape]:
        return activation("sigmoid"), shape


@dataclass(frozen=True)
class BatchNormalization:
    """Each channel (of a flat sample each feature) with a mean and a variance that are trained: normalised by the batch
    in training, by running means of its statistics in predictions. Batches must be large enough to have a variance."""

    momentum: float = 0.9
    epsilon: float = 1e-3
    activation: Activation = None

    def specs(self, shape: Shape) -> tuple[list[Spec], Shape]:
        return [("batch_norm", "", [], [self.momentum, self.epsilon])], shape


Layer = BatchNormalization | Dense | Conv2D | MaxPooling2D | AveragePooling2D | Flatten | ReLU | Sigmoid
