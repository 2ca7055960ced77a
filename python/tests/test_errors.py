"""What goes wrong says what and what to do; interruptions end work; nothing hangs."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import network
from onnx import TensorProto, helper

import hushml


@pytest.mark.parametrize(
    "x, message",
    [
        (np.zeros(6), r"has shape \[6\], the model takes \[batch, 6\]"),
        (np.zeros((2, 5)), r"has shape \[2, 5\]"),
        (np.zeros((0, 6)), "holds no sample"),
        (np.full((1, 6), np.nan), "holds NaN"),
        (np.zeros((1, 6), dtype=complex), "holds elements of type complex128"),
        (np.array([["a"] * 6]), "holds elements of type <U1"),
        ({"y": np.zeros((1, 6))}, "no array `x`"),
        ({"x": np.zeros((1, 6)), "y": 1}, "2 arrays were given"),
    ],
)
def test_inputs_that_do_not_fit(small, x, message):
    with pytest.raises(hushml.HushError, match=message):
        hushml.encrypt(small.client, small.keys, x)


def test_what_is_not_an_array(small):
    with pytest.raises((TypeError, ValueError)):
        hushml.encrypt(small.client, small.keys, [[object()] * 6])
    with pytest.raises(TypeError):
        hushml.encrypt(small.client, "keys", np.zeros((1, 6)))
    with pytest.raises(TypeError):
        hushml.encrypt(7, small.keys, np.zeros((1, 6)))


def test_files_that_are_not_what_they_should_be(small, tmp_path):
    model, client = small.compiled.save(tmp_path / "m")
    with pytest.raises(hushml.HushError, match="No such file"):
        hushml.load_client(tmp_path / "none.client")
    with pytest.raises(hushml.HushError, match="cannot use client file") as error:
        hushml.load_client(model)
    assert "order of the files" in error.value.hint and "hint: " in str(error.value)
    damaged = bytearray(client.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "damaged.client").write_bytes(damaged)
    with pytest.raises(hushml.HushError):
        hushml.load_client(tmp_path / "damaged.client")
    with pytest.raises(hushml.HushError, match="folder"):
        hushml.load_model(tmp_path)
    with pytest.raises(hushml.HushError):
        hushml.Ciphertexts(b"nothing of the kind")
    with pytest.raises(hushml.HushError, match="cannot use the output file"):
        small.compiled.save(tmp_path / "no" / "such" / "folder")


def test_other_keys_and_models_are_refused(small, rng, tmp_path):
    other = hushml.keygen(small.client, tmp_path / "other")
    ciphertexts = hushml.encrypt(small.client, small.keys, rng.uniform(-0.9, 0.9, size=(1, 6)))
    with pytest.raises(hushml.HushError, match="encrypted under key"):
        hushml.run(small.compiled, other, ciphertexts)
    answer = hushml.run(small.compiled, small.keys, ciphertexts)
    with pytest.raises(hushml.HushError, match="encrypted under key") as error:
        hushml.decrypt(small.client, other, answer)
    assert "key pair" in error.value.hint
    with pytest.raises(hushml.HushError):
        hushml.decrypt(small.client, small.keys, ciphertexts)
    with pytest.raises(hushml.HushError):
        hushml.run(small.compiled, small.keys, answer)
    changed = bytearray(bytes(ciphertexts))
    changed[-40] ^= 1
    with pytest.raises(hushml.HushError):
        hushml.run(small.compiled, small.keys, bytes(changed))
    another = hushml.compile(network(rng), small.calibration, precision=1e-2)
    with pytest.raises(hushml.HushError):
        hushml.run(another, small.keys, ciphertexts)


def test_models_that_cannot_be_compiled(small):
    graph = helper.make_graph(
        [helper.make_node("Det", ["x"], ["y"], "determinant")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n"])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    with pytest.raises(hushml.HushError, match="determinant"):
        hushml.compile(model, np.zeros((16, 2, 2)))
    with pytest.raises(hushml.HushError, match="not an ONNX model"):
        hushml.compile(b"\xff\xff\xff", np.zeros((16, 6)))
    with pytest.raises(hushml.HushError, match="packing"):
        hushml.compile(small.onnx, small.calibration, packing="tight")
    with pytest.raises(hushml.HushError, match="128, 192 or 256"):
        hushml.compile(small.onnx, small.calibration, security=80)
    with pytest.raises(hushml.HushError, match="rows"):
        hushml.compile(small.onnx, small.calibration[:3])


def test_inputs_outside_the_calibrated_range_are_warned_of(small):
    with pytest.warns(hushml.HushWarning, match="1 sample of input `x` lies outside"):
        hushml.encrypt(small.client, small.keys, np.full((1, 6), 1.5))


def test_other_threads_go_on_while_work_is_done(small):
    ticks, stop = 0, threading.Event()

    def tick():
        nonlocal ticks
        while not stop.wait(0.001):
            ticks += 1

    thread = threading.Thread(target=tick)
    thread.start()
    begun = time.monotonic()
    hushml.compile(small.onnx, small.calibration, precision=1e-5)
    elapsed = time.monotonic() - begun
    stop.set()
    thread.join()
    assert ticks > elapsed * 50


INTERRUPTED = """
import sys, threading, time, signal, os
import numpy as np, onnx, hushml
model, keys = sys.argv[1:]
model = hushml.load_model(model)
keys = hushml.load_keys(model.client_spec, keys)
x = hushml.encrypt(model.client_spec, keys, np.zeros((4096, 6)))
def interrupt():
    time.sleep(0.3)
    os.kill(os.getpid(), signal.SIGINT)
begun = time.monotonic()
threading.Thread(target=interrupt, daemon=True).start()
try:
    hushml.run(model, keys, x)
except KeyboardInterrupt:
    print("interrupted after", time.monotonic() - begun)
"""


def test_interruptions_end_work(small, tmp_path):
    compiled = hushml.compile(small.onnx, small.calibration, precision=1e-2, packing="latency")
    keys = hushml.keygen(compiled, tmp_path / "keys")
    model, _ = compiled.save(tmp_path / "m")
    command = [sys.executable, "-c", INTERRUPTED, str(model), str(keys.folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("interrupted after"), done.stderr
    assert float(done.stdout.split()[-1]) < 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_forked_processes_are_refused(small):
    context = multiprocessing.get_context("fork")
    queue = context.Queue()

    def child():
        try:
            hushml.inspect(small.keys.evaluation_keys)
        except hushml.HushError as error:
            queue.put(str(error))

    process = context.Process(target=child)
    process.start()
    assert "forked" in queue.get(timeout=60)
    process.join(60)
    assert process.exitcode == 0


def test_progress_is_told(small, rng, monkeypatch):
    told = []
    from hushml import _hushml

    ciphertexts, found = _hushml.encrypt(
        small.client, small.keys, rng.uniform(-0.9, 0.9, size=(20, 6)), lambda *step: told.append(step)
    )
    assert found == [] and told[-1][0] == "encrypt" and told[-1][1] == told[-1][2] > 0

    def fail(*step):
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        _hushml.run(small.compiled, small.keys, ciphertexts, None, fail)


@pytest.mark.parametrize("tqdm", [True, False])
def test_bars(tqdm, monkeypatch, capsys):
    from hushml import _progress

    if tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm.auto", None)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(_progress, "PATIENCE", 0)
    with _progress.Progress(True) as tell:
        for done in range(4):
            tell("upload", done, 4)
        tell("predict", 0, 2)
    if not tqdm:
        assert "upload" in capsys.readouterr().err
    with _progress.Progress(False) as tell:
        assert tell is None
