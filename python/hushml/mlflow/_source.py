"""From whatever a model is given as to the files that are stored."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from .. import _steps, sklearn, torch
from .._error import HushError
from .._hushml import Compiled

#: Names of the files in a model's folder.
MODEL, CLIENT, REPORT = "encrypted.model", "encrypted.client", "report.json"

#: Whether a compilation is part of logging a model, which tells more of it than ``autolog`` would.
logging_model: ContextVar[bool] = ContextVar("logging_model", default=False)


class Source:
    """A compiled model on its way into a folder, and where it comes from."""

    def __init__(self, compiled: Compiled | Path, client: Path | None, lineage: dict[str, str]) -> None:
        self._compiled = compiled
        self._client = client
        self.lineage = lineage
        stored = _steps.load_model(compiled) if isinstance(compiled, Path) else compiled
        self.spec = stored.client_spec
        self.report: dict[str, Any] = stored.report_json
        if client is not None:
            found = _steps.load_client(client).program_id
            if found != self.spec.program_id:
                raise HushError(f"`{client}` is not the client file of `{compiled}`", "take both from one compilation")

    def write(self, folder: Path) -> None:
        """Writes the files."""
        if isinstance(self._compiled, Path):
            shutil.copyfile(self._compiled, folder / MODEL)
            self.spec.save(folder / CLIENT)
        else:
            self._compiled.save(folder / Path(MODEL).stem)
        (folder / REPORT).write_text(json.dumps(self.report, indent=2) + "\n", encoding="utf-8")


def source(model: Any, calibration: Any, options: Mapping[str, Any]) -> Source:
    """Compiles what is not compiled.

    ``model`` is a ``Compiled``, the path of a ``.model`` file (its ``.client`` file may lie beside it), or, with
    calibration data: an ONNX model as path, bytes or ``ModelProto``, the URI of one that MLflow holds, a fitted
    scikit-learn estimator, or a torch module.
    """
    token = logging_model.set(True)
    try:
        return _source(model, calibration, options)
    finally:
        logging_model.reset(token)


def _source(model: Any, calibration: Any, options: Mapping[str, Any]) -> Source:
    compiled = isinstance(model, Compiled) or _names(model, ".model")
    if compiled and options:
        raise HushError(f"the model is compiled; `{next(iter(options))}` comes too late", "set options when compiling")
    if isinstance(model, Compiled):
        return Source(model, None, {})
    if _names(model, ".model"):
        path = Path(_steps._path(model))
        client = path.with_suffix(".client")
        return Source(path, client if client.exists() else None, {"source.file": path.name})
    if calibration is None:
        raise HushError("compiling takes sample rows", "pass calibration=X, or a model that is compiled")
    rows = array(calibration)
    if isinstance(model, str) and ":/" in model:
        return _of_mlflow(model, rows, options)
    if hasattr(model, "state_dict") and hasattr(model, "forward"):
        return _of_onnx(torch.to_onnx(model, rows), rows, options, {"source.class": _class(model)})
    if hasattr(model, "get_params") and hasattr(model, "predict"):
        proto = sklearn.to_onnx(model, rows)
        return _of_onnx(proto.SerializeToString(), rows, options, {"source.class": _class(model)})
    if isinstance(model, (str, os.PathLike)):
        path = _steps._path(model)
        # The path, not its bytes: large models keep their weights beside them.
        lineage = {"source.file": os.path.basename(path), "source.sha256": _digest(Path(path).read_bytes())}
        return Source(_steps.compile(path, rows, **options), None, lineage)
    return _of_onnx(_steps._onnx(model), rows, options, {})


def array(rows: Any) -> Any:
    """Arrays and dictionaries of them from what data scientists have: frames and tensors too."""
    import numpy

    if isinstance(rows, Mapping):
        return {str(name): array(value) for name, value in rows.items()}
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu().numpy()
    if hasattr(rows, "to_numpy"):
        rows = rows.to_numpy()
    return numpy.asarray(rows, dtype=numpy.float64)


def _of_onnx(data: bytes, rows: Any, options: Mapping[str, Any], lineage: dict[str, str]) -> Source:
    return Source(_steps.compile(data, rows, **options), None, {**lineage, "source.sha256": _digest(data)})


def _of_mlflow(uri: str, rows: Any, options: Mapping[str, Any]) -> Source:
    """The ONNX model behind a URI such as `runs:/…/model` or `models:/cancer-onnx/2`."""
    from mlflow import artifacts
    from mlflow.models import Model

    with tempfile.TemporaryDirectory(prefix="hushml-") as folder:
        place = Path(artifacts.download_artifacts(artifact_uri=uri, dst_path=folder))
        lineage = {"source.uri": uri}
        path = place
        if place.is_dir():
            about = Model.load(str(place))
            if "onnx" not in about.flavors:
                raise HushError(
                    f"`{uri}` is no ONNX model but {', '.join(sorted(about.flavors))}",
                    "load it yourself and pass the estimator or module; that of others may hold a pickle",
                )
            path = place / about.flavors["onnx"]["data"]
            if path.is_dir():
                path = path / "model.onnx"
            for name in ("run_id", "model_id"):
                if value := getattr(about, name, None):
                    lineage[f"source.{name}"] = value
        lineage["source.sha256"] = _digest(path.read_bytes())
        return Source(_steps.compile(str(path), rows, **options), None, lineage)


def _names(model: Any, extension: str) -> bool:
    return isinstance(model, (str, os.PathLike)) and str(os.fspath(model)).endswith(extension)


def _class(model: Any) -> str:
    return f"{type(model).__module__}.{type(model).__qualname__}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
