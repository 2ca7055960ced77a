"""Secure aggregation: a server learns the sum of many clients' vectors, and no single one.

Each client hides its vector behind masks that it shares with its neighbours; masks cancel in the sum, and those of
clients that drop out are rebuilt from shares that their neighbours hold.

Between machines, :class:`Client` and :class:`Server` take and give bytes; sending them is your affair, or Flower's
(``hushml.flower``). In one process, to try things out, :func:`sum` and :class:`FedAvg`::

    result = hushml.federated.sum(vectors, weights=[120, 80, 200], bound=1.0)
    result.mean, result.survivors

Noise for differential privacy is added by each client (``noise_variance``), and :class:`Accountant` says what it is
worth.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import _hushml
from ._error import HushError
from ._hushml import Accountant

__all__ = [
    "Accountant",
    "Client",
    "FedAvg",
    "Result",
    "Server",
    "Settings",
    "cohort",
    "new_identity",
    "noise_multiplier",
    "public_identity",
    "sum",
]

#: The steps at which a client can drop out: before it sends the message of this name.
STEPS = ("announce", "share", "mask", "consent", "unmask")


def new_identity() -> bytes:
    """The secret seed of a client's long-term signing key: 32 random bytes. It stays with the client."""
    return secrets.token_bytes(32)


def public_identity(identity: bytes) -> bytes:
    """What others pin of an identity."""
    return _hushml.federated_identity(identity)


def cohort(available: Sequence[int], seed: bytes, *, count: int | None = None, rate: float | None = None) -> list[int]:
    """The clients that the 32 bytes ``seed`` draw: ``count`` of them, or each by itself with probability ``rate`` as
    accountants assume. The same seed draws the same clients.
    """
    return _hushml.federated_cohort(list(available), seed, count, rate)


@dataclass(frozen=True)
class Settings:
    """What server and clients agree on before a round. A session's name must be used once only; it is random by
    default, and the server hands the settings to the clients with :meth:`to_dict`.

    ``neighbours``, ``threshold`` and ``quorum`` are chosen where they are ``None``: 21 neighbours or all, two thirds
    of them to rebuild a mask, two thirds of the cohort to stay until the end.
    """

    clients: int
    """Size of the cohort that is asked."""
    values: int
    """Length of each vector."""
    bound: float = 1.0
    """Largest magnitude of a value."""
    weight_most: int = 1
    """Largest weight of a client."""
    precision: int = 20
    """Bits of a value before it is weighted."""
    neighbours: int | None = None
    threshold: int | None = None
    """Neighbours that rebuild a mask; more than half of them."""
    quorum: int | None = None
    """Clients that must stay until the end; more than half of the cohort."""
    noise_variance: int | None = None
    """Variance, in levels of :attr:`resolution`, of the noise that each client adds to each value."""
    session: bytes = field(default_factory=lambda: secrets.token_bytes(32))

    def __post_init__(self) -> None:
        neighbours = min(21, self.clients - 1) if self.neighbours is None else self.neighbours
        chosen = {
            "neighbours": neighbours,
            "threshold": neighbours * 2 // 3 + 1 if self.threshold is None else self.threshold,
            "quorum": self.clients * 2 // 3 + 1 if self.quorum is None else self.quorum,
        }
        for name, value in chosen.items():
            if value < 0:
                raise HushError(f"{name} is {value}", "ask at least three clients")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_aggregation", self._native())

    def _native(self) -> _hushml.Aggregation:
        return _hushml.Aggregation(
            self.session,
            self.clients,
            self.neighbours,
            self.threshold,
            self.quorum,
            self.values,
            self.bound,
            self.precision,
            self.weight_most,
            self.noise_variance,
        )

    @property
    def resolution(self) -> float:
        """The distance of two levels that values are rounded to."""
        return self._aggregation.resolution  # type: ignore[attr-defined]

    @property
    def upload_bytes(self) -> int:
        """What a client sends with its vector."""
        return self._aggregation.upload_bytes  # type: ignore[attr-defined]

    def sensitivity(self, norm: float) -> float:
        """How far one vector of Euclidean norm ``norm`` moves the sum, in levels."""
        return self._aggregation.sensitivity(norm)  # type: ignore[attr-defined]

    def to_dict(self) -> dict[str, Any]:
        """Numbers and strings only, for JSON."""
        return {**asdict(self), "session": self.session.hex()}

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any]) -> Settings:
        """The settings that :meth:`to_dict` gave. A client checks what it is given: bound, threshold and noise are its
        own protection."""
        return cls(**{**settings, "session": bytes.fromhex(settings["session"])})


