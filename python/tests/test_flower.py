"""Flower's workflow and clients over secure aggregation, with a grid that runs the clients' apps in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("flwr")

from flwr.app import ConfigRecord, Context, Error, Message, RecordDict
from flwr.client import ClientApp, NumPyClient
from flwr.common import ndarrays_to_parameters, parameters_to_ndarrays
from flwr.compat.common import recorddict_compat
from flwr.server import ServerConfig
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.strategy import FedAvg
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD, Key
from hushml import HushError, federated
from hushml.flower import RECORD, STAGES, SecureAggregationMod, SecureAggregationWorkflow

try:
    # What a process of Flower knows before it makes messages.
    from flwr.supercore.task_identity import TaskIdentity
except ImportError:
    pass
else:
    for name, number in (("_run_id", 1), ("_node_id", 0), ("_task_id", 1)):
        setattr(TaskIdentity, name, number)

NODES = (11, 22, 33, 44, 55, 66, 77)


class Grid:
    """Hands messages to apps, as Flower's simulation does; a client that is to leave does not answer."""

    def __init__(self, apps: dict[int, Callable[[Message, Context], Message]]) -> None:
        self.apps = apps
        self.contexts = {node: context(node) for node in apps}
        self.leaves: dict[int, str] = {}
        self.sent: list[RecordDict] = []

    def send_and_receive(self, messages: Iterable[Message], *, timeout: float | None = None) -> list[Message]:
        replies = []
        for message in messages:
            node = message.metadata.dst_node_id
            stage = str(message.content.config_records[RECORD]["stage"])
            if node in self.leaves and STAGES.index(stage) >= STAGES.index(self.leaves[node]):
                continue
            try:
                reply = self.apps[node](message, self.contexts[node])
            except HushError as error:
                reply = Message(Error(code=1, reason=str(error)), reply_to=message)
            reply.metadata.__dict__["_src_node_id"] = node
            if reply.has_content():
                self.sent.append(reply.content)
            replies.append(reply)
        return replies


def context(node: int) -> Context:
    return Context(run_id=1, node_id=node, node_config={}, state=RecordDict(), run_config={})


class Trainer(NumPyClient):
    """Moves the parameters by a number of its own."""

    def __init__(self, move: float) -> None:
        self.move = move

    def fit(self, parameters: list[np.ndarray], config: dict[str, Any]) -> tuple[list[np.ndarray], int, dict[str, Any]]:
        return [array + self.move for array in parameters], round(100 * self.move) + 10, {"moved": 1}


class Proxy:
    def __init__(self, node: int) -> None:
        self.node_id = node


class Everybody(FedAvg):
    def configure_fit(self, server_round: int, parameters: Any, client_manager: Any) -> Any:
        from flwr.common import FitIns

        return [(Proxy(node), FitIns(parameters, {})) for node in NODES]


def app(move: float, mod: SecureAggregationMod, fresh: bool) -> Callable[[Message, Context], Message]:
    built = ClientApp(client_fn=lambda _: Trainer(move).to_client(), mods=[mod])

    def call(message: Message, context: Context) -> Message:
        if fresh:
            # As if every message came to another process.
            mod._live.clear()
        return built(message, context)

    return call


def run(grid: Grid, workflow: SecureAggregationWorkflow, start: list[np.ndarray]) -> list[np.ndarray]:
    """The parameters after one round."""
    legacy = LegacyContext(context(0), ServerConfig(num_rounds=1), Everybody())
    legacy.state.config_records[MAIN_CONFIGS_RECORD] = ConfigRecord({Key.CURRENT_ROUND: 1})
    record = recorddict_compat.parameters_to_arrayrecord(ndarrays_to_parameters(start), True)
    legacy.state.array_records[MAIN_PARAMS_RECORD] = record
    workflow(grid, legacy)
    after = legacy.state.array_records[MAIN_PARAMS_RECORD]
    return parameters_to_ndarrays(recorddict_compat.arrayrecord_to_parameters(after, keep_input=True))


