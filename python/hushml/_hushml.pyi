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

@final
class Aggregation:
    """What all sides of a secure aggregation agree on, checked."""

    def __init__(
        self,
        session: bytes,
        clients: int,
        neighbours: int | None,
        threshold: int | None,
        quorum: int | None,
        values: int,
        bound: float,
        precision: int,
        weight_most: int,
        noise_variance: int | None,
    ) -> None: ...
    @property
    def bits(self) -> int: ...
    @property
    def resolution(self) -> float: ...
    @property
    def upload_bytes(self) -> int: ...
    def sensitivity(self, norm: float) -> float: ...

@final
class FederatedClient:
    """A client of a secure aggregation."""

    def __init__(
        self, aggregation: Aggregation, directory: list[bytes], identity: bytes, index: int, seed: bytes | None = None
    ) -> None: ...
    def announce(self) -> bytes: ...
    def share(self, roster: bytes) -> bytes: ...
    def mask(
        self, received: bytes, values: NDArray[Any], weight: int, clip: bool, norm: float | None
    ) -> bytes: ...
    def consent(self, survivors: bytes) -> bytes: ...
    def unmask(self, consents: bytes) -> bytes: ...

@final
class FederatedServer:
    """The server of a secure aggregation."""

    def __init__(self, aggregation: Aggregation, directory: list[bytes]) -> None: ...
    def phase(self) -> str: ...
    def received(self) -> list[int]: ...
    def expected(self) -> list[int]: ...
    def receive(self, client: int, message: bytes) -> None: ...
    def close(self) -> list[tuple[int, bytes]]: ...
    def finish(self) -> dict[str, Any]: ...

@final
class Accountant:
    """How much differential privacy many rounds of noise leave. Neighbouring data sets differ by one client."""

    def __init__(self) -> None: ...
    def add(self, noise_multiplier: float, sampling_rate: float = 1.0, rounds: int = 1) -> None:
        """Adds rounds: the deviation of the noise in the sum by the most that a client moves it, and the probability by which
        each client takes part, by itself."""
    def epsilon(self, delta: float) -> float:
        """The least epsilon for this delta."""

def federated_identity(seed: bytes) -> bytes: ...
def federated_noise_multiplier(variance: int, clients: int, sensitivity: float, values: int) -> float: ...
def federated_cohort(
    available: list[int], seed: bytes, count: int | None = None, rate: float | None = None
) -> list[int]: ...

@final
class SecretHandle:
    """A tensor or a network that parties share, until the handle goes."""

    @property
    def shape(self) -> list[int]: ...

@final
class World:
    """Three parties: threads of this process, or real ones for which a program is written down."""

    def __init__(self, integer_bits: int, fraction_bits: int, protocol: str, ring_bits: int) -> None: ...
    @staticmethod
    def recorded(integer_bits: int, fraction_bits: int, protocol: str, ring_bits: int) -> World: ...
    def close(self) -> None: ...
    def input(self, owner: int, shape: list[int], values: NDArray[Any]) -> SecretHandle: ...
    def declare(
        self, name: str, shape: list[int], owner: str, values: NDArray[Any] | None = None
    ) -> SecretHandle: ...
    def output(self, handle: SecretHandle, name: str, receiver: str) -> None: ...
    def keep(self, handle: SecretHandle, name: str) -> None: ...
    def load(self, name: str, shape: list[int]) -> SecretHandle: ...
    def save_files(self, handle: SecretHandle, files: list[str], label: bytes) -> None: ...
    def load_files(self, shape: list[int], files: list[str], label: bytes) -> SecretHandle: ...
    def public(self, shape: list[int], values: NDArray[Any]) -> SecretHandle: ...
    def reveal(self, handle: SecretHandle, receiver: int) -> NDArray[Any]: ...
    def apply(
        self, operation: str, operands: list[SecretHandle], numbers: list[float], counts: list[int]
    ) -> SecretHandle: ...
    def spent(self) -> tuple[int, int]: ...

def new_network(
    world: World, input: list[int], layers: list[tuple[str, str, list[int], list[float]]], seed: int
) -> SecretHandle: ...
def network_fit(
    world: World,
    network: SecretHandle,
    x: SecretHandle,
    labels: SecretHandle,
    training: tuple[str, str, str, list[float], int, int, bool, float | None],
    progress: _Progress = None,
) -> tuple[SecretHandle, int]: ...
def network_predict(world: World, network: SecretHandle, x: SecretHandle) -> SecretHandle: ...
def network_loss(
    world: World, results: SecretHandle, labels: SecretHandle, name: str, sigmoid: str
) -> SecretHandle: ...
def network_parameters(world: World, network: SecretHandle) -> list[SecretHandle]: ...
def network_weights(world: World, network: SecretHandle) -> SecretHandle: ...
def network_weight_count(world: World, network: SecretHandle) -> int: ...
def network_set_weights(world: World, network: SecretHandle, weights: SecretHandle) -> None: ...
def network_state(
    world: World, network: SecretHandle, optimizer: str, numbers: list[float]
) -> SecretHandle: ...
def network_state_count(world: World, network: SecretHandle, optimizer: str, numbers: list[float]) -> int: ...
def network_resume(
    world: World, network: SecretHandle, state: SecretHandle, optimizer: str, numbers: list[float], steps: int
) -> None: ...
def calculate_on_shares(
    world: World, participants: Mapping[str, Any], progress: _Progress = None
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]: ...
def predict_on_shares(
    model: str,
    x: tuple[list[int], NDArray[Any]],
    calibration: tuple[list[int], NDArray[Any]] | None,
    how: tuple[str, int, int, int, str | None],
    participants: Mapping[str, Any],
    progress: _Progress = None,
) -> tuple[list[tuple[str, list[int], NDArray[Any]]], dict[str, Any]]: ...
