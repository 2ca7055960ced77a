"""Functions whose results become secret, and secrets that become results."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from numpy.typing import ArrayLike, NDArray

from ._tensor import SecretTensor, current, party

P = ParamSpec("P")


def private_input(owner: str) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Shares what the function gives (an array, or a tuple of them) as inputs of ``owner``::

    @mpc.private_input("server0")
    def salaries():
        return np.loadtxt("salaries.csv")
    """
    party(owner)

    def decorate(function: Callable[P, ArrayLike | tuple[ArrayLike, ...]]) -> Callable[P, Any]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> Any:
            values = function(*args, **kwargs)
            if isinstance(values, tuple):
                return tuple(current().secret(value, owner) for value in values)
            return current().secret(values, owner)

        return wrapper

    return decorate


def private_output(receiver: str) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """Opens the secret tensors that the function gives (one, or a tuple of them) to ``receiver`` and nobody else::

    @mpc.private_output("server2")
    def average(tensors):
        return sum(tensors) / len(tensors)
    """
    party(receiver)

    def decorate(function: Callable[P, SecretTensor | tuple[SecretTensor, ...]]) -> Callable[P, Any]:
        @functools.wraps(function)
        def wrapper(*args: P.args, **kwargs: P.kwargs) -> NDArray[Any] | tuple[NDArray[Any], ...]:
            secrets = function(*args, **kwargs)
            if isinstance(secrets, tuple):
                return tuple(secret.reveal_to(receiver) for secret in secrets)
            return secrets.reveal_to(receiver)

        return wrapper

    return decorate
