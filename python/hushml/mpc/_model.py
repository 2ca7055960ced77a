"""Networks that are trained on shares, in the way of Keras."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _hushml
from .._error import HushError
from .._progress import Progress
from ._layers import Layer, Sigmoid, Spec, activation
from ._parties import LocalParties, Parties, Revealed, current
from ._tensor import SecretTensor, concatenate, sigmoid, softmax

Loss = Literal["mean_squared_error", "binary_crossentropy", "categorical_crossentropy"]
LOSSES = get_args(Loss)


@dataclass(frozen=True)
class SGD:
    """Steps against the gradient, or against its running sum with ``momentum``."""

    learning_rate: float = 0.01
    momentum: float = 0.0
    weight_decay: float = 0.0

    def _native(self) -> tuple[str, list[float]]:
        return "sgd", [self.learning_rate, self.momentum, self.weight_decay]

    @property
    def _remembers(self) -> bool:
        return self.momentum != 0.0


@dataclass(frozen=True)
class Adam:
    """Kingma and Ba; with ``amsgrad``, of the largest mean square so far."""

    learning_rate: float = 0.001
    beta_1: float = 0.9
    beta_2: float = 0.999
    amsgrad: bool = False
    weight_decay: float = 0.0

    def _native(self) -> tuple[str, list[float]]:
        name = "amsgrad" if self.amsgrad else "adam"
        return name, [self.learning_rate, self.beta_1, self.beta_2, self.weight_decay]

    @property
    def _remembers(self) -> bool:
        return True


@dataclass
class History:
    """What a training cost, and the losses that were opened. Of real parties, the cost is in the session's report."""

    steps: int = 0
    """Batches; zero for real parties that may stop early."""
    seconds: float = 0.0
    rounds: int = 0
    bytes: int = 0
    """Sent by all parties."""
    _losses: NDArray[np.float64] | Revealed[NDArray[np.float64]] | None = field(default=None, repr=False)

    @property
    def loss(self) -> list[float]:
        """After each epoch, if ``reveal_loss_to`` names a party; among real parties once they have run, if that is this
        process."""
        losses = self._losses.value if isinstance(self._losses, Revealed) else self._losses
        # Epochs after an early stop say minus one.
        return [] if losses is None else [float(loss) for loss in losses if loss >= 0.0]


