"""Who shares tensors: parties of this process, or real ones; and what both have in common."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from contextvars import ContextVar, Token
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Generic, Literal, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _hushml
from .._error import HushError
from ._tensor import SecretTensor, numbers

#: The compute servers of parties in one process, in the order of their indices.
SERVERS = ("server0", "server1", "server2")

Protocol = Literal["aby3", "pond", "securenn"]

_current: ContextVar[Parties | None] = ContextVar("hushml.mpc parties", default=None)

Result = TypeVar("Result")


def local(
    *,
    protocol: Protocol = "aby3",
    ring_bits: Literal[64, 128] = 64,
    integer_bits: int = 15,
    fraction_bits: int = 16,
) -> LocalParties:
    """Three servers as threads of this process, for development: whoever runs it sees everything.

    Numbers are fixed-point, of magnitude below ``2**integer_bits`` in units of ``2**-fraction_bits``. Inputs outside
    are refused; that results stay inside is for you to see to, since nobody sees them. A ring of 128 bits has room for
    ``integer_bits=24, fraction_bits=32``, at twice the bytes.
    """
    return LocalParties(protocol, ring_bits, integer_bits, fraction_bits)


def current() -> Parties:
    """The parties of the innermost ``with``."""
    parties = _current.get()
    if parties is None:
        raise HushError("there are no parties", "write `with hushml.mpc.local():` around it")
    return parties


class Revealed(Generic[Result]):
    """What real parties open to one of them, once they have run."""

    def __init__(self, receiver: str, name: str, own: bool) -> None:
        self.receiver = receiver
        self.name = name
        self._own = own
        self._values: list[Result] = []

    def __repr__(self) -> str:
        return f"Revealed({self.name!r}, to {self.receiver!r})"

    @property
    def value(self) -> Result:
        """The numbers, if they are opened to this process and the parties have run."""
        if not self._own:
            raise HushError(f"`{self.name}` is opened to {self.receiver}, not to this process")
        if not self._values:
            raise HushError(f"`{self.name}` is known only when the parties have run", "call `run` on them first")
        return self._values[0]


class Parties:
    """Who shares tensors. As a context manager it is what decorators and :class:`hushml.mpc.Sequential` use inside."""

    _world: _hushml.World

    def __init__(self, world: _hushml.World, fraction_bits: int) -> None:
        self._world = world
        self._tokens: list[Token[Parties | None]] = []
        self.unit = 2.0**-fraction_bits

    def __enter__(self) -> Parties:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._tokens.pop())
        self._leave(failed=kind is not None)

    def _leave(self, failed: bool) -> None:
        raise NotImplementedError

    def _reveal(
        self, tensor: SecretTensor, receiver: str, name: str | None
    ) -> NDArray[np.float64] | Revealed[NDArray[np.float64]]:
        raise NotImplementedError

    def secret(self, values: ArrayLike, owner: str | None = None, *, name: str | None = None) -> SecretTensor:
        """Shares of numbers that ``owner`` has."""
        raise NotImplementedError

    def save(self, tensor: SecretTensor, name: str, *, folder: str | PathLike[str] = ".") -> None:
        """Keeps a tensor in shares under a name."""
        raise NotImplementedError

    def load(
        self, name: str, shape: Sequence[int] | None = None, *, folder: str | PathLike[str] = "."
    ) -> SecretTensor:
        """A tensor that was kept."""
        raise NotImplementedError

    def public(self, values: ArrayLike) -> SecretTensor:
        """Numbers that every party knows, in the form of shares."""
        array = numbers(values)
        return SecretTensor(self, self._world.public(list(array.shape), array.reshape(-1)))


class LocalParties(Parties):
    """Three servers in this process, from :func:`local`; the end of a ``with`` block ends them."""

    def __init__(self, protocol: Protocol, ring_bits: int, integer_bits: int, fraction_bits: int) -> None:
        super().__init__(_hushml.World(integer_bits, fraction_bits, protocol, ring_bits), fraction_bits)
        self.protocol = protocol

    def __enter__(self) -> LocalParties:
        super().__enter__()
        return self

    def __repr__(self) -> str:
        return f"<{', '.join(SERVERS)} in one process, for development>"

    def _leave(self, failed: bool) -> None:
        self.close()

    def close(self) -> None:
        """Ends the servers; their shares are gone."""
        self._world.close()

    def secret(self, values: ArrayLike, owner: str | None = None, *, name: str | None = None) -> SecretTensor:
        """Shares of numbers that ``owner`` has, ``server0`` if nobody is named."""
        array = numbers(values)
        handle = self._world.input(party(owner or SERVERS[0]), list(array.shape), array.reshape(-1))
        return SecretTensor(self, handle)

    def _reveal(self, tensor: SecretTensor, receiver: str, name: str | None) -> NDArray[np.float64]:
        return self._world.reveal(tensor._handle, party(receiver)).reshape(tensor.shape)

    def save(self, tensor: SecretTensor, name: str, *, folder: str | PathLike[str] = ".") -> None:
        """Writes each server's shares of a tensor to a file of its own in the folder. Whoever has the files of two
        servers has the numbers."""
        label = secrets.token_bytes(32)
        self._world.save_files(tensor._handle, _files(folder, name), label)
        about = {"label": label.hex(), "shape": tensor.shape, "protocol": self.protocol}
        Path(folder, f"{name}.json").write_text(json.dumps(about) + "\n")

    def load(
        self, name: str, shape: Sequence[int] | None = None, *, folder: str | PathLike[str] = "."
    ) -> SecretTensor:
        """Reads a tensor that :meth:`save` wrote, in this process or an earlier one."""
        path = Path(folder, f"{name}.json")
        try:
            about = json.loads(path.read_text())
            label, found = bytes.fromhex(about["label"]), [int(length) for length in about["shape"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HushError(f"cannot read `{path}`: {error}", "name the folder that `save` wrote to") from error
        if len(label) != 32 or any(length < 1 for length in found):
            raise HushError(f"`{path}` describes no shares")
        if shape is not None and list(shape) != found:
            raise HushError(f"`{name}` has the shape {tuple(found)}, not {tuple(shape)}")
        return SecretTensor(self, self._world.load_files(found, _files(folder, name), label))

    @property
    def spent(self) -> tuple[int, int]:
        """Rounds so far, and bytes that all servers sent."""
        return self._world.spent()


def _files(folder: str | PathLike[str], name: str) -> list[str]:
    if not name or "/" in name or "\\" in name or name.startswith("."):
        raise HushError(f"`{name}` is no name for a file", "use letters, digits, - and _")
    return [str(Path(folder, f"{name}.{server}.shares")) for server in SERVERS]


def party(name: str) -> int:
    """The index of a server in this process."""
    if name not in SERVERS:
        raise HushError(f"there is no party `{name}`", f"the local parties are {', '.join(SERVERS)}")
    return SERVERS.index(name)
