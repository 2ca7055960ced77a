"""What every compilation in this process tells MLflow by itself."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import mlflow

from .. import _steps
from .._hushml import Compiled
from ._facts import facts, figures
from ._save import log_model
from ._source import logging_model

_logger = logging.getLogger(__name__)


def autolog(
    *,
    log_models: bool = True,
    registered_model_name: str | None = None,
    disable: bool = False,
    silent: bool = False,
) -> None:
    """Logs every :func:`hushml.compile` (and those of ``hushml.sklearn`` and ``hushml.torch``) from now on.

    To the active run, or one made for it: options as parameters, error, latency, key bytes and agreement as metrics, the
    facts as tags, ``report.json``, and with ``log_models`` the model. What MLflow refuses is a warning (nothing if
    ``silent``), and the compiled model is returned in any case.
    """
    if disable:
        _steps._compiled = None
        return

    def log(compiled: Compiled, options: Mapping[str, Any]) -> None:
        if logging_model.get():
            return
        try:
            _log(compiled, options, log_models, registered_model_name)
        except Exception as error:
            if not silent:
                _logger.warning("the compilation was not logged: %s", error)

    _steps._compiled = log


def _log(
    compiled: Compiled, options: Mapping[str, Any], log_models: bool, registered_model_name: str | None
) -> None:
    own = mlflow.active_run() is None
    run = mlflow.start_run() if own else mlflow.active_run()
    assert run is not None
    try:
        spec, report = compiled.client_spec, compiled.report_json
        params = {f"hush_{key}": value for key, value in options.items() if value is not None}
        # A second compilation in a run would change what cannot be changed.
        known = mlflow.get_run(run.info.run_id).data.params
        mlflow.log_params({key: value for key, value in params.items() if key not in known})
        mlflow.log_metrics(figures(report))
        mlflow.set_tags(facts(report, spec.program_id))
        mlflow.log_dict(report, "hush/report.json")
        mlflow.log_text(compiled.report, "hush/report.txt")
        if log_models:
            log_model(compiled, "encrypted_model", registered_model_name=registered_model_name)
    finally:
        if own:
            mlflow.end_run()