def noise_multiplier(settings: Settings, norm: float, *, colluding: int = 0) -> float:
    """The noise multiplier of a round, for :meth:`Accountant.add`: what the least number of clients that stay, without
    ``colluding`` ones, add to a sum that one vector of norm ``norm`` moves.
    """
    if settings.noise_variance is None:
        raise HushError("the settings have no noise", "set noise_variance")
    honest = settings.quorum - colluding  # type: ignore[operator]
    if honest < 1:
        raise HushError(f"{colluding} of {settings.quorum} clients collude, so nobody's noise is left")
    return _hushml.federated_noise_multiplier(
        settings.noise_variance, honest, settings.sensitivity(norm), settings.values
    )


class Client:
    """A client of one round. Its steps, each with the server's answer to the one before::

        client.announce()           -> announcement
        client.share(roster)        -> shares
        client.mask(shares, vector) -> masked vector
        client.consent(survivors)   -> consent
        client.unmask(consents)     -> unmasking

    A client that fails at a step is over. ``directory`` lists the public identities of all clients that may take part,
    by index, from somewhere that the server does not control.

    The secrets of a round are random, or follow from 32 random bytes ``seed``, with which a client that was
    interrupted can take its steps again. It must then give the same answers: taking a step twice with other messages
    gives secrets away.
    """

    def __init__(
        self,
        settings: Settings,
        directory: Sequence[bytes],
        identity: bytes,
        index: int,
        *,
        seed: bytes | None = None,
    ) -> None:
        self.settings = settings
        aggregation = settings._aggregation  # type: ignore[attr-defined]
        self._client = _hushml.FederatedClient(aggregation, list(directory), identity, index, seed)

    def announce(self) -> bytes:
        """The keys of this round, signed."""
        return self._client.announce()

    def share(self, roster: bytes) -> bytes:
        """Shares of this client's secrets, encrypted for each neighbour."""
        return self._client.share(roster)

    def mask(
        self,
        shares: bytes,
        vector: ArrayLike,
        weight: int = 1,
        *,
        clip: bool = False,
        norm: float | None = None,
    ) -> bytes:
        """The masked vector. ``norm`` first scales it down to that Euclidean norm if it is longer; values beyond the
        bound are refused, or taken as the bound with ``clip``.
        """
        values = np.ascontiguousarray(vector, dtype=np.float32).reshape(-1)
        return self._client.mask(shares, values, weight, clip, norm)

    def consent(self, survivors: bytes) -> bytes:
        """This client's signature of who stayed."""
        return self._client.consent(survivors)

    def unmask(self, consents: bytes) -> bytes:
        """One share of each neighbour's secrets: of the own mask of those who stayed, of the key of those who left."""
        return self._client.unmask(consents)


@dataclass(frozen=True)
class Result:
    """What an aggregation ends with."""

    sum: NDArray[np.float64]
    """Sum of the vectors times their weights."""
    weight: int
    """Sum of the weights."""
    survivors: list[int]
    """Whose vectors are in the sum."""
    dropped: list[int]
    """Who announced itself and is not in the sum."""

    @property
    def mean(self) -> NDArray[np.float64]:
        """The weighted mean."""
        return self.sum / self.weight


class Server:
    """The server of one round: :meth:`receive` what clients send, :meth:`close` each step when enough have come,
    :meth:`finish` the last.
    """

    def __init__(self, settings: Settings, directory: Sequence[bytes]) -> None:
        self.settings = settings
        aggregation = settings._aggregation  # type: ignore[attr-defined]
        self._server = _hushml.FederatedServer(aggregation, list(directory))

    @property
    def phase(self) -> str:
        """The message that is due."""
        return self._server.phase()

    @property
    def received(self) -> list[int]:
        """Who has sent it."""
        return self._server.received()

    @property
    def expected(self) -> list[int]:
        """Who may send it."""
        return self._server.expected()

    def receive(self, client: int, message: bytes) -> None:
        """Takes a message of a client whom the transport has authenticated. A refused one raises HushError and harms
        nobody else."""
        self._server.receive(client, message)

    def close(self) -> dict[int, bytes]:
        """Ends a step, any but the last; what to send to whom. Whoever has not sent its message has dropped out.
        Raises HushError where too few are left."""
        return dict(self._server.close())

    def finish(self) -> Result:
        """Ends the last step. A sum that no clients within their bounds can have made is refused."""
        return Result(**self._server.finish())


