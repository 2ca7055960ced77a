"""The steps of encrypted inference, one function each."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Union

from . import _hushml
from ._error import HushWarning
from ._hushml import Ciphertexts, ClientSpec, Compiled, Keys, Model
from ._progress import Progress

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

PathLike = Union[str, "os.PathLike[str]"]
Inputs = Union["ArrayLike", "Mapping[str, ArrayLike]"]
Outputs = Union["NDArray[Any]", "dict[str, NDArray[Any]]"]

#: Told of every compilation and its options; set by ``hushml.mlflow.autolog``.
_compiled: Callable[[Compiled, dict[str, Any]], None] | None = None


def compile(
    model: PathLike | bytes | Any,
    calibration: Inputs,
    *,
    precision: float | None = None,
    batch: int | None = None,
    packing: Literal["latency", "throughput"] | None = None,
    security: int = 128,
    activation_margin: float = 0.2,
    headroom: float = 2.0,
    min_agreement: float = 0.99,
    max_keys: int = 8 << 30,
    max_degree: int = 127,
    seed: int = 0,
) -> Compiled:
    """Compiles an ONNX model into a program for encrypted data.

    Args:
        model: path of an ``.onnx`` file, its bytes, or an ``onnx.ModelProto``.
        calibration: sample inputs of shape ``[rows, ...]``, eight rows at least; for several inputs a dictionary by name.
        precision: largest error wanted on any output, against the float model; by default 2 % of the largest output.
        batch: samples that will be run together; by default one.
        packing: ``"latency"`` (all slots work on one sample) or ``"throughput"`` (one slot a sample); by default the
            cheaper one for the batch.
        security: 128, 192 or 256 bits.
        activation_margin: share by which the calibrated range of every activation is widened.
        headroom: bits that any value may outgrow the calibration data by before the result is lost.
        min_agreement: share of calibration rows whose arg max the encrypted model should not change.
        max_keys: most bytes that the evaluation keys may take.
        max_degree: highest degree tried for an activation.
        seed: seed of the noise in the final simulation.
    """
    options: dict[str, Any] = {
        "precision": precision,
        "batch": batch,
        "packing": packing,
        "security": security,
        "activation_margin": activation_margin,
        "headroom": headroom,
        "min_agreement": min_agreement,
        "max_keys": max_keys,
        "max_degree": max_degree,
        "seed": seed,
    }
    compiled = _hushml.compile(_onnx(model), calibration, **options, memory=_memory(None))
    _warn(compiled.warnings)
    if _compiled is not None:
        _compiled(compiled, options)
    return compiled


def load_model(path: PathLike, *, memory: int | None = None) -> Model:
    """Reads a ``.model`` file. ``memory``: bytes that runs plan with; by default a quarter of the machine's."""
    return _hushml.load_model(_path(path), _memory(memory))


def load_client(path: PathLike) -> ClientSpec:
    """Reads a ``.client`` file."""
    return _hushml.load_client(_path(path))


def keygen(
    client: ClientSpec | Compiled | PathLike,
    folder: PathLike,
    passphrase: str | None = None,
    *,
    force: bool = False,
    progress: bool = True,
) -> Keys:
    """Makes ``secret.key`` and ``evaluation.key`` for a model in a folder.

    ``secret.key`` stays on this machine, protected with the passphrase if there is one (``HUSH_PASSPHRASE`` in the
    environment does as well); ``evaluation.key`` is for the server. ``force`` replaces keys that are there.
    """
    with Progress(progress) as tell:
        return _hushml.keygen(_source(client), _path(folder), passphrase, force, tell)


def load_keys(client: ClientSpec | Compiled | PathLike, folder: PathLike, passphrase: str | None = None) -> Keys:
    """Reads the keys that :func:`keygen` made."""
    return _hushml.load_keys(_source(client), _path(folder), passphrase)


def encrypt(
    client: ClientSpec | Compiled | PathLike, keys: Keys, x: Inputs, *, progress: bool = True
) -> Ciphertexts:
    """Encrypts a batch of shape ``[samples, ...]``; for several inputs a dictionary by name."""
    with Progress(progress) as tell:
        ciphertexts, found = _hushml.encrypt(_source(client), keys, x, tell)
    _warn(found)
    return ciphertexts


def run(
    model: Model | Compiled | PathLike,
    evaluation_keys: Keys | PathLike,
    ciphertexts: Ciphertexts | bytes,
    *,
    memory: int | None = None,
    progress: bool = True,
) -> Ciphertexts:
    """Runs a model on encrypted inputs. Needs no secret key.

    ``evaluation_keys`` is the path of ``evaluation.key``, or the keys themselves. A model keeps its encoded weights and
    the evaluation keys of its last run, so load it once for many runs.
    """
    keys = evaluation_keys if isinstance(evaluation_keys, Keys) else _path(evaluation_keys)
    with Progress(progress) as tell:
        return _hushml.run(_source(model), keys, ciphertexts, _memory(memory), tell)


def decrypt(
    client: ClientSpec | Compiled | PathLike,
    keys: Keys,
    y: Ciphertexts | bytes,
    *,
    raw: bool = False,
    flood_bits: int | None = None,
    flood_error: float | None = None,
    flood_results: int = 1024,
    progress: bool = True,
) -> Outputs:
    """Decrypts outputs: an array, or a dictionary of arrays for several.

    ``raw`` leaves out what the model does after decryption (Softmax, Sigmoid, ArgMax). To show results to others, pass
    ``flood_bits`` (bits of statistical security) and ``flood_error`` (the largest error that the model may make on an
    output, for whatever input): noise that hides what the results' errors tell of the key is added, for
    ``flood_results`` results at most.
    """
    flood = None
    if flood_bits is not None or flood_error is not None:
        if flood_bits is None or flood_error is None:
            raise TypeError("flood_bits and flood_error go together")
        flood = (flood_bits, flood_error, flood_results)
    with Progress(progress) as tell:
        return _hushml.decrypt(_source(client), keys, y, raw, flood, tell)


def simulate(
    model: Model | Compiled | PathLike, x: Inputs, *, raw: bool = False, seed: int = 0, progress: bool = True
) -> Outputs:
    """What encrypting, running and decrypting would give, on floats with the noise of ciphertexts. Needs no keys."""
    with Progress(progress) as tell:
        outputs, found = _hushml.simulate(_source(model), x, raw, seed, tell)
    _warn(found)
    return outputs


def inspect(path: PathLike) -> str:
    """Says what a file of HushML or an ONNX model holds, and checks that it is whole. Reads no secret."""
    return _hushml.inspect(_path(path))


def _path(path: PathLike) -> str:
    return os.path.expanduser(os.fspath(path))


def _source(source: Any) -> Any:
    return _path(source) if isinstance(source, (str, os.PathLike)) else source


def _onnx(model: Any) -> str | bytes:
    if isinstance(model, (bytes, bytearray, memoryview)):
        return bytes(model)
    if hasattr(model, "SerializeToString"):
        return bytes(model.SerializeToString())
    return _path(model)


def _memory(given: int | None) -> int | None:
    if given is not None:
        return given
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, OSError, ValueError):
        return None


def _warn(found: list[str]) -> None:
    for text in found:
        warnings.warn(text, HushWarning, stacklevel=3)