def expected(start: list[np.ndarray], moves: dict[int, float], stay: Iterable[int]) -> list[np.ndarray]:
    stay = list(stay)
    mean = np.average([moves[node] for node in stay], weights=[round(100 * moves[node]) + 10 for node in stay])
    return [array + mean for array in start]


@pytest.mark.parametrize("fresh", [False, True], ids=["one process", "a process each step"])
def test_existing_apps_use_our_aggregation(rng: np.random.Generator, fresh: bool) -> None:
    moves = {node: float(move) for node, move in zip(NODES, rng.uniform(0, 0.9, len(NODES)), strict=True)}
    start = [rng.normal(size=(4, 3)), rng.normal(size=7).astype(np.float32)]
    grid = Grid({node: app(move, SecureAggregationMod(), fresh) for node, move in moves.items()})
    workflow = SecureAggregationWorkflow(bound=1.0)
    after = run(grid, workflow, start)
    for found, wanted, first in zip(after, expected(start, moves, NODES), start, strict=True):
        assert found.dtype == first.dtype and np.abs(found - wanted).max() < 1e-5
    # No parameters travelled in the open.
    assert all(not record for content in grid.sent for record in content.array_records.values())
    # A second round of the same clients, two of which leave: one before its vector, one after.
    grid.leaves = {11: "mask", 22: "unmask"}
    again = run(grid, SecureAggregationWorkflow(bound=1.0, threshold=4, quorum=4), start)
    for found, wanted in zip(again, expected(start, moves, NODES[1:]), strict=True):
        assert np.abs(found - wanted).max() < 1e-5


def test_too_few_clients_change_nothing(rng: np.random.Generator) -> None:
    start = [rng.normal(size=5)]
    grid = Grid({node: app(0.5, SecureAggregationMod(), False) for node in NODES})
    grid.leaves = dict.fromkeys(NODES[:3], "mask")
    assert (run(grid, SecureAggregationWorkflow(), start)[0] == start[0]).all()


def test_identities_of_a_directory_are_pinned(rng: np.random.Generator) -> None:
    identities = [federated.new_identity() for _ in NODES]
    directory = [federated.public_identity(identity) for identity in identities]
    start = [rng.normal(size=5)]

    def mod(place: int) -> SecureAggregationMod:
        return SecureAggregationMod(identity=identities[place], directory=directory)

    # The last one is a stranger.
    mods = [mod(place) for place in range(len(NODES) - 1)] + [SecureAggregationMod()]
    grid = Grid({node: app(0.25, mod, False) for node, mod in zip(NODES, mods, strict=True)})
    after = run(grid, SecureAggregationWorkflow(directory=directory), start)
    assert np.abs(after[0] - start[0] - 0.25).max() < 1e-5


def test_clients_insist_on_what_protects_them(rng: np.random.Generator) -> None:
    start = [rng.normal(size=5)]
    grid = Grid({node: app(0.5, SecureAggregationMod(noise_variance_least=100), False) for node in NODES})
    assert (run(grid, SecureAggregationWorkflow(), start)[0] == start[0]).all()
    noisy = run(grid, SecureAggregationWorkflow(noise_variance=100), start)
    assert 0 < np.abs(noisy[0] - start[0] - 0.5).max() < 1e-3


def test_steps_out_of_order_are_refused(rng: np.random.Generator) -> None:
    client = app(0.5, SecureAggregationMod(), False)
    state = context(1)

    def ask(stage: str, **values: Any) -> Message:
        content = RecordDict({RECORD: ConfigRecord({"stage": stage, **values})})
        return client(Message(content=content, dst_node_id=1, message_type="train"), state)

    with pytest.raises(HushError, match="this client is at `hello`"):
        ask("unmask", message=b"")
    ask("hello")
    with pytest.raises(HushError, match="at `announce`"):
        ask("mask", message=b"")
    bare = Message(content=RecordDict(), dst_node_id=1, message_type="train")
    with pytest.raises(HushError, match="without secure aggregation"):
        client(bare, state)
