"""Secure aggregation of :mod:`hushml.federated` in apps of Flower (package ``flwr``), where SecAgg+ would stand.

The client's app gets a mod, the server's a workflow::

    from flwr.client import ClientApp
    from hushml.flower import SecureAggregationMod
    app = ClientApp(client_fn=client_fn, mods=[SecureAggregationMod()])

    from flwr.server.workflow import DefaultWorkflow
    from hushml.flower import SecureAggregationWorkflow
    workflow = DefaultWorkflow(fit_workflow=SecureAggregationWorkflow(bound=1.0))
    workflow(grid, LegacyContext(context=context, config=ServerConfig(num_rounds=3), strategy=strategy))

What is summed are the changes of the parameters, weighted with the numbers of examples; strategies see the new
parameters only. Metrics and numbers of examples travel in the open, as they do with SecAgg+.

Without a ``directory`` the server tells clients who the others are: that protects from a server that follows the
protocol, as SecAgg+ does. With one, of public identities from somewhere that the server does not control, it cannot
invent clients either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from logging import INFO, WARNING
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._error import HushError
from .federated import Client, Server, Settings, new_identity, public_identity

try:
    import flwr.compat.common.recorddict_compat as compat
    from flwr.app import ConfigRecord, Context, Message, RecordDict
    from flwr.common import FitRes, MessageType, ndarrays_to_parameters, parameters_to_ndarrays
    from flwr.common.logger import log
    from flwr.server.compat.legacy_context import LegacyContext
    from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
    from flwr.server.workflow.constant import Key as WorkflowKey
except ImportError as error:
    raise HushError("secure aggregation in Flower takes the package flwr, 1.20 or newer", "pip install flwr") from error

__all__ = ["SecureAggregationMod", "SecureAggregationWorkflow"]

RECORD = "hushml.aggregation"
STATE = "hushml.aggregation.state"
#: Stages in the order in which a client sees them.
STAGES = ("hello", "announce", "share", "mask", "consent", "unmask")


def _flat(arrays: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    return np.concatenate([np.asarray(array, np.float64).reshape(-1) for array in arrays] or [np.zeros(0)])


def _answer(content: RecordDict, key: str) -> bytes:
    """What a client's mod answered."""
    value = content.config_records[RECORD].get(key) if RECORD in content.config_records else None
    if not isinstance(value, bytes):
        raise HushError("a client's answer is not one of secure aggregation", "give it SecureAggregationMod")
    return value


