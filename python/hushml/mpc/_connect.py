"""Programs for real parties: written down here, run by them as one session."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _hushml
from .._error import HushError
from .._progress import Progress
from ._parties import Parties, Protocol, Revealed
from ._tensor import SecretTensor, numbers


@dataclass(frozen=True)
class Report:
    """What a session cost."""

    rounds: int
    """As declared; an early stop makes them fewer."""
    bytes: int
    """Sent by all computing parties, as declared."""
    compute_seconds: float
    """At the first computing party."""
    set_up_seconds: float
    """Until all parties had agreed."""
    seconds: float
    operations: list[dict[str, Any]]
    """Label, seconds, rounds and bytes of each operation, as the first computing party counted them."""


def connect(
    parties: str | PathLike[str] | None = None,
    name: str = "client",
    *,
    protocol: Protocol = "aby3",
    ring_bits: Literal[64, 128] = 64,
    integer_bits: int = 15,
    fraction_bits: int = 16,
    identity: str | PathLike[str] | None = None,
    servers: Sequence[str] | None = None,
    program: str = "python",
    version: str = "1",
    progress: bool = True,
) -> ConnectedParties:
    """The parties of a file (``hush party``), of which this process is ``name``, with the identity in the folder
    ``identity`` (default: its name beside the file).

    What is calculated is written down and sent to nobody until :meth:`ConnectedParties.run`, or the end of the ``with``
    block: then all parties are asked for one session of the whole program, which they know by the name ``program``, its
    ``version`` and its hash, and follow their policies.

    Without ``parties``, three servers are started in this process for each session, over TLS on this machine: for
    development.
    """
    return ConnectedParties(
        parties, name, protocol, ring_bits, (integer_bits, fraction_bits), identity, servers, program, version, progress
    )


class ConnectedParties(Parties):
    """Real parties, from :func:`connect`. The end of a ``with`` block runs what is written down, unless it failed."""

    def __init__(
        self,
        file: str | PathLike[str] | None,
        name: str,
        protocol: Protocol,
        ring_bits: int,
        bits: tuple[int, int],
        identity: str | PathLike[str] | None,
        servers: Sequence[str] | None,
        program: str,
        version: str,
        progress: bool,
    ) -> None:
        super().__init__(_hushml.World.recorded(*bits, protocol, ring_bits), bits[1])
        self.name = name
        self.report: Report | None = None
        """Of the last session."""
        self._progress = progress
        self._outputs: list[tuple[Revealed[NDArray[np.float64]], tuple[int, ...]]] = []
        self._inputs = 0
        self._kept = 0
        self._participants = {
            "parties": None if file is None else os.fspath(file),
            "name": name,
            "identity": None if identity is None else os.fspath(identity),
            "servers": None if servers is None else list(servers),
            "program": program,
            "version": version,
        }

    def __enter__(self) -> ConnectedParties:
        super().__enter__()
        return self

    def __repr__(self) -> str:
        return f"<parties of {self._participants['parties'] or 'this machine'}, as {self.name}>"

    def _leave(self, failed: bool) -> None:
        if not failed and (self._outputs or self._kept):
            self.run()

    def secret(self, values: ArrayLike, owner: str | None = None, *, name: str | None = None) -> SecretTensor:
        """Shares of numbers that this process has. ``name`` is what other parties' policies call it."""
        if owner not in (None, self.name):
            raise HushError(
                f"this process is {self.name}, and has no numbers of {owner}", "declare them with `private`"
            )
        array = numbers(values)
        self._inputs += 1
        name = name or f"input{self._inputs}"
        handle = self._world.declare(name, list(array.shape), self.name, array.reshape(-1))
        return SecretTensor(self, handle)

    def private(self, name: str, shape: Sequence[int] | int, owner: str) -> SecretTensor:
        """Numbers that another party gives, from the file that its policy says for ``name``."""
        if owner == self.name:
            raise HushError(f"{owner} is this process", "share its numbers with `secret`")
        shape = [shape] if isinstance(shape, int) else [int(length) for length in shape]
        return SecretTensor(self, self._world.declare(name, shape, owner))

    def save(self, tensor: SecretTensor, name: str, *, folder: str | PathLike[str] = ".") -> None:
        """The servers keep the tensor in shares under this name, if their policies allow it; the folder is theirs to
        say."""
        self._world.keep(tensor._handle, name)
        self._kept += 1

    def load(
        self, name: str, shape: Sequence[int] | None = None, *, folder: str | PathLike[str] = "."
    ) -> SecretTensor:
        """A tensor that the servers keep from an earlier session, of this shape."""
        if shape is None:
            raise HushError(f"the shape of `{name}` is known to the servers only", "say it")
        return SecretTensor(self, self._world.load(name, [int(length) for length in shape]))

    def _reveal(self, tensor: SecretTensor, receiver: str, name: str | None) -> Revealed[NDArray[np.float64]]:
        name = name or f"output{len(self._outputs) + 1}"
        self._world.output(tensor._handle, name, receiver)
        promise: Revealed[NDArray[np.float64]] = Revealed(receiver, name, receiver == self.name)
        self._outputs.append((promise, tensor.shape))
        return promise

    def run(self) -> Report:
        """Asks all parties for one session of what is written down, takes part in it, and waits for its end. What is
        calculated afterwards is another session, which knows no tensor of this one but those that were saved."""
        outputs, self._outputs, self._inputs, self._kept = self._outputs, [], 0, 0
        with Progress(self._progress) as tell:
            results, report = _hushml.calculate_on_shares(self._world, self._participants, tell)
        for promise, shape in outputs:
            if promise.name in results:
                promise._values.append(results[promise.name].reshape(shape))
        self.report = Report(**report)
        return self.report
