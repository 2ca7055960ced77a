"""Encrypted models in MLflow: ``pip install 'hushml[mlflow]'``, then ``import hushml.mlflow``.

The model's owner logs a compiled model, or what is to be compiled::

    hushml.mlflow.log_model("cancer.model", name="cancer", registered_model_name="cancer", aliases=["production"])
    hushml.mlflow.log_model(pipeline, name="cancer", calibration=X)

What is logged is a pyfunc. It encrypts, has a server or this process compute, and decrypts::

    model = mlflow.pyfunc.load_model("models:/cancer@production", model_config={"server": "grpc://127.0.0.1:8081"})
    y = model.predict(df)

Nothing is pickled: the folder holds the files of HushML, ``report.json``, and what every MLflow model has.
"""

from __future__ import annotations

from ._autolog import autolog
from ._facts import facts
from ._pyfunc import load_model, load_pyfunc as _load_pyfunc
from ._save import log_model, save_model

__all__ = ["autolog", "facts", "load_model", "log_model", "save_model"]
