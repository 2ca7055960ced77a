"""Programs written in Python, run by processes of ``hush party``: servers, a hospital that gives, a ward that receives."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import hushml
from hushml import HushError, mpc

SERVER = os.environ.get("HUSH_SERVER", "")
HUSH = Path(SERVER).parent / "hush"
pytestmark = pytest.mark.skipif(not SERVER or not HUSH.exists(), reason="HUSH_SERVER has no hush beside it")

SERVERS = ("server0", "server1", "server2")
ROLES = dict.fromkeys(SERVERS, "compute-server") | {"hospital": "data-owner", "ward": "result-receiver"}
ROWS = 60


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Iterator[Path]:
    """Everybody's files, with all processes but the analyst's running."""
    roster = ""
    for name, roles in (ROLES | {"analyst": "data-owner result-receiver"}).items():
        made = subprocess.run(
            [HUSH, "--json", "party", "new-identity", "--name", name, "-o", name],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )
        roster += f'[[party]]\nname = "{name}"\nfingerprint = "{json.loads(made.stdout)["fingerprint"]}"\n'
        roster += f"roles = {json.dumps(roles.split())}\n"
        if name != "analyst":
            roster += f'address = "127.0.0.1:{free_port()}"\n'
    (tmp_path / "parties.toml").write_text(roster)
    x = rng.uniform(-1, 1, size=(ROWS, 3))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", (x.sum(axis=1) > 0).astype(float))
    allow = '[[allow]]\nprogram = "study"\nproposers = ["analyst"]\nreveals = { mean = ["ward"], "*" = ["analyst"] }\n'
    keeps = 'keeps = ["network", "network.optimizer"]\nreads = ["network", "network.optimizer"]\n'
    more = {"hospital": 'gives = { x = "x.npy", y = "y.npy" }\n', "ward": 'receives = { mean = "mean.npy" }\n'}
    running = []
    for name in ROLES:
        (tmp_path / f"{name}.policy.toml").write_text(allow + more.get(name, keeps))
        command = [HUSH, "party", "--name", name, "--config", "parties.toml"]
        running.append(subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL))
    yield tmp_path
    for process in running:
        process.terminate()
    for process in running:
        process.wait(30)


def connect(folder: Path) -> mpc.ConnectedParties:
    return mpc.connect(folder / "parties.toml", name="analyst", program="study", progress=False)


def test_a_hospital_gives_and_a_ward_receives(folder: Path, rng: np.random.Generator) -> None:
    x = np.load(folder / "x.npy")
    factors = rng.uniform(-2, 2, size=3)
    with connect(folder) as parties:
        private = parties.private("x", (ROWS, 3), owner="hospital")
        weighted = private @ parties.secret(factors, name="factors")
        largest = weighted.max().reveal_to("analyst", "largest")
        mean = weighted.mean().reveal_to("ward", "mean")
    assert abs(largest.value - (x @ factors).max()) < 2e-3
    with pytest.raises(HushError, match="ward"):
        _ = mean.value
    assert abs(np.load(folder / "mean.npy") - (x @ factors).mean()) < 2e-3
    assert parties.report is not None and parties.report.bytes > 0
    events = [json.loads(line) for line in (folder / "hospital.audit.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events] == ["agreed", "finished"]
    assert {entry["to"] for entry in events[0]["revealed"]} == {"analyst", "ward"}

    # What its policy does not say is refused by the hospital, and nobody gets anything.
    with pytest.raises(HushError, match="hospital"), connect(folder) as parties:
        parties.private("x", (ROWS + 1, 3), owner="hospital").sum().reveal_to("analyst")
    with pytest.raises(HushError, match="policy"), connect(folder) as parties:
        parties.private("x", (ROWS, 3), owner="hospital").sum().reveal_to("ward", "total")


def test_a_training_of_one_session_goes_on_in_the_next(folder: Path) -> None:
    def session(steps: int | None, epochs: int) -> tuple[int, list[np.ndarray]]:
        with connect(folder) as parties:
            x = parties.private("x", (ROWS, 3), owner="hospital")
            y = parties.private("y", (ROWS,), owner="hospital")
            model = mpc.Sequential([mpc.Dense(4, activation="sigmoid"), mpc.Dense(1, activation="sigmoid")], seed=5)
            model.compile(mpc.SGD(0.1, momentum=0.9), "binary_crossentropy")
            if steps is not None:
                model.load("network", steps=steps)
            model.fit(x, y, epochs=epochs, batch_size=20)
            model.keep("network", optimizer=True)
            weights = model.reveal_weights_to("analyst")
        return model.steps, [weight.value for weight in weights]

    _, straight = session(None, 4)
    steps, _ = session(None, 2)
    assert steps == 6
    steps, resumed = session(steps, 2)
    assert steps == 12
    for found, expected in zip(resumed, straight, strict=True):
        assert np.abs(found - expected).max() < 5e-3


def test_the_package_and_the_program_are_of_one_version() -> None:
    said = subprocess.run([HUSH, "--version"], check=True, capture_output=True, text=True)
    assert said.stdout.split()[1] == hushml.__version__
