"""An app of Flower in Flower's own simulation, once as it is and once with secure aggregation: the same model comes out.

Logistic regression on the breast-cancer data of ten clinics. The client's app gets a mod and the server's a workflow; the
clients and the strategy stay as they are. It takes pip install "flwr[simulation]"; run it with:
python examples/parties/flower_simulation.py
"""

import logging
import time
from pathlib import Path

import numpy as np
from flwr.client import ClientApp, NumPyClient
from flwr.common import Context, ndarrays_to_parameters, parameters_to_ndarrays
from flwr.server import Grid, ServerApp, ServerConfig
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.strategy import FedAvg
from flwr.server.workflow import DefaultWorkflow
from flwr.simulation import run_simulation
from hushml.flower import SecureAggregationMod, SecureAggregationWorkflow
from table import show

FOLDER = Path(__file__).resolve().parent.parent / "breast_cancer"
CLIENTS, ROUNDS, STEPS, RATE = 10, 4, 5, 0.3

table = np.loadtxt(FOLDER / "breast_cancer.csv", delimiter=",", skiprows=1)
held_out = np.loadtxt(FOLDER / "split.csv", skiprows=1, dtype=int)
training = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(len(table)), held_out))
mean, deviation = table[training, :-1].mean(0), table[training, :-1].std(0)
x, y = (table[:, :-1] - mean) / deviation, table[:, -1]
clinics = np.array_split(training, CLIENTS)


class Clinic(NumPyClient):
    """Some steps of gradient descent on its own patients."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def fit(self, parameters: list[np.ndarray], config: dict) -> tuple[list[np.ndarray], int, dict]:
        weights, bias = parameters
        for _ in range(STEPS):
            errors = 1 / (1 + np.exp(-(x[self.rows] @ weights + bias))) - y[self.rows]
            weights = weights - RATE * x[self.rows].T @ errors / len(self.rows)
            bias = bias - RATE * errors.mean(keepdims=True)
        return [weights, bias], len(self.rows), {}


def client(context: Context):
    return Clinic(clinics[int(context.node_config["partition-id"])]).to_client()


def simulate(secure: bool) -> tuple[list[np.ndarray], float]:
    """The parameters after all rounds, and the seconds."""
    final: list[list[np.ndarray]] = []
    server = ServerApp()

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        zero = ndarrays_to_parameters([np.zeros(x.shape[1]), np.zeros(1)])
        strategy = FedAvg(fraction_evaluate=0.0, min_available_clients=CLIENTS, initial_parameters=zero)
        after = strategy.aggregate_fit

        def aggregate_fit(server_round, results, failures):
            parameters, metrics = after(server_round, results, failures)
            final.append(parameters_to_ndarrays(parameters))
            return parameters, metrics

        strategy.aggregate_fit = aggregate_fit
        workflow = DefaultWorkflow(fit_workflow=SecureAggregationWorkflow(bound=2.0) if secure else None)
        workflow(grid, LegacyContext(context, config=ServerConfig(num_rounds=ROUNDS), strategy=strategy))

    app = ClientApp(client_fn=client, mods=[SecureAggregationMod()] if secure else [])
    began = time.perf_counter()
    run_simulation(server_app=server, client_app=app, num_supernodes=CLIENTS)
    if len(final) != ROUNDS:
        raise SystemExit(f"{len(final)} of {ROUNDS} rounds came to an end; Flower's log says why")
    return final[-1], time.perf_counter() - began


def accuracy(parameters: list[np.ndarray]) -> str:
    return f"{((x[held_out] @ parameters[0] + parameters[1] > 0) == (y[held_out] > 0.5)).mean():.1%}"


logging.getLogger("flwr").setLevel(logging.WARNING)
plain, plain_seconds = simulate(secure=False)
summed, seconds = simulate(secure=True)
difference = max(float(np.abs(a - b).max()) for a, b in zip(plain, summed, strict=True))
show(
    f"{CLIENTS} clinics, {ROUNDS} rounds in Flower's simulation",
    ["", "accuracy", "largest difference", "seconds"],
    [
        ["updates in the open", accuracy(plain), "-", plain_seconds],
        ["secure aggregation", accuracy(summed), difference, seconds],
    ],
)
if difference > 1e-3:
    raise SystemExit("the two models differ")
