"""Ctrl-C while something long runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from test_server import models, server  # noqa: F401

#: Seconds from the interruption to the exception, at most; the work itself takes much longer.
PROMPT = 2.0

COMMON = """
import os, signal, sys, threading, time
import numpy as np
import hushml

struck = []


def strike():
    struck.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)


def interrupted(work):
    threading.Timer(0.3, strike).start()
    try:
        work()
    except KeyboardInterrupt:
        print(time.monotonic() - struck[0], flush=True)
    else:
        sys.exit("it was not interrupted")
"""

COMPILE = """
sys.path.insert(0, sys.argv[1])
from conftest import network

rng = np.random.default_rng(1)
model = network(rng, features=768, hidden=512)
calibration = rng.uniform(-1, 1, size=(8192, 768))
interrupted(lambda: hushml.compile(model, calibration, precision=1e-2))
"""

PREDICT = """
client = hushml.connect(sys.argv[1], "small", keys=sys.argv[2])
x = np.zeros((200_000, 6))
interrupted(lambda: client.predict(x))
# It still works.
assert client.predict(x[:1]).shape == (1, 3)
"""


def seconds(script: str, *arguments: object) -> float:
    command = [sys.executable, "-c", COMMON + script, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return float(done.stdout.split()[-1])


def test_compile_ends_at_once():
    assert seconds(COMPILE, Path(__file__).parent) < PROMPT


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_predict_ends_at_once(server, tmp_path, protocol):  # noqa: F811
    assert seconds(PREDICT, getattr(server, protocol), tmp_path / "keys") < PROMPT
