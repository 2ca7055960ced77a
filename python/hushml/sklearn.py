"""From a fitted scikit-learn estimator to a compiled model."""

from __future__ import annotations

from typing import Any

from . import _steps
from ._error import HushError
from ._hushml import Compiled

#: The newest operator set that both skl2onnx and the importer know well.
OPERATOR_SET = 18


def compile(estimator: Any, X: Any, **options: Any) -> Compiled:
    """Compiles a fitted estimator or pipeline with sample rows ``X``; options are those of :func:`hushml.compile`.

    The compiled model gives numbers only: class probabilities (or scores) of a classifier, not labels. The model is on
    float32, as in ONNX.
    """
    return _steps.compile(to_onnx(estimator, X), _rows(X), **options)


def to_onnx(estimator: Any, X: Any) -> Any:
    """The estimator as an ``onnx.ModelProto`` with one input ``X`` of as many features as ``X`` has."""
    try:
        from skl2onnx import convert_sklearn
        from skl2onnx.common.data_types import FloatTensorType
    except ImportError as error:
        raise HushError(
            "compiling scikit-learn estimators takes the package skl2onnx", "pip install skl2onnx"
        ) from error
    rows = _rows(X)
    types = [("X", FloatTensorType([None, rows.shape[1]]))]
    options = None
    if _classifies(estimator):
        # Probabilities as an array, not as a list of dictionaries.
        options = {id(estimator): {"zipmap": False}}
    return convert_sklearn(estimator, initial_types=types, options=options, target_opset=OPERATOR_SET)


def _rows(X: Any) -> Any:
    import numpy

    rows = numpy.asarray(X, dtype=numpy.float32)
    if rows.ndim != 2:
        raise HushError(f"X has shape {list(rows.shape)}", "pass sample rows of shape [rows, features]")
    return rows


def _classifies(estimator: Any) -> bool:
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    return hasattr(last, "classes_") and hasattr(last, "predict_proba")
