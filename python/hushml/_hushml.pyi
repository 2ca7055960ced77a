"""What is written in Rust. The functions have their documentation, defaults and progress bars in the package."""

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias, final

from numpy.typing import ArrayLike, NDArray

__version__: str

_Path: TypeAlias = str | PathLike[str]
_Inputs: TypeAlias = ArrayLike | Mapping[str, ArrayLike]
_Outputs: TypeAlias = NDArray[Any] | dict[str, NDArray[Any]]
_Progress: TypeAlias = Callable[[str, int, int], object] | None

@final
class ClientSpec:
    """What a data owner has of a model: parameters, layouts and the keys that it needs; no weights."""

    @property
    def name(self) -> str: ...
    @property
    def program_id(self) -> str: ...
    @property
    def inputs(self) -> dict[str, tuple[int, ...]]:
        """Names of the inputs, with shapes without the batch."""
    @property
    def outputs(self) -> dict[str, tuple[int, ...]]:
        """Names of the outputs, with shapes without the batch, as they are decrypted."""
    @property
    def packing(self) -> str:
        """``"latency"`` or ``"throughput"``."""
    @property
    def samples_per_group(self) -> int:
        """Samples that share ciphertexts."""
    @property
    def security_bits(self) -> int: ...
    def save(self, path: _Path) -> None:
        """Writes the ``.client`` file."""

@final
class Model:
    """The model owner's half: program and weights. It answers encrypted inputs and cannot read them."""

    @property
    def client_spec(self) -> ClientSpec: ...
    @property
    def report_json(self) -> dict[str, Any]:
        """What the compiler reported."""

@final
class Compiled:
    """A compiled model with what the compiler has to say about it."""

    @property
    def report(self) -> str:
        """For people."""
    @property
    def report_json(self) -> dict[str, Any]:
        """For programs."""
    @property
    def warnings(self) -> list[str]: ...
    @property
    def client_spec(self) -> ClientSpec: ...
    @property
    def model(self) -> Model: ...
    def save(self, name: _Path) -> tuple[Path, Path]:
        """Writes ``NAME.model`` (keep it) and ``NAME.client`` (give it to data owners); returns their paths."""

@final
class Keys:
    """A secret key, and where the evaluation keys are that belong to it."""

    @property
    def key_id(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def evaluation_keys(self) -> Path:
        """The file for the server."""

@final
class Ciphertexts:
    """Encrypted inputs or outputs, as the bytes that are stored and sent: ``bytes(ciphertexts)``."""

    def __new__(cls, data: bytes) -> Ciphertexts: ...
    @classmethod
    def load(cls, path: _Path) -> Ciphertexts: ...
    def save(self, path: _Path) -> None: ...
    @property
    def direction(self) -> str:
        """``"inputs"`` or ``"outputs"``."""
    @property
    def samples(self) -> int: ...
    @property
    def key_id(self) -> str: ...
    @property
    def program_id(self) -> str: ...
    def __bytes__(self) -> bytes: ...
    def __len__(self) -> int: ...
    def __eq__(self, other: object) -> bool: ...

@final
class Client:
    @property
    def client_spec(self) -> ClientSpec: ...
    @property
    def key_id(self) -> str: ...
    @property
    def metadata(self) -> dict[str, Any]: ...
    def predict(
        self, x: _Inputs, raw: bool, timeout: float | None, progress: _Progress
    ) -> tuple[_Outputs, list[str]]: ...

def compile(
    model: _Path | bytes,
    calibration: _Inputs,
    *,
    precision: float | None,
    batch: int | None,
    packing: str | None,
    security: int,
    activation_margin: float,
    headroom: float,
    min_agreement: float,
    max_keys: int,
    max_degree: int,
    seed: int,
    memory: int | None,
) -> Compiled: ...
def load_model(path: _Path, memory: int | None) -> Model: ...
def load_client(path: _Path) -> ClientSpec: ...
def keygen(
    client: ClientSpec | Compiled | _Path, folder: _Path, passphrase: str | None, force: bool, progress: _Progress
) -> Keys: ...
def load_keys(client: ClientSpec | Compiled | _Path, folder: _Path, passphrase: str | None) -> Keys: ...
def encrypt(
    client: ClientSpec | Compiled | _Path, keys: Keys, x: _Inputs, progress: _Progress
) -> tuple[Ciphertexts, list[str]]: ...
def run(
    model: Model | Compiled | _Path,
    evaluation_keys: Keys | _Path,
    ciphertexts: Ciphertexts | bytes,
    memory: int | None,
    progress: _Progress,
) -> Ciphertexts: ...
def decrypt(
    client: ClientSpec | Compiled | _Path,
    keys: Keys,
    ciphertexts: Ciphertexts | bytes,
    raw: bool,
    flood: tuple[int, float, int] | None,
    progress: _Progress,
) -> _Outputs: ...
def simulate(
    model: Model | Compiled | _Path, x: _Inputs, raw: bool, seed: int, progress: _Progress
) -> tuple[_Outputs, list[str]]: ...
def inspect(path: _Path) -> str: ...
def connection_warning(url: str, token: str | None) -> str | None: ...
def connect(
    url: str,
    model: str,
    version: str | None,
    keys: _Path,
    *,
    passphrase: str | None,
    token: str | None,
    ca: _Path | None,
    cert: _Path | None,
    cert_key: _Path | None,
    connect_timeout: float,
    request_timeout: float,
    timeout: float,
    patience: float,
    progress: _Progress,
) -> Client: ...