class SecureAggregationMod:
    """The client's side. ``identity`` is the secret seed of its long-term key and ``directory`` the public identities
    of all clients; without them a new identity is made for each round.

    The rest is what this client insists on, whatever the server asks: ``clients_least`` in a round, noise of at least
    ``noise_variance_least`` from each, and ``norm``, the longest change that it sends.
    """

    def __init__(
        self,
        *,
        identity: bytes | None = None,
        directory: Sequence[bytes] | None = None,
        clients_least: int = 3,
        noise_variance_least: int = 0,
        norm: float | None = None,
    ) -> None:
        if directory is not None and identity is None:
            raise HushError("a directory without an identity", "set identity to this client's secret seed")
        self._identity = identity
        self._directory = None if directory is None else list(directory)
        self._clients_least = clients_least
        self._noise_least = noise_variance_least
        self._norm = norm
        # By node: what continues a round without taking its steps again.
        self._live: dict[int, tuple[bytes, Client]] = {}

    def __call__(self, msg: Message, context: Context, call_next: Callable[[Message, Context], Message]) -> Message:
        if msg.metadata.message_type != MessageType.TRAIN:
            return call_next(msg, context)
        if RECORD not in msg.content.config_records:
            raise HushError(
                "the server asks for parameters without secure aggregation", "use SecureAggregationWorkflow there"
            )
        asked = msg.content.config_records[RECORD]
        stage = str(asked["stage"])
        records = context.state.config_records
        state = dict(records[STATE]) if STATE in records and stage != "hello" else {}
        expected = STAGES[int(state.get("next", 0))]  # type: ignore[arg-type]
        if stage != expected:
            raise HushError(f"the server asks for the step `{stage}`, this client is at `{expected}`")
        # Noted before the answer is made, so that no step is answered twice.
        state["next"] = (STAGES.index(stage) + 1) % len(STAGES)
        content = RecordDict()
        if stage == "hello":
            identity = self._identity or new_identity()
            state |= {"identity": identity, "seed": new_identity()}
            answer: dict[str, Any] = {"identity": public_identity(identity)}
        else:
            answer = {"message": self._step(stage, msg, asked, state, context, call_next, content)}
        records[STATE] = ConfigRecord(state)  # type: ignore[arg-type]
        content.config_records[RECORD] = ConfigRecord(answer)
        return Message(content, reply_to=msg)

    def _step(
        self,
        stage: str,
        msg: Message,
        asked: ConfigRecord,
        state: dict[str, Any],
        context: Context,
        call_next: Callable[[Message, Context], Message],
        content: RecordDict,
    ) -> bytes:
        message = asked.get("message", b"")
        if stage == "announce":
            state["settings"], state["directory"] = asked["settings"], asked["directory"]
            self._check(Settings.from_dict(json.loads(str(asked["settings"]))))
        client = self._client(stage, msg.metadata.dst_node_id, state)
        if stage == "announce":
            return client.announce()
        state[stage] = message
        if stage == "share":
            return client.share(message)  # type: ignore[arg-type]
        if stage == "consent":
            return client.consent(message)  # type: ignore[arg-type]
        if stage == "unmask":
            self._live.pop(msg.metadata.dst_node_id, None)
            return client.unmask(message)  # type: ignore[arg-type]
        before = _flat(parameters_to_ndarrays(compat.recorddict_to_fitins(msg.content, keep_input=True).parameters))
        reply = call_next(msg, context)
        result = compat.recorddict_to_fitres(reply.content, keep_input=True)
        after = _flat(parameters_to_ndarrays(result.parameters))
        if after.size != before.size:
            raise HushError(f"the client gives {after.size} parameters, the server {before.size}")
        weight = result.num_examples if client.settings.weight_most > 1 else 1
        masked = client.mask(message, after - before, weight, clip=True, norm=self._norm)  # type: ignore[arg-type]
        content.config_records.update(reply.content.config_records)
        content.metric_records.update(reply.content.metric_records)
        # Parameters leave this client masked only.
        for name, record in reply.content.array_records.items():
            record.clear()
            content.array_records[name] = record
        return masked

    def _check(self, settings: Settings) -> None:
        if settings.clients < self._clients_least:
            raise HushError(f"the server asks {settings.clients} clients, this one wants {self._clients_least}")
        if (settings.noise_variance or 0) < self._noise_least:
            asked = settings.noise_variance or 0
            raise HushError(f"the server asks for noise of variance {asked}, this client wants {self._noise_least}")

    def _client(self, stage: str, node: int, state: dict[str, Any]) -> Client:
        seed = state["seed"]
        live = self._live.get(node)
        if live is not None and live[0] == seed:
            return live[1]
        # Flower may take each step in another process: steps before are taken again from what was kept.
        settings = Settings.from_dict(json.loads(state["settings"]))
        directory = self._directory if self._directory is not None else list(state["directory"])
        identity = state["identity"]
        public = public_identity(identity)
        if public not in directory:
            raise HushError("this client's identity is not in the directory")
        client = Client(settings, directory, identity, directory.index(public), seed=seed)
        place = STAGES.index(stage)
        if place > STAGES.index("announce"):
            client.announce()
        if place > STAGES.index("share"):
            client.share(state["share"])
        if place > STAGES.index("mask"):
            # What is masked matters to the message only, which is thrown away.
            client.mask(state["mask"], np.zeros(settings.values, np.float32), 1)
        if place > STAGES.index("consent"):
            client.consent(state["consent"])
        self._live[node] = (seed, client)
        return client


