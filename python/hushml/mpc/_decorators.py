"""Functions whose results become secret, and secrets that become results."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from numpy.typing import ArrayLike, NDArray

from .._error import HushError
from ._connect import ConnectedParties
from ._parties import Revealed, current
from ._tensor import SecretTensor

P = ParamSpec("P")
Opened = NDArray[Any] | Revealed[Any]


def private_input(
    owner: str, shape: tuple[int, ...] | None = None
) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Shares what the function gives (an array, or a tuple of them) as inputs of ``owner``::

    @mpc.private_input("server0")
    def salaries():
        return np.loadtxt("salaries.csv")

    Among real parties the function is called where this process is the owner. Where another party is, that party gives
    what its policy says for the function's name, and ``shape`` says how much that is.
    """

    def decorate(function: Callable[P, ArrayLike | tuple[ArrayLike, ...]]) -> Callable[P, Any]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            parties = current()
            if isinstance(parties, ConnectedParties) and owner != parties.name:
                if shape is None:
                    raise HushError(f"how much {owner} gives is not known here", "say the `shape` to private_input")
                return parties.private(function.__name__, shape, owner)
            values = function(*args, **kwargs)
            if isinstance(values, tuple):
                return tuple(parties.secret(value, owner) for value in values)
            return parties.secret(values, owner)

        return wrapper

    return decorate


def private_output(receiver: str) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Opens the secret tensors that the function gives (one, or a tuple of them) to ``receiver`` and nobody else::

    @mpc.private_output("server2")
    def average(tensors):
        return sum(tensors) / len(tensors)
    """
    def decorate(function: Callable[P, SecretTensor | tuple[SecretTensor, ...]]) -> Callable[P, Any]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Opened | tuple[Opened, ...]:
            secrets = function(*args, **kwargs)
            if isinstance(secrets, tuple):
                return tuple(secret.reveal_to(receiver) for secret in secrets)
            return secrets.reveal_to(receiver)

        return wrapper

    return decorate
