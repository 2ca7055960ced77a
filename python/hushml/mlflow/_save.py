"""Into a folder, and into a run."""

from __future__ import annotations

import inspect
import os
import platform
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import mlflow
import numpy
from mlflow import pyfunc
from mlflow.models import Model, ModelSignature, infer_signature
from mlflow.models.model import ModelInfo
from mlflow.models.utils import _save_example
from mlflow.types import Schema, TensorSpec

from .. import __version__
from .._error import HushError
from ._facts import PREFIX, facts
from ._source import CLIENT, MODEL, REPORT, Source, source

#: Name of the flavour in the file MLmodel.
FLAVOR = "hushml"

#: What ``model_config`` may set when a model is loaded; none of it is secret.
CONFIG = ("server", "model", "version", "keys", "ca", "raw", "report_drift")


def save_model(
    model: Any,
    path: str | os.PathLike[str],
    *,
    calibration: Any = None,
    server: str | None = None,
    served_as: str | None = None,
    signature: ModelSignature | Literal[False] | None = None,
    input_example: Any = None,
    metadata: Mapping[str, Any] | None = None,
    mlflow_model: Model | None = None,
    pip_requirements: Iterable[str] | None = None,
    **options: Any,
) -> None:
    """Writes a model into a new folder, in MLflow's layout. Arguments are those of :func:`log_model`."""
    given = source(model, calibration, options)
    _write(
        given,
        Path(path),
        mlflow_model or Model(metadata=dict(metadata or {})),
        calibration=calibration,
        server=server,
        served_as=served_as,
        signature=signature,
        input_example=input_example,
        pip_requirements=pip_requirements,
    )


def log_model(
    model: Any,
    name: str = "model",
    *,
    calibration: Any = None,
    server: str | None = None,
    served_as: str | None = None,
    registered_model_name: str | None = None,
    aliases: Iterable[str] = (),
    tags: Mapping[str, str] | None = None,
    signature: ModelSignature | Literal[False] | None = None,
    input_example: Any = None,
    metadata: Mapping[str, Any] | None = None,
    pip_requirements: Iterable[str] | None = None,
    await_registration_for: int | None = 300,
    **options: Any,
) -> ModelInfo:
    """Logs a model to the active run (or a new one), with what the compiler reports as tags.

    Args:
        model: a ``hushml.Compiled``, or the path of a ``.model`` file; or, with ``calibration``, what is compiled first:
            an ONNX model (path, bytes, ``ModelProto``, or the URI of one that MLflow holds), a fitted scikit-learn
            estimator, a torch module.
        name: of the logged model (the artifact path in MLflow 2).
        calibration: sample inputs as :func:`hushml.compile` takes them, also as a DataFrame.
        server: where the model is served, unless whoever loads it says otherwise (``HUSHML_SERVER``, ``model_config``).
            Without any, predictions are computed in the process that loads it.
        served_as: name of the model on that server; by default that in the registry, else ``name``.
        registered_model_name: registers a version under that name.
        aliases: what that version is called from now on, such as ``production``.
        tags: more tags for the model and the version.
        signature: by default from ``input_example``, ``calibration`` or the shapes of the model; ``False`` for none.
        input_example: some rows, kept with the model.
        metadata: more for the file ``MLmodel``.
        pip_requirements: in place of this version of HushML and MLflow.
        await_registration_for: seconds to wait for a registered version.
        options: of :func:`hushml.compile`.
    """
    aliases = [aliases] if isinstance(aliases, str) else list(aliases)
    if aliases and not registered_model_name:
        raise HushError(f"the alias `{aliases[0]}` is one of a registered model", "pass registered_model_name")
    given = source(model, calibration, options)
    lineage = {PREFIX + key: value for key, value in given.lineage.items()}
    all_tags = {**facts(given.report, given.spec.program_id), **lineage, **(tags or {})}
    flavor = _Flavor(
        given,
        calibration=calibration,
        server=server,
        served_as=served_as or registered_model_name or name,
        signature=signature,
        input_example=input_example,
        pip_requirements=pip_requirements,
    )
    arguments: dict[str, Any] = {
        "flavor": flavor,
        "registered_model_name": registered_model_name,
        "await_registration_for": await_registration_for,
        "metadata": dict(metadata or {}),
    }
    logged_models = "name" in inspect.signature(Model.log).parameters
    if logged_models:
        # MLflow would try the example out, for which keys of this model would be made.
        arguments |= {"artifact_path": None, "name": name, "tags": all_tags, "validate_serving_input": False}
    else:
        arguments |= {"artifact_path": name}
    info = Model.log(**arguments)
    client = mlflow.MlflowClient()
    if not logged_models:
        for key, value in all_tags.items():
            client.set_tag(info.run_id, key, value)
    version = info.registered_model_version
    if registered_model_name and version is not None:
        if info.run_id:
            all_tags.setdefault(PREFIX + "source.logged_by", info.run_id)
        for key, value in all_tags.items():
            client.set_model_version_tag(registered_model_name, str(version), key, value)
        # Last, so that whoever follows an alias finds everything else in place.
        for alias in aliases:
            client.set_registered_model_alias(registered_model_name, alias, str(version))
    return info


