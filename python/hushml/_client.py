"""A model on a server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import _hushml
from ._error import HushError
from ._hushml import ClientSpec
from ._progress import Progress
from ._steps import Inputs, Outputs, PathLike, _path, _warn

#: What the error says if a server has another model under the name by now.
_REPLACED = "was replaced on the server meanwhile"
#: How often that may happen to one prediction.
_ATTEMPTS = 8


def connect(
    url: str,
    model: str,
    *,
    version: str | int | None = None,
    keys: PathLike = "~/.hushml",
    passphrase: str | None = None,
    token: str | None = None,
    ca: PathLike | None = None,
    cert: PathLike | None = None,
    cert_key: PathLike | None = None,
    connect_timeout: float = 10.0,
    request_timeout: float = 60.0,
    timeout: float = 600.0,
    patience: float = 120.0,
    follow: bool = True,
    progress: bool = True,
) -> Client:
    """Connects to a model on a server: fetches its client spec, finds or makes keys, uploads evaluation keys once.

    Args:
        url: ``grpc://HOST:PORT``, ``grpcs://…`` (with TLS), ``http://…`` or ``https://…``.
        model: name of the model on the server.
        version: its version; by default the latest.
        keys: folder of keys; models that need the same keys share them.
        passphrase: protects the secret key; ``HUSH_PASSPHRASE`` in the environment does as well.
        token: what the server knows you by, where it asks.
        ca: certificates (PEM) that may sign the server's; by default those of the system.
        cert: your own certificate chain (PEM), where the server asks for one; goes with ``cert_key``.
        cert_key: its private key (PEM).
        connect_timeout: seconds that connecting may take.
        request_timeout: seconds that anything but a prediction may take, and that an upload may stand still.
        timeout: seconds that one request for a prediction may take, waiting in the server's queue included.
        patience: seconds to try again when the server is busy, restarts or cannot be reached.
        follow: where no version is named, go on with the one that the server has put in place of the first.
        progress: show how far making and uploading keys have come.
    """
    warning = _hushml.connection_warning(url, token)
    _warn([warning] if warning else [])

    def begin() -> _hushml.Client:
        with Progress(progress) as tell:
            return _hushml.connect(
                url,
                model,
                None if version is None else str(version),
                _path(keys),
                passphrase=passphrase,
                token=token,
                ca=_optional(ca),
                cert=_optional(cert),
                cert_key=_optional(cert_key),
                connect_timeout=connect_timeout,
                request_timeout=request_timeout,
                timeout=timeout,
                patience=patience,
                progress=tell,
            )

    return Client(begin(), begin if follow and version is None else None)


class Client:
    """A data owner with keys at a model on a server, made by :func:`connect`. May be used from several threads."""

    def __init__(self, client: _hushml.Client, again: Callable[[], _hushml.Client] | None = None) -> None:
        self._client = client
        #: Begins anew with what the server has then.
        self._again = again

    def predict(
        self, x: Inputs, *, raw: bool = False, timeout: float | None = None, progress: bool = True
    ) -> Outputs:
        """Encrypts a batch, has the server run the model on it, and decrypts: an array, or a dictionary of arrays.

        Large batches go in several requests. ``raw`` leaves out what the model does after decryption (Softmax, Sigmoid,
        ArgMax); ``timeout`` is in seconds for one request, in place of the connection's.
        """
        for attempt in range(_ATTEMPTS):
            client = self._client
            try:
                with Progress(progress) as tell:
                    outputs, found = client.predict(x, raw, timeout, tell)
                break
            except HushError as error:
                if self._again is None or _REPLACED not in error.message or attempt + 1 == _ATTEMPTS:
                    raise
                # Another thread may have begun anew already.
                if self._client is client:
                    self._client = self._again()
        _warn(found)
        return outputs

    @property
    def client_spec(self) -> ClientSpec:
        """What the model takes, gives and needs."""
        return self._client.client_spec

    @property
    def metadata(self) -> dict[str, Any]:
        """What the server says of the model, under the names of the Open Inference Protocol."""
        return self._client.metadata

    @property
    def key_id(self) -> str:
        """Under which id the server knows the evaluation keys."""
        return self._client.key_id

    def __repr__(self) -> str:
        return repr(self._client)


def _optional(path: PathLike | None) -> str | None:
    return None if path is None else _path(path)
