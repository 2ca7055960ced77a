"""Machine-learning models on data that stays encrypted.

At a server, four lines::

    import hushml
    client = hushml.connect("grpc://127.0.0.1:8081", model="cancer", keys="~/.hushml")
    y = client.predict(x)

Step by step: :func:`compile` and :func:`run` for the model's owner; :func:`keygen`, :func:`encrypt` and
:func:`decrypt` for the data's. ``hushml.sklearn`` and ``hushml.torch`` compile fitted estimators and modules;
``hushml.mlflow`` logs and loads encrypted models.

Several parties: ``hushml.mpc`` computes on secret shares, predicts and trains; ``hushml.federated`` sums the vectors of
many clients without seeing one, and ``hushml.flower`` does so for apps of Flower.
"""

from typing import Any

from . import federated, mpc, sklearn, torch
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
    "federated",
    "inspect",
    "keygen",
    "load_client",
    "load_keys",
    "load_model",
    "mpc",
    "run",
    "simulate",
    "sklearn",
    "torch",
]


def __getattr__(name: str) -> Any:
    # They take seconds to import, and only some have what they need.
    if name in ("flower", "mlflow"):
        import importlib

        return importlib.import_module(f"hushml.{name}")
    raise AttributeError(f"module 'hushml' has no attribute '{name}'")
