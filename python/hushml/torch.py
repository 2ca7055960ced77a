"""From a trained torch module to a compiled model."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from . import _steps
from ._error import HushError
from ._hushml import Compiled


def compile(module: Any, X: Any, **options: Any) -> Compiled:
    """Compiles a module with sample inputs ``X`` (an array or tensor of shape ``[rows, ...]``, or a dictionary of
    them by the names of ``forward``'s arguments); options are those of :func:`hushml.compile`.
    """
    return _steps.compile(to_onnx(module, X), _arrays(X), **options)


def to_onnx(module: Any, X: Any) -> bytes:
    """The module, in evaluation mode, as the bytes of an ONNX model whose batch may have any size."""
    try:
        import torch
    except ImportError as error:
        raise HushError("compiling torch modules takes the package torch", "pip install torch onnx") from error
    inputs = _arrays(X) if isinstance(X, Mapping) else {"x": _arrays(X)}
    names = list(inputs)
    samples = tuple(torch.from_numpy(array[:1].copy()) for array in inputs.values())
    arguments: dict[str, Any] = {
        "input_names": names,
        "output_names": ["y"],
        "dynamic_axes": {name: {0: "batch"} for name in [*names, "y"]},
        "opset_version": 17,
    }
    # Later versions of torch have another exporter by default, which takes further packages.
    if "dynamo" in torch.onnx.export.__code__.co_varnames:
        arguments["dynamo"] = False
    training = module.training
    module.eval()
    output = io.BytesIO()
    try:
        with torch.no_grad():
            torch.onnx.export(module, samples, output, **arguments)
    except ImportError as error:
        raise HushError(f"torch cannot export to ONNX: {error}", "pip install onnx onnxscript") from error
    finally:
        module.train(training)
    return output.getvalue()


def _arrays(X: Any) -> Any:
    import numpy

    if isinstance(X, Mapping):
        return {name: _arrays(value) for name, value in X.items()}
    if hasattr(X, "detach"):
        X = X.detach().cpu().numpy()
    return numpy.asarray(X, dtype=numpy.float32)