class _Flavor:
    """What ``Model.log`` takes: something that writes a folder."""

    __name__ = "hushml.mlflow"

    def __init__(self, given: Source, **options: Any) -> None:
        self._given = given
        self._options = options

    def save_model(self, path: str, mlflow_model: Model, **_: Any) -> None:
        _write(self._given, Path(path), mlflow_model, **self._options)


def _write(
    given: Source,
    folder: Path,
    about: Model,
    *,
    calibration: Any,
    server: str | None,
    served_as: str | None,
    signature: ModelSignature | Literal[False] | None,
    input_example: Any,
    pip_requirements: Iterable[str] | None,
) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise HushError(f"`{folder}` is there already", "name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    given.write(folder)
    if signature is None:
        signature = _signature(given, calibration if input_example is None else input_example)
    if signature:
        about.signature = signature
    if input_example is not None:
        _save_example(about, input_example, str(folder))
    requirements = list(pip_requirements or [f"hushml=={__version__}", f"mlflow=={mlflow.__version__}"])
    _lines(folder / "requirements.txt", requirements)
    _lines(
        folder / "python_env.yaml",
        [f"python: {platform.python_version()}", "build_dependencies:", "- pip", "dependencies:", "- -r requirements.txt"],
    )
    about.add_flavor(
        FLAVOR,
        hushml_version=__version__,
        program=given.spec.program_id,
        model=MODEL,
        client=CLIENT,
        report=REPORT,
        server=server,
        served_as=served_as,
    )
    pyfunc.add_to_model(
        about,
        loader_module="hushml.mlflow",
        python_env="python_env.yaml",
        # Only what has a place here can be set when the model is loaded.
        model_config={key: None for key in CONFIG},
    )
    about.metadata = {**(about.metadata or {}), "hush": facts(given.report, given.spec.program_id)}
    about.save(str(folder / "MLmodel"))


def _signature(given: Source, rows: Any) -> ModelSignature:
    """Of the inputs as the user has them; of the outputs as the model describes them."""
    outputs = Schema(_tensors(given.spec.outputs, numpy.dtype(numpy.float32)))
    if rows is None:
        return ModelSignature(Schema(_tensors(given.spec.inputs, numpy.dtype(numpy.float64))), outputs)
    if hasattr(rows, "detach"):
        rows = rows.detach().cpu().numpy()
    return ModelSignature(infer_signature(rows).inputs, outputs)


def _tensors(shapes: Mapping[str, tuple[int, ...]], kind: numpy.dtype[Any]) -> list[TensorSpec]:
    if len(shapes) == 1:
        return [TensorSpec(kind, (-1, *shape)) for shape in shapes.values()]
    return [TensorSpec(kind, (-1, *shape), name) for name, shape in shapes.items()]


def _lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
