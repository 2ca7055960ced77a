"""Machine-learning models on data that stays encrypted.

At a server, four lines::

    import hushml
    client = hushml.connect("grpc://127.0.0.1:8081", model="cancer", keys="~/.hushml")
    y = client.predict(x)

Step by step: :func:`compile` and :func:`run` for the model's owner; :func:`keygen`, :func:`encrypt` and
:func:`decrypt` for the data's. ``hushml.sklearn`` and ``hushml.torch`` compile fitted estimators and modules; ``hushml.mlflow`` logs and loads
encrypted models.
"""

from typing import Any

from . import sklearn, torch
from ._client import Client, connect
from ._error import HushError, HushWarning
from ._hushml import Ciphertexts, ClientSpec, Compiled, Keys, Model, __version__
from ._steps import (
    compile,
    decrypt,
    encrypt,
    inspect,
    keygen,
    load_client,
    load_keys,
    load_model,
    run,
    simulate,
)

__all__ = [
    "Ciphertexts",
    "Client",
    "ClientSpec",
    "Compiled",
    "HushError",
    "HushWarning",
    "Keys",
    "Model",
    "__version__",
    "compile",
    "connect",
    "decrypt",
    "encrypt",
    "inspect",
    "keygen",
    "load_client",
    "load_keys",
    "load_model",
    "run",
    "simulate",
    "sklearn",
    "torch",
]


def __getattr__(name: str) -> Any:
    # MLflow takes seconds to import, and only some have it.
    if name == "mlflow":
        import importlib

        return importlib.import_module("hushml.mlflow")
    raise AttributeError(f"module 'hushml' has no attribute '{name}'")
