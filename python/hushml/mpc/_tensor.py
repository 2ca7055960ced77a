"""Secret tensors, and what one does with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _hushml
from .._error import HushError

if TYPE_CHECKING:
    from ._parties import Parties, Revealed


def numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Values as the library takes them."""
    return np.ascontiguousarray(values, dtype=np.float64).reshape(np.shape(values))


class SecretTensor:
    """Numbers that the parties share and none of them sees. Shape and range are public.

    Operators work as on NumPy's arrays, with other secret tensors and with public numbers; comparisons give zeros and
    ones, and division by zero gives zero. ``if x < y`` is refused, as its answer would be secret: use
    :func:`hushml.mpc.where`. Results are off by a few units of ``2**-16``, smooth functions by up to 1e-4.
    """

    # NumPy asks the tensor, rather than taking it for an element.
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, parties: Parties, handle: _hushml.SecretHandle) -> None:
        self.parties = parties
        self._handle = handle

    def __repr__(self) -> str:
        return f"SecretTensor(shape={self.shape})"

    def __bool__(self) -> bool:
        raise HushError("whether a secret is true is secret", "use hushml.mpc.where, or reveal it to a party first")

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("the tensor has no dimensions")
        return self.shape[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """All dimensions."""
        return tuple(self._handle.shape)

    @property
    def ndim(self) -> int:
        """How many there are."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Elements."""
        return int(np.prod(self.shape, dtype=int))

    @property
    def T(self) -> SecretTensor:
        """Dimensions in reverse order."""
        return self.transpose()

    def reveal_to(self, receiver: str, name: str | None = None) -> NDArray[np.float64] | Revealed:
        """Opens the numbers to this party and to nobody else. Among parties of this process it gives them; among real
        parties it gives a :class:`hushml.mpc.Revealed`, whose ``value`` is there when the parties have run and this
        process is the receiver. ``name`` is what the receiver's policy calls it."""
        return self.parties._reveal(self, receiver, name)

    def _do(
        self, operation: str, *others: SecretTensor, numbers: Sequence[float] = (), counts: Sequence[int] = ()
    ) -> SecretTensor:
        operands = [self._handle, *(other._handle for other in others)]
        handle = self.parties._world.apply(operation, operands, list(numbers), [int(count) for count in counts])
        return SecretTensor(self.parties, handle)

    def _other(self, other: Any) -> SecretTensor:
        return other if isinstance(other, SecretTensor) else self.parties.public(other)

    def _spread(self, other: Any) -> tuple[SecretTensor, NDArray[np.float64]]:
        """Both under one shape, the other one public."""
        values = np.asarray(other, dtype=np.float64)
        shape = np.broadcast_shapes(self.shape, values.shape)
        wide = self if shape == self.shape else self._do("broadcast", counts=shape)
        # One number for all needs no spreading.
        return wide, values.reshape(1) if values.size == 1 else np.broadcast_to(values, shape).reshape(-1)

    def __add__(self, other: Any) -> SecretTensor:
        if isinstance(other, SecretTensor):
            return self._do("add", other)
        wide, values = self._spread(other)
        return wide._do("add_public", numbers=values)

    __radd__ = __add__

    def __neg__(self) -> SecretTensor:
        return self._do("negate")

    def __sub__(self, other: Any) -> SecretTensor:
        if isinstance(other, SecretTensor):
            return self._do("subtract", other)
        return self + -np.asarray(other, dtype=np.float64)

    def __rsub__(self, other: Any) -> SecretTensor:
        return -self + other

    def __mul__(self, other: Any) -> SecretTensor:
        if isinstance(other, SecretTensor):
            return self._do("multiply", other)
        wide, values = self._spread(other)
        return wide._do("multiply_public", numbers=values)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> SecretTensor:
        if isinstance(other, SecretTensor):
            # The library divides by positive numbers.
            return self._do("divide", abs(other)) * other._sign()
        return self * (1.0 / np.asarray(other, dtype=np.float64))

    def __rtruediv__(self, other: Any) -> SecretTensor:
        return abs(self)._do("reciprocal") * self._sign() * other

    def _sign(self) -> SecretTensor:
        return 1.0 - 2.0 * (self < 0.0)

    def __pow__(self, power: int) -> SecretTensor:
        if not isinstance(power, int) or power < 1:
            raise HushError(f"the power {power!r} is no positive whole number")
        result: SecretTensor | None = None
        square = self
        while True:
            if power & 1:
                result = square if result is None else result * square
            power >>= 1
            if not power:
                return result  # type: ignore[return-value]
            square = square * square

    def __matmul__(self, other: Any) -> SecretTensor:
        left, right = self, self._other(other)
        if left.ndim == 1 and right.ndim == 1:
            return (left.reshape(1, -1) @ right.reshape(-1, 1)).reshape()
        if left.ndim == 1:
            return (left.reshape(1, -1) @ right).reshape(right.shape[-1])
        if right.ndim == 1:
            return (left @ right.reshape(-1, 1)).reshape(left.shape[0])
        return left._do("matmul", right)

    def __rmatmul__(self, other: Any) -> SecretTensor:
        return self._other(other) @ self

    def __lt__(self, other: Any) -> SecretTensor:
        return self._do("less", self._other(other))

    def __gt__(self, other: Any) -> SecretTensor:
        return self._other(other)._do("less", self)

    def __le__(self, other: Any) -> SecretTensor:
        return 1.0 - (self > other)

    def __ge__(self, other: Any) -> SecretTensor:
        return 1.0 - (self < other)

    def __eq__(self, other: object) -> SecretTensor:  # type: ignore[override]
        return self._do("equal", self._other(other))

    def __ne__(self, other: object) -> SecretTensor:  # type: ignore[override]
        return 1.0 - (self == other)

    def __abs__(self) -> SecretTensor:
        return self._do("absolute")

    def __getitem__(self, index: Any) -> SecretTensor:
        if isinstance(index, list):
            return self.take(index)
        indices = index if isinstance(index, tuple) else (index,)
        if len(indices) > self.ndim:
            raise IndexError(f"the tensor has {self.ndim} dimensions")
        result, axis = self, 0
        for one in indices:
            length = result.shape[axis]
            if isinstance(one, slice):
                start, stop, step = one.indices(length)
                if step != 1:
                    raise HushError(f"steps of {step} in a slice are not supported", "take consecutive elements")
                result = result._do("slice", counts=(axis, start, max(start, stop)))
                axis += 1
            else:
                place = int(one)
                if not -length <= place < length:
                    raise IndexError(f"dimension {axis} has {length} elements")
                place %= length
                result = result._do("slice", counts=(axis, place, place + 1))
                result = result.reshape(*result.shape[:axis], *result.shape[axis + 1 :])
        return result

    def reshape(self, *shape: Any) -> SecretTensor:
        """The same elements under another shape; -1 once for what is left."""
        dimensions = list(shape[0]) if len(shape) == 1 and not isinstance(shape[0], int) else list(shape)
        if dimensions.count(-1) == 1:
            rest = int(np.prod([length for length in dimensions if length != -1], dtype=int))
            dimensions[dimensions.index(-1)] = self.size // max(rest, 1)
        return self._do("reshape", counts=dimensions)

    def transpose(self, *order: int) -> SecretTensor:
        """Dimensions in another order; reversed if none is given."""
        return self._do("transpose", counts=order or tuple(reversed(range(self.ndim))))

    def _axis(self, axis: int) -> int:
        if not -self.ndim <= axis < self.ndim:
            raise HushError(f"there is no dimension {axis} in a tensor of shape {self.shape}")
        return axis % self.ndim

    def sum(self, axis: int | None = None) -> SecretTensor:
        """Along one dimension, or of everything."""
        if axis is None:
            return self.reshape(-1).sum(0)
        return self._do("sum", counts=(self._axis(axis),))

    def mean(self, axis: int | None = None) -> SecretTensor:
        """Along one dimension, or of everything. The sum must be within the range too."""
        return self.sum(axis) / (self.size if axis is None else self.shape[self._axis(axis)])

    def max(self, axis: int | None = None) -> SecretTensor:
        """The largest element along one dimension, or of all."""
        if axis is None:
            return self.reshape(-1).max(0)
        axis = self._axis(axis)
        kept = self._do("max", counts=(axis,))
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        return kept if kept.shape == shape else kept.reshape(*shape)

    def min(self, axis: int | None = None) -> SecretTensor:
        """The smallest element along one dimension, or of all."""
        return -((-self).max(axis))

    def var(self, axis: int | None = None) -> SecretTensor:
        """The mean square of the distance to the mean."""
        mean = self.mean(axis)
        if axis is not None:
            shape = list(self.shape)
            shape[self._axis(axis)] = 1
            mean = mean.reshape(*shape)
        distance = self - mean
        return (distance * distance).mean(axis)

    def take(self, places: Sequence[int], axis: int = 0) -> SecretTensor:
        """Elements at public places along a dimension."""
        axis = self._axis(axis)
        length = self.shape[axis]
        if any(not -length <= place < length for place in places):
            raise IndexError(f"dimension {axis} has {length} elements")
        return self._do("gather", counts=(axis, *(place % length for place in places)))

    def pad(self, before: int, after: int, axis: int = -1) -> SecretTensor:
        """Zeros before and after along a dimension."""
        return self._do("pad", counts=(self._axis(axis), before, after))

    def argmax(self, axis: int = -1) -> SecretTensor:
        """The place of the largest element along a dimension, secret too."""
        axis = self._axis(axis)
        kept = self._do("argmax", counts=(axis,))
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        return kept if kept.shape == shape else kept.reshape(*shape)

    def sort(self) -> SecretTensor:
        """Ascending along the last dimension."""
        return self._do("sort")

    def top(self, count: int) -> SecretTensor:
        """The largest elements along the last dimension."""
        return self._do("top", counts=(count,))


def _secret(x: SecretTensor) -> SecretTensor:
    if not isinstance(x, SecretTensor):
        raise HushError(f"{type(x).__name__} is no secret tensor", "share it first with parties.secret")
    return x


def relu(x: SecretTensor) -> SecretTensor:
    """``max(x, 0)``, exactly."""
    return _secret(x)._do("relu")


def sigmoid(x: SecretTensor) -> SecretTensor:
    """Off by at most 1e-4."""
    return _secret(x)._do("sigmoid")


def tanh(x: SecretTensor) -> SecretTensor:
    """Off by at most 1e-4."""
    return _secret(x)._do("tanh")


def gelu(x: SecretTensor) -> SecretTensor:
    """``x`` times the normal distribution function of ``x``, off by at most 1e-4."""
    return _secret(x)._do("gelu")


def silu(x: SecretTensor) -> SecretTensor:
    """``x * sigmoid(x)``, also called swish, off by at most 1e-4."""
    return _secret(x)._do("silu")


def softplus(x: SecretTensor) -> SecretTensor:
    """``log(1 + exp(x))``, off by at most 1e-4."""
    return _secret(x)._do("softplus")


def elu(x: SecretTensor, alpha: float = 1.0) -> SecretTensor:
    """``alpha * (exp(x) - 1)`` below zero, off by at most 1e-4."""
    return _secret(x)._do("elu", numbers=(alpha,))


def leaky_relu(x: SecretTensor, slope: float = 0.01) -> SecretTensor:
    """``slope * x`` below zero."""
    return _secret(x)._do("leaky_relu", numbers=(slope,))


def erf(x: SecretTensor) -> SecretTensor:
    """The error function, off by at most 1e-4."""
    return _secret(x)._do("erf")


def polynomial(x: SecretTensor, coefficients: Sequence[float]) -> SecretTensor:
    """With public coefficients, lowest first; at most of degree 8."""
    return _secret(x)._do("polynomial", numbers=coefficients)


def exp(x: SecretTensor, most: float = 9.0) -> SecretTensor:
    """Of arguments up to ``most``; larger ones count as ``most``."""
    return _secret(x)._do("exp", numbers=(most,))


def log(x: SecretTensor) -> SecretTensor:
    """Of positive numbers."""
    return _secret(x)._do("log")


def sqrt(x: SecretTensor) -> SecretTensor:
    """Of positive numbers."""
    return _secret(x)._do("sqrt")


def rsqrt(x: SecretTensor) -> SecretTensor:
    """One over the square root of positive numbers."""
    return _secret(x)._do("inverse_sqrt")


def softmax(x: SecretTensor, axis: int = -1) -> SecretTensor:
    """Along a dimension."""
    return _secret(x)._do("softmax", counts=(x._axis(axis),))


def log_softmax(x: SecretTensor, axis: int = -1) -> SecretTensor:
    """Along a dimension."""
    return _secret(x)._do("log_softmax", counts=(x._axis(axis),))


def maximum(left: SecretTensor, right: Any) -> SecretTensor:
    """The larger one, element by element."""
    return _secret(left)._do("maximum", left._other(right))


def minimum(left: SecretTensor, right: Any) -> SecretTensor:
    """The smaller one, element by element."""
    return _secret(left)._do("minimum", left._other(right))


def clip(x: SecretTensor, low: float, high: float) -> SecretTensor:
    """The nearest number between two public ones."""
    return _secret(x)._do("clip", numbers=(low, high))


def where(condition: SecretTensor, yes: Any, no: Any) -> SecretTensor:
    """``yes`` where the condition is one, ``no`` where it is zero, without anybody learning which."""
    return _secret(condition) * (condition._other(yes) - condition._other(no)) + no


def concatenate(tensors: Sequence[SecretTensor], axis: int = 0) -> SecretTensor:
    """One after the other: ``axis=0`` joins rows of several owners, ``axis=1`` columns."""
    if not tensors:
        raise HushError("there are no tensors to join")
    first = _secret(tensors[0])
    return first._do("concatenate", *map(_secret, tensors[1:]), counts=(first._axis(axis),))


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else value


def conv2d(
    x: SecretTensor,
    kernel: SecretTensor,
    strides: int | tuple[int, int] = 1,
    padding: tuple[tuple[int, int], tuple[int, int]] = ((0, 0), (0, 0)),
    dilations: int | tuple[int, int] = 1,
    groups: int = 1,
) -> SecretTensor:
    """``[samples, channels, height, width]`` with a kernel ``[filters, channels / groups, height, width]``."""
    (top, bottom), (left, right) = padding
    counts = (*_pair(strides), top, bottom, left, right, *_pair(dilations), groups)
    return _secret(x)._do("convolve", _secret(kernel), counts=counts)


def max_pool(x: SecretTensor, size: int | tuple[int, int] = 2) -> SecretTensor:
    """The largest element of each window of ``[samples, channels, height, width]``; windows do not overlap."""
    return _secret(x)._do("max_pool", counts=_pair(size))


def average_pool(x: SecretTensor, size: int | tuple[int, int] = 2) -> SecretTensor:
    """The mean of each window of ``[samples, channels, height, width]``; windows do not overlap."""
    return _secret(x)._do("average_pool", counts=_pair(size))


def shuffle(*tensors: SecretTensor) -> SecretTensor | tuple[SecretTensor, ...]:
    """Rows in an order that nobody knows; those of several tensors in the same one."""
    if not tensors:
        raise HushError("there are no tensors to shuffle")
    rows = len(_secret(tensors[0]))
    flat = [_secret(tensor).reshape(rows, tensor.size // rows) for tensor in tensors]
    joined = concatenate(flat, axis=1)._do("shuffle")
    results, start = [], 0
    for tensor, part in zip(tensors, flat, strict=True):
        end = start + part.shape[1]
        results.append(joined[:, start:end].reshape(*tensor.shape))
        start = end
    return results[0] if len(results) == 1 else tuple(results)