def sum(
    vectors: Sequence[ArrayLike],
    weights: Sequence[int] | None = None,
    *,
    bound: float = 1.0,
    neighbours: int | None = None,
    threshold: int | None = None,
    quorum: int | None = None,
    precision: int = 20,
    clip: bool = False,
    norm: float | None = None,
    noise_variance: int | None = None,
    drop_outs: Mapping[int, str] | None = None,
) -> Result:
    """A whole round in this process, for simulation: every client's vector is here, so nothing is secret from whoever
    runs it.

    ``drop_outs`` names for a client the step before which it leaves: ``"announce"``, ``"share"``, ``"mask"``,
    ``"consent"`` or ``"unmask"``.
    """
    arrays = [np.asarray(vector, dtype=np.float32).reshape(-1) for vector in vectors]
    if not arrays:
        raise HushError("there are no vectors")
    weights = [1] * len(arrays) if weights is None else [int(weight) for weight in weights]
    if len(weights) != len(arrays):
        raise HushError(f"there are {len(arrays)} vectors and {len(weights)} weights")
    leaves = {client: _step(step) for client, step in (drop_outs or {}).items()}
    settings = Settings(
        clients=len(arrays),
        values=arrays[0].size,
        bound=bound,
        weight_most=max(weights),
        precision=precision,
        neighbours=neighbours,
        threshold=threshold,
        quorum=quorum,
        noise_variance=noise_variance,
    )
    identities = [new_identity() for _ in arrays]
    directory = [public_identity(identity) for identity in identities]
    server = Server(settings, directory)
    clients = [Client(settings, directory, identity, index) for index, identity in enumerate(identities)]
    steps: list[Callable[[int, bytes], bytes]] = [
        lambda index, _: clients[index].announce(),
        lambda index, message: clients[index].share(message),
        lambda index, message: clients[index].mask(message, arrays[index], weights[index], clip=clip, norm=norm),
        lambda index, message: clients[index].consent(message),
        lambda index, message: clients[index].unmask(message),
    ]
    messages = dict.fromkeys(range(len(arrays)), b"")
    for number, step in enumerate(steps):
        for index, message in messages.items():
            if leaves.get(index, len(STEPS)) > number:
                server.receive(index, step(index, message))
        if number < len(steps) - 1:
            messages = server.close()
    return server.finish()


def _step(name: str) -> int:
    if name not in STEPS:
        raise HushError(f"`{name}` is no step", f"clients drop out before {', '.join(STEPS)}")
    return STEPS.index(name)


class FedAvg:
    """Federated averaging in this process: each round, clients train from the same parameters, and the weighted mean of
    their changes is added to them; changes are summed as :func:`sum` does.

    ``train`` gets a client's index and the parameters (a list of arrays) and gives the new parameters and the number of
    samples, which is the client's weight. ``norm`` bounds the Euclidean norm of a change; with ``noise_variance`` all
    clients weigh the same and :attr:`accountant` adds up what the rounds cost.
    """

    def __init__(
        self,
        parameters: Sequence[ArrayLike],
        train: Callable[[int, list[NDArray[np.float64]]], tuple[Sequence[ArrayLike], int]],
        clients: int,
        *,
        bound: float = 1.0,
        norm: float | None = None,
        noise_variance: int | None = None,
        **settings: Any,
    ) -> None:
        if noise_variance is not None and norm is None:
            raise HushError("noise protects changes of a bounded norm only", "set norm")
        self.parameters = [np.array(array, dtype=np.float64) for array in parameters]
        self.clients = clients
        self.accountant = Accountant()
        self.rounds = 0
        self._train = train
        self._bound = bound
        self._norm = norm
        self._noise = noise_variance
        self._settings = settings

    def round(self, participants: Sequence[int] | None = None, *, drop_outs: Mapping[int, str] | None = None) -> Result:
        """One round with these clients, or all; ``drop_outs`` as in :func:`sum`, by the clients' own indices. The
        result's clients are named the same way."""
        asked = list(range(self.clients)) if participants is None else list(participants)
        changes, weights = [], []
        for client in asked:
            trained, samples = self._train(client, [array.copy() for array in self.parameters])
            pairs = zip(trained, self.parameters, strict=True)
            changes.append(np.concatenate([(np.asarray(new, np.float64) - old).reshape(-1) for new, old in pairs]))
            weights.append(1 if self._noise is not None else samples)
        place = {client: position for position, client in enumerate(asked)}
        result = sum(
            changes,
            weights,
            bound=self._bound,
            clip=True,
            norm=self._norm,
            noise_variance=self._noise,
            drop_outs={place[client]: step for client, step in (drop_outs or {}).items()},
            **self._settings,
        )
        mean, start = result.mean, 0
        for array in self.parameters:
            array += mean[start : start + array.size].reshape(array.shape)
            start += array.size
        if self._noise is not None and self._norm is not None:
            agreed = Settings(len(asked), mean.size, self._bound, noise_variance=self._noise, **self._settings)
            # Those asked may be chosen by what they hold, so no gain by sampling is assumed.
            self.accountant.add(noise_multiplier(agreed, self._norm))
        self.rounds += 1
        return Result(
            result.sum,
            result.weight,
            [asked[client] for client in result.survivors],
            [asked[client] for client in result.dropped],
        )

    def epsilon(self, delta: float = 1e-5) -> float:
        """What the rounds so far cost in differential privacy towards the server; infinite without noise."""
        return self.accountant.epsilon(delta) if self._noise is not None else math.inf
