"""Predictions by parties that see neither the model's weights nor its inputs."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .. import _hushml
from .._error import HushError
from .._progress import Progress
from ._parties import Protocol


@dataclass(frozen=True)
class Prediction:
    """What a private prediction gave, and what it cost."""

    outputs: dict[str, NDArray[np.float32]]
    rounds: int
    bytes: int
    """Sent by all computing parties."""
    compute_seconds: float
    """At the first computing party."""
    set_up_seconds: float
    """Until all parties had agreed."""
    seconds: float
    operations: list[dict[str, Any]]
    """Label, seconds, rounds and bytes of each operation, as the first computing party counted them."""

    @property
    def output(self) -> NDArray[np.float32]:
        """The only output."""
        if len(self.outputs) != 1:
            raise HushError(f"the model has the outputs {', '.join(self.outputs)}", "take one from `outputs`")
        return next(iter(self.outputs.values()))


def predict(
    model: str | PathLike[str] | bytes,
    x: ArrayLike,
    protocol: Protocol = "aby3",
    *,
    ring_bits: Literal[64, 128] = 64,
    parties: str | PathLike[str] | None = None,
    name: str | None = None,
    identity: str | PathLike[str] | None = None,
    model_owner: str | None = None,
    servers: list[str] | None = None,
    program: str | None = None,
    version: str = "1",
    calibration: ArrayLike | None = None,
    integer_bits: int = 15,
    fraction_bits: int = 16,
    progress: bool = True,
) -> Prediction:
    """An ONNX model on secret shares of its weights and of ``x``, an array of shape ``[samples, ...]``.

    ``parties`` is the file of parties that wait for sessions (``hush party``); this process takes part as ``name``
    (default ``client``) with the identity in the folder ``identity`` (default: its name beside the file), gives its
    samples as shares and is shown the result. ``model_owner`` names the party whose weights are used; ``model`` may
    then hold any of the same shapes. Without ``parties``, they are started in this process, over TLS on this machine:
    for development, as all secrets are then in one place.

    ``calibration``, sample inputs, narrows the ranges of all values, which is faster; the ranges become public.
    """
    if isinstance(model, bytes):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.onnx")
            path.write_bytes(model)
            options = {"program": program or "model", "version": version, "calibration": calibration}
            options |= {"integer_bits": integer_bits, "fraction_bits": fraction_bits, "progress": progress}
            options |= {"ring_bits": ring_bits}
            options |= {"parties": parties, "name": name, "identity": identity, "model_owner": model_owner}
            return predict(path, x, protocol, servers=servers, **options)  # type: ignore[arg-type]
    participants = {
        "parties": None if parties is None else os.fspath(parties),
        "name": name,
        "identity": None if identity is None else os.fspath(identity),
        "servers": servers,
        "program": program or Path(model).stem,
        "version": version,
    }
    with Progress(progress) as tell:
        outputs, report = _hushml.predict_on_shares(
            os.fspath(model),
            _array(x),
            None if calibration is None else _array(calibration),
            (protocol, ring_bits, integer_bits, fraction_bits, model_owner),
            participants,
            tell,
        )
    arrays = {name: values.reshape(shape).astype(np.float32) for name, shape, values in outputs}
    return Prediction(outputs=arrays, **report)


def _array(values: ArrayLike) -> tuple[list[int], NDArray[np.float64]]:
    array = np.ascontiguousarray(values, dtype=np.float64)
    return list(array.shape), array.reshape(-1)