class Sequential:
    """Layers one after the other, with weights that the parties share::

        model = mpc.Sequential([mpc.Dense(16, activation="relu"), mpc.Dense(1, activation="sigmoid")])
        model.compile(optimizer=mpc.SGD(0.1), loss="binary_crossentropy")
        model.fit(x, y, epochs=10, batch_size=32)
        model.predict(x_new).reveal_to("server0")

    Data and labels are secret tensors, of one owner or joined from several with :func:`hushml.mpc.concatenate`. Initial
    weights are public, or those that :meth:`load` names. Nothing is opened during training unless ``reveal_loss_to`` or
    ``stop_below`` say so.
    """

    def __init__(self, layers: Sequence[Layer], *, seed: int | None = None) -> None:
        if not layers:
            raise HushError("a network needs layers")
        self.layers = list(layers)
        self._seed = secrets.randbits(63) if seed is None else seed
        self._optimizer: SGD | Adam | None = None
        self._loss: Loss = "mean_squared_error"
        self._sigmoid = "accurate"
        self._network: _hushml.SecretHandle | None = None
        self._parties: Parties | None = None
        self._from: tuple[str, str | PathLike[str], int | None] | None = None
        self._steps: int | None = 0
        self._last: str | None = None

    def compile(
        self,
        optimizer: SGD | Adam | str = "sgd",
        loss: Loss = "mean_squared_error",
        *,
        sigmoid: Literal["three", "five", "accurate"] = "accurate",
    ) -> Sequential:
        """Says how to train. The ``binary_crossentropy`` takes labels 0 and 1, the ``categorical_crossentropy``
        one-hot ones; ``mean_squared_error`` is half of the mean square. The gradient's sigmoid may be of three or five
        linear pieces, off by up to 0.38 (at ±1/2) and 0.03, which needs fewer rounds.
        """
        named: dict[str, SGD | Adam] = {"sgd": SGD(), "adam": Adam(), "amsgrad": Adam(amsgrad=True)}
        if isinstance(optimizer, str):
            if optimizer not in named:
                raise HushError(f"there is no optimizer `{optimizer}`", "use sgd, adam or amsgrad")
            optimizer = named[optimizer]
        if loss not in LOSSES:
            raise HushError(f"there is no loss `{loss}`", f"use one of {', '.join(LOSSES)}")
        self._optimizer, self._loss, self._sigmoid = optimizer, loss, sigmoid
        self._network = None
        self._steps = 0
        return self

    def _specs(self, shape: tuple[int, ...]) -> list[Spec]:
        """The layers without a last activation that the loss contains."""
        specs: list[Spec] = []
        contained = {"binary_crossentropy": "sigmoid", "categorical_crossentropy": "softmax"}.get(self._loss)
        self._last = None
        for place, layer in enumerate(self.layers):
            is_last = place == len(self.layers) - 1
            name = "sigmoid" if isinstance(layer, Sigmoid) else getattr(layer, "activation", None)
            if is_last and name is not None and name == contained:
                self._last = name
                if not isinstance(layer, Sigmoid):
                    more, shape = layer.specs(shape)
                    specs += more
                continue
            if name == "softmax":
                raise HushError("softmax is for the last layer with the loss categorical_crossentropy")
            more, shape = layer.specs(shape)
            specs += more
            if not isinstance(layer, Sigmoid):
                specs += activation(name)
        return specs

    def _build(self, x: SecretTensor) -> _hushml.SecretHandle:
        if self._optimizer is None:
            raise HushError("the network is not compiled", "call compile first")
        parties = x.parties
        if self._network is None:
            shape = x.shape[1:]
            specs = self._specs(shape)
            network = _hushml.new_network(parties._world, list(shape), specs, self._seed)
            self._steps = 0
            if self._from is not None:
                name, folder, steps = self._from
                self._steps = steps or 0
                count = _hushml.network_weight_count(parties._world, network)
                weights = parties.load(name, (count,), folder=folder)
                _hushml.network_set_weights(parties._world, network, weights._handle)
                if steps is not None and self._optimizer._remembers:
                    how = self._optimizer._native()
                    count = _hushml.network_state_count(parties._world, network, *how)
                    state = parties.load(_state(name), (count,), folder=folder)
                    _hushml.network_resume(parties._world, network, state._handle, *how, steps)
            self._parties, self._network = parties, network
        if parties is not self._parties:
            raise HushError("the network is shared among other parties than the data")
        return self._network

    def _tensor(self, values: SecretTensor | ArrayLike, owner: str | None) -> SecretTensor:
        if isinstance(values, SecretTensor):
            return values
        return (self._parties or current()).secret(values, owner)

    def fit(
        self,
        x: SecretTensor | ArrayLike,
        y: SecretTensor | ArrayLike,
        epochs: int = 1,
        batch_size: int = 32,
        *,
        owner: str | None = None,
        reveal_loss_to: str | None = None,
        stop_below: float | None = None,
        progress: bool = True,
    ) -> History:
        """Trains. Arrays that are not shared yet become inputs of ``owner``. Batches are consecutive rows, so rows
        should be in random order (:func:`hushml.mpc.shuffle`). ``reveal_loss_to`` opens the mean loss after each epoch
        to that party. With ``stop_below`` the training ends after the epoch whose mean loss is below: each epoch opens
        to the servers whether it is, and nothing else.
        """
        x, y = self._tensor(x, owner), self._tensor(y, owner)
        if y.ndim == 1:
            y = y.reshape(-1, 1)
        if len(x) != len(y):
            raise HushError(f"there are {len(x)} samples and {len(y)} labels")
        if epochs < 1 or batch_size < 1:
            raise HushError("epochs and batch_size are at least 1")
        network, parties = self._build(x), x.parties
        if self._optimizer is None:
            raise HushError("the network is not compiled", "call compile first")
        name, numbers = self._optimizer._native()
        training = (
            self._loss,
            self._sigmoid,
            name,
            numbers,
            batch_size,
            epochs,
            reveal_loss_to is not None,
            stop_below,
        )
        here = isinstance(parties, LocalParties)
        rounds, sent = parties._world.spent() if here else (0, 0)
        began = time.perf_counter()
        with Progress(progress and here) as tell:
            handle, steps = _hushml.network_fit(parties._world, network, x._handle, y._handle, training, tell)
        losses = SecretTensor(parties, handle)
        opened = None if reveal_loss_to is None else losses.reveal_to(reveal_loss_to, "losses")
        if not here and stop_below is None:
            steps = epochs * -(-len(x) // batch_size)
        self._steps = self._steps + steps if self._steps is not None and steps else None
        history = History(steps, _losses=opened)
        if here:
            history.seconds = time.perf_counter() - began
            after = parties._world.spent()
            history.rounds, history.bytes = after[0] - rounds, after[1] - sent
        return history

    def _logits(self, x: SecretTensor) -> SecretTensor:
        network = self._build(x)
        return SecretTensor(x.parties, _hushml.network_predict(x.parties._world, network, x._handle))

    def predict(self, x: SecretTensor | ArrayLike, *, owner: str | None = None) -> SecretTensor:
        """The network's results, secret."""
        results = self._logits(self._tensor(x, owner))
        if self._last == "sigmoid":
            return sigmoid(results)
        return softmax(results) if self._last == "softmax" else results

    def evaluate(
        self,
        x: SecretTensor | ArrayLike,
        y: SecretTensor | ArrayLike,
        *,
        reveal_to: str,
        owner: str | None = None,
    ) -> float | Revealed[NDArray[np.float64]]:
        """The mean loss, opened to one party."""
        x, y = self._tensor(x, owner), self._tensor(y, owner)
        if y.ndim == 1:
            y = y.reshape(-1, 1)
        results = self._logits(x)
        handle = _hushml.network_loss(x.parties._world, results._handle, y._handle, self._loss, self._sigmoid)
        loss = SecretTensor(x.parties, handle).reveal_to(reveal_to)
        return loss if isinstance(loss, Revealed) else float(loss[0])

    def _built(self) -> tuple[Parties, _hushml.SecretHandle]:
        if self._network is None or self._parties is None:
            raise HushError("the network has no weights yet", "call fit first")
        return self._parties, self._network

    @property
    def weights(self) -> list[SecretTensor]:
        """Weights and biases in the order of the layers, secret."""
        parties, network = self._built()
        handles = _hushml.network_parameters(parties._world, network)
        return [SecretTensor(parties, handle) for handle in handles]

    def set_weights(self, weights: Sequence[SecretTensor]) -> None:
        """Replaces the weights, by others of the same shapes."""
        parties, network = self._built()
        shapes = [weight.shape for weight in self.weights]
        found = [weight.shape for weight in weights]
        if shapes != found:
            raise HushError(f"the weights have the shapes {shapes}, not {found}")
        vector = concatenate([weight.reshape(-1) for weight in weights])
        _hushml.network_set_weights(parties._world, network, vector._handle)
        self._steps = 0

    def reveal_weights_to(self, receiver: str) -> list[NDArray[np.float64] | Revealed[NDArray[np.float64]]]:
        """Opens weights and biases to one party and nobody else."""
        return [weight.reveal_to(receiver, f"weights{place}") for place, weight in enumerate(self.weights)]

    @property
    def steps(self) -> int:
        """Batches that the optimizer has seen, those before a checkpoint included."""
        if self._steps is None:
            raise HushError("real parties that may stop early do not tell how many steps they took", "train without `stop_below`")
        return self._steps

    def keep(self, name: str, *, optimizer: bool = False, folder: str | PathLike[str] = ".") -> None:
        """Keeps the weights in shares under a name: with real parties at the servers, as their policies say, where
        ``hush mpc serve`` predicts with them; with parties of this process in files of the folder. With ``optimizer``,
        what it remembers from step to step is kept beside them, as ``name.optimizer``; :meth:`load` asks for
        :attr:`steps`, too."""
        parties, network = self._built()
        weights = SecretTensor(parties, _hushml.network_weights(parties._world, network))
        parties.save(weights, name, folder=folder)
        if optimizer and self._optimizer is not None and self._optimizer._remembers:
            handle = _hushml.network_state(parties._world, network, *self._optimizer._native())
            parties.save(SecretTensor(parties, handle), _state(name), folder=folder)

    def load(self, name: str, *, steps: int | None = None, folder: str | PathLike[str] = ".") -> Sequential:
        """Begins with the weights that were kept under this name, in an earlier session or process. With ``steps``, the
        training goes on where it ended after so many (:attr:`steps` of the model that was kept): the optimizer was kept
        too."""
        self._from, self._network = (name, folder, steps), None
        return self

    def summary(self) -> str:
        """The layers, one a line."""
        lines: list[Any] = [f"{place}  {layer}" for place, layer in enumerate(self.layers)]
        return "\n".join(lines)


def _state(name: str) -> str:
    return f"{name}.optimizer"