class SecureAggregationWorkflow:
    """The server's side: a ``fit_workflow`` for Flower's ``DefaultWorkflow``.

    ``bound`` is the largest change of a parameter that counts, ``weight_most`` the largest number of examples of a
    client, and the rest as in :class:`hushml.federated.Settings`. ``directory`` has the public identities of clients,
    by index; clients with others take no part. ``timeout`` bounds each step, in seconds. A round that too few clients
    finish changes nothing.
    """

    def __init__(
        self,
        *,
        bound: float = 1.0,
        weight_most: int = 65536,
        precision: int = 20,
        neighbours: int | None = None,
        threshold: int | None = None,
        quorum: int | None = None,
        noise_variance: int | None = None,
        directory: Sequence[bytes] | None = None,
        timeout: float | None = None,
    ) -> None:
        self._options: dict[str, Any] = {
            "bound": bound,
            "weight_most": 1 if noise_variance is not None else weight_most,
            "precision": precision,
            "neighbours": neighbours,
            "threshold": threshold,
            "quorum": quorum,
            "noise_variance": noise_variance,
        }
        self._directory = None if directory is None else list(directory)
        self._timeout = timeout

    def __call__(self, grid: Any, context: Context) -> None:
        if not isinstance(context, LegacyContext):
            raise TypeError(f"expected a LegacyContext, got {type(context).__name__}")
        try:
            self._round(grid, context)
        except HushError as error:
            log(WARNING, "secure aggregation: %s", error)

    def _round(self, grid: Any, context: LegacyContext) -> None:
        configuration = context.state.config_records[MAIN_CONFIGS_RECORD]
        current = int(configuration[WorkflowKey.CURRENT_ROUND])  # type: ignore[arg-type]
        parameters = compat.arrayrecord_to_parameters(context.state.array_records[MAIN_PARAMS_RECORD], keep_input=True)
        chosen = context.strategy.configure_fit(current, parameters, context.client_manager)
        if not chosen:
            log(INFO, "configure_fit: no clients selected, cancel")
            return
        instructions = {proxy.node_id: instruction for proxy, instruction in chosen}
        proxies = {proxy.node_id: proxy for proxy, _ in chosen}
        failures: list[BaseException] = []

        def ask(stage: str, messages: dict[int, dict[str, Any]]) -> dict[int, RecordDict]:
            """What came back, by node."""
            outgoing = []
            for node, record in messages.items():
                content = RecordDict()
                if stage == "mask":
                    content = compat.fitins_to_recorddict(instructions[node], True)
                content.config_records[RECORD] = ConfigRecord({"stage": stage, **record})
                outgoing.append(
                    Message(content=content, dst_node_id=node, message_type=MessageType.TRAIN, group_id=str(current))
                )
            replies = list(grid.send_and_receive(outgoing, timeout=self._timeout))
            failures.extend(Exception(reply.error) for reply in replies if reply.has_error())
            return {reply.metadata.src_node_id: reply.content for reply in replies if not reply.has_error()}

        hello = ask("hello", {node: {} for node in instructions})
        identities = {node: _answer(content, "identity") for node, content in hello.items()}
        directory = self._directory if self._directory is not None else sorted(identities.values())
        place = {identity: index for index, identity in enumerate(directory)}
        nodes = {node: place[identity] for node, identity in identities.items() if identity in place}
        arrays = parameters_to_ndarrays(parameters)
        values = _flat(arrays).size
        settings = Settings(clients=len(instructions), values=values, **self._options)
        server = Server(settings, directory)
        at = {index: node for node, index in nodes.items()}
        agreed = {"settings": json.dumps(settings.to_dict()), "directory": directory}
        messages: dict[int, dict[str, Any]] = dict.fromkeys(nodes, agreed)
        kept: dict[int, RecordDict] = {}
        for stage in STAGES[1:]:
            replies = ask(stage, messages)
            for node, content in replies.items():
                if stage == "mask":
                    kept[node] = content
                try:
                    server.receive(nodes[node], _answer(content, "message"))
                except HushError as error:
                    failures.append(error)
            if stage != STAGES[-1]:
                messages = {at[index]: {"message": message} for index, message in server.close().items()}
        result = server.finish()
        counts = len(result.survivors), len(result.dropped)
        log(INFO, "secure aggregation: %s clients in the sum, %s dropped out", *counts)
        replied = [(proxies[at[index]], kept[at[index]]) for index in result.survivors]
        self._conclude(context, current, arrays, result.mean, replied, failures)

    @staticmethod
    def _conclude(
        context: LegacyContext,
        current: int,
        arrays: list[NDArray[Any]],
        mean: NDArray[np.float64],
        replies: list[tuple[Any, RecordDict]],
        failures: list[BaseException],
    ) -> None:
        """Shows the strategy every survivor with the same, new parameters."""
        new, start = [], 0
        for array in arrays:
            change = mean[start : start + array.size].reshape(array.shape)
            new.append((array + change).astype(array.dtype))
            start += array.size
        parameters = ndarrays_to_parameters(new)
        results: list[tuple[Any, FitRes]] = []
        for proxy, content in replies:
            result = compat.recorddict_to_fitres(content, keep_input=True)
            result.parameters = parameters
            results.append((proxy, result))
        log(INFO, "aggregate_fit: received %s results and %s failures", len(results), len(failures))
        aggregated, metrics = context.strategy.aggregate_fit(current, results, failures)  # type: ignore[arg-type]
        if aggregated:
            context.state.array_records[MAIN_PARAMS_RECORD] = compat.parameters_to_arrayrecord(aggregated, True)
            context.history.add_metrics_distributed_fit(server_round=current, metrics=metrics)
