"""Out of a folder: a model that encrypts, has somebody compute, and decrypts."""

from __future__ import annotations

import json
import os
import ssl
import tempfile
import urllib.parse
import urllib.request
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlflow
import yaml
from mlflow.models import Model

from .. import _client, _steps
from .._error import HushError, HushWarning
from .._hushml import ClientSpec
from ._save import CONFIG, FLAVOR
from ._source import array

#: Environment variable with the server's address.
SERVER = "HUSHML_SERVER"
#: Environment variable with the token that the server knows the caller by, as for ``hush``.
TOKEN = "HUSH_TOKEN"


class EncryptedModel:
    """A model's files. ``predict`` asks the server if there is one, else computes here with keys made for the purpose."""

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        about = Model.load(str(folder))
        if FLAVOR not in about.flavors:
            raise HushError(f"`{folder}` holds no encrypted model", "log one with hushml.mlflow.log_model")
        self._flavor = about.flavors[FLAVOR]
        #: Path of the program with the weights.
        self.path = folder / self._flavor["model"]
        #: What data owners get.
        self.client_spec: ClientSpec = _steps.load_client(folder / self._flavor["client"])
        self._registered = _registered(folder)
        unknown = set(config) - set(CONFIG)
        if unknown:
            raise HushError(f"`{min(unknown)}` is no setting", "settings are " + ", ".join(CONFIG))
        self._config = {key: value for key, value in config.items() if value is not None}
        #: Address of the server; ``None`` if predictions are computed here.
        self.server: str | None = (
            self._config.get("server") or os.environ.get(SERVER) or self._flavor.get("server") or None
        )
        self._remote: _client.Client | None = None
        self._local: _Local | None = None

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Rows in, arrays out; a dictionary of arrays if the model has several outputs."""
        del params
        rows = self._rows(model_input)
        raw = bool(self._config.get("raw", False))
        if self.server is None:
            if self._local is None:
                self._local = _Local(self.path, self.client_spec)
            return self._local.predict(rows, raw)
        if self._remote is None:
            self._remote = self._connect(self.server)
        outputs = self._remote.predict(rows, raw=raw, progress=False)
        if self._config.get("report_drift"):
            report(self.server, self._remote.metadata["name"], outputs, self._config.get("ca"))
        return outputs

    def _rows(self, given: Any) -> Any:
        inputs = self.client_spec.inputs
        if len(inputs) > 1 and hasattr(given, "columns"):
            import numpy

            missing = [name for name in inputs if name not in given.columns]
            if missing:
                raise HushError(f"the column `{missing[0]}` is missing", "columns are " + ", ".join(inputs))
            return {
                name: numpy.stack([array(cell) for cell in given[name]]).reshape(-1, *shape)
                for name, shape in inputs.items()
            }
        rows = array(given)
        [shape] = inputs.values() if len(inputs) == 1 else [()]
        # A frame has two dimensions, whatever the model's rows have.
        if hasattr(given, "columns") and len(shape) != 1:
            rows = rows.reshape(-1, *shape)
        return rows

    def _connect(self, server: str) -> _client.Client:
        """The version that this folder holds, wherever the server's latest one has got to."""
        name, version = self._registered
        name = self._config.get("model") or name or self._flavor.get("served_as") or "model"
        asked = self._config.get("version")
        options: dict[str, Any] = {"token": os.environ.get(TOKEN), "follow": False, "progress": False}
        options |= {key: self._config[key] for key in ("keys", "ca") if key in self._config}
        client = _client.connect(server, name, version=asked, **options)
        if client.client_spec.program_id == self.client_spec.program_id:
            return client
        if asked is None and version is not None:
            client = _client.connect(server, name, version=version, **options)
            if client.client_spec.program_id == self.client_spec.program_id:
                return client
        raise HushError(
            f"{server} serves another program as `{name}` than this model holds",
            "load the version that is served, or set `version` in model_config",
        )


class _Local:
    """Both sides in one process, to try a model out: the keys live as long as the process wants predictions."""

    def __init__(self, path: Path, spec: ClientSpec) -> None:
        self._spec = spec
        self._model = _steps.load_model(path)
        self._folder = tempfile.TemporaryDirectory(prefix="hushml-keys-")
        self._keys = _steps.keygen(spec, self._folder.name, progress=False)

    def predict(self, rows: Any, raw: bool) -> Any:
        ciphertexts = _steps.encrypt(self._spec, self._keys, rows, progress=False)
        answer = _steps.run(self._model, self._keys, ciphertexts, progress=False)
        return _steps.decrypt(self._spec, self._keys, answer, raw=raw, progress=False)


def load_model(model_uri: str, dst_path: str | None = None, **config: Any) -> EncryptedModel:
    """The model behind ``models:/NAME@ALIAS``, ``models:/NAME/VERSION``, ``runs:/…`` or a folder.

    ``config`` is what ``model_config`` of ``mlflow.pyfunc.load_model`` sets: ``server``, ``model`` (its name there),
    ``version``, ``keys`` (folder of keys, by default ``~/.hushml``), ``ca`` (certificates that may sign the server's),
    ``raw`` (leave out what follows decryption) and ``report_drift`` (tell the server the range of the outputs).
    """
    if "://" not in model_uri and os.path.isdir(model_uri):
        folder = model_uri
    else:
        folder = mlflow.artifacts.download_artifacts(artifact_uri=model_uri, dst_path=dst_path)
    return EncryptedModel(Path(folder), config)


def report(server: str, model: str, outputs: Any, ca: str | None = None) -> None:
    """Tells a server how many samples there were, and the least, largest and mean value of each output: nothing else.

    Whoever decrypts decides whether to; a server that does not take it is a warning.
    """
    import numpy

    if not server.startswith(("http://", "https://")):
        raise HushError(f"{server} takes no reports", "reports go over http:// or https://")
    arrays = outputs if isinstance(outputs, dict) else {"output": outputs}
    ranges = {
        name: {"minimum": float(values.min()), "maximum": float(values.max()), "mean": float(values.mean())}
        for name, values in ((name, numpy.asarray(values)) for name, values in arrays.items())
        if values.size
    }
    samples = max((len(values) for values in arrays.values()), default=0)
    body = json.dumps({"samples": samples, "outputs": ranges}).encode()
    url = f"{server.rstrip('/')}/v1/models/{urllib.parse.quote(model, safe='')}/report"
    request = urllib.request.Request(url, body, {"content-type": "application/json"})
    if token := os.environ.get(TOKEN):
        request.add_header("authorization", f"Bearer {token}")
    context = ssl.create_default_context(cafile=ca) if url.startswith("https://") else None
    try:
        with urllib.request.urlopen(request, timeout=10, context=context):
            pass
    except OSError as error:
        warnings.warn(f"{server} takes no report: {error}", HushWarning, stacklevel=3)


def load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> EncryptedModel:
    """What ``mlflow.pyfunc.load_model`` calls."""
    return EncryptedModel(Path(path), model_config or {})


def _registered(folder: Path) -> tuple[str | None, str | None]:
    """Name and version in the registry that a folder was downloaded as, which MLflow leaves in it."""
    path = folder / "registered_model_meta"
    if not path.is_file():
        return None, None
    said = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    version = said.get("model_version")
    return said.get("model_name"), None if version is None else str(version)
