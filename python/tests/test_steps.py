"""The steps one by one, beside onnxruntime."""

from __future__ import annotations

import pickle
import stat

import numpy as np
import onnx
import pytest
from conftest import ROOT, TOLERANCE, floats, network
from onnx import TensorProto, helper

import hushml


def test_all_steps_give_what_the_float_model_gives(small, rng, tmp_path):
    model, client = small.compiled.save(tmp_path / "small")
    x = rng.uniform(-0.9, 0.9, size=(7, 6))
    ciphertexts = hushml.encrypt(client, small.keys, x)
    answer = hushml.run(model, small.keys.evaluation_keys, ciphertexts)
    y = hushml.decrypt(client, small.keys, answer)
    [expected] = floats(small.onnx, {"x": x})
    assert y.dtype == np.float32 and y.shape == (7, 3)
    np.testing.assert_allclose(y, expected, atol=TOLERANCE)
    simulated = hushml.simulate(model, x)
    np.testing.assert_allclose(simulated, expected, atol=TOLERANCE)
    assert (ciphertexts.direction, answer.direction) == ("inputs", "outputs")
    assert ciphertexts.samples == answer.samples == 7
    assert answer.key_id == small.keys.key_id
    assert answer.program_id == small.client.program_id


def test_objects_do_as_well_as_files(small, rng):
    x = rng.uniform(-0.9, 0.9, size=(3, 6)).astype(np.float32)
    ciphertexts = hushml.encrypt(small.compiled, small.keys, {"x": x})
    first = hushml.run(small.compiled, small.keys, ciphertexts)
    again = hushml.run(small.compiled.model, small.keys, bytes(ciphertexts))
    assert bytes(first) == bytes(again)
    y = hushml.decrypt(small.client, small.keys, bytes(again))
    np.testing.assert_allclose(y, floats(small.onnx, {"x": x})[0], atol=TOLERANCE)


def test_what_compiling_tells(small):
    assert "security" in small.compiled.report
    report = small.compiled.report_json
    assert report["security_bits"] >= 128 and report["precision"] == 1e-2
    assert small.compiled.model.report_json == report
    client = small.client
    assert client.inputs == {"x": (6,)} and client.outputs == {"y": (3,)}
    assert client.security_bits >= 128 and client.packing in ("latency", "throughput")
    assert client.name == "small" and len(client.program_id) == 64
    assert "small" in str(client) and "small" in repr(small.compiled)


def test_onnx_comes_as_path_bytes_or_object(small, tmp_path):
    path = tmp_path / "m.onnx"
    onnx.save(small.onnx, path)
    sources = [path, str(path), path.read_bytes(), small.onnx]
    programs = {
        hushml.compile(source, small.calibration, precision=1e-2).client_spec.program_id for source in sources
    }
    assert programs == {small.client.program_id}


def test_packing_for_throughput(small, rng):
    compiled = hushml.compile(small.onnx, small.calibration, packing="throughput", batch=500, precision=1e-2)
    assert compiled.client_spec.samples_per_group > 1
    x = rng.uniform(-0.9, 0.9, size=(11, 6))
    np.testing.assert_allclose(hushml.simulate(compiled, x), floats(small.onnx, {"x": x})[0], atol=TOLERANCE)


def test_several_inputs_and_outputs_have_names(rng, tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Add", ["a", "b"], ["s"]), helper.make_node("Sub", ["a", "b"], ["d"])],
        "two",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "ab"],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in "sd"],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    sample = lambda rows, largest: {name: rng.uniform(-largest, largest, size=(rows, 4)) for name in "ab"}
    compiled = hushml.compile(model, sample(64, 1), precision=1e-3)
    keys = hushml.keygen(compiled, tmp_path / "keys")
    x = sample(5, 0.9)
    answer = hushml.run(compiled, keys, hushml.encrypt(compiled, keys, x))
    y = hushml.decrypt(compiled, keys, answer)
    assert list(y) == ["s", "d"]
    np.testing.assert_allclose(y["s"], x["a"] + x["b"], atol=2e-3)
    np.testing.assert_allclose(y["d"], x["a"] - x["b"], atol=2e-3)
    with pytest.raises(hushml.HushError, match="takes 2 inputs") as error:
        hushml.encrypt(compiled, keys, x["a"])
    assert "`a`, `b`" in error.value.hint
    with pytest.raises(hushml.HushError, match="no array `b`"):
        hushml.encrypt(compiled, keys, {"a": x["a"]})


def test_arg_max_gives_indices_and_raw_gives_what_was_decrypted(rng, tmp_path):
    model = network(rng)
    model.graph.node.append(helper.make_node("ArgMax", ["y"], ["label"], axis=1, keepdims=0))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]))
    compiled = hushml.compile(model, rng.uniform(-1, 1, size=(64, 6)), precision=1e-2, min_agreement=0.9)
    keys = hushml.keygen(compiled, tmp_path)
    x = rng.uniform(-0.9, 0.9, size=(4, 6))
    answer = hushml.run(compiled, keys, hushml.encrypt(compiled, keys, x))
    labels = hushml.decrypt(compiled, keys, answer)
    raw = hushml.decrypt(compiled, keys, answer, raw=True)
    assert labels.dtype == np.int64 and labels.shape == (4,) and raw.shape == (4, 3)
    np.testing.assert_array_equal(labels, raw.argmax(axis=1))


def test_breast_cancer(rng, tmp_path):
    path = ROOT / "examples" / "breast_cancer" / "breast_cancer_mlp_sigmoid.onnx"
    calibration = rng.normal(size=(200, 30))
    compiled = hushml.compile(path, calibration, precision=1e-2)
    keys = hushml.keygen(compiled, tmp_path)
    x = calibration[:5]
    y = hushml.decrypt(compiled, keys, hushml.run(compiled, keys, hushml.encrypt(compiled, keys, x)))
    [name] = compiled.client_spec.inputs
    np.testing.assert_allclose(y, floats(path.read_bytes(), {name: x})[0], atol=2e-2)


def test_keys_lie_in_files(small, tmp_path):
    keys = hushml.keygen(small.client, tmp_path / "new" / "keys", passphrase="open sesame")
    secret = keys.folder / "secret.key"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert "protected with a passphrase" in hushml.inspect(secret)
    loaded = hushml.load_keys(small.client, keys.folder, passphrase="open sesame")
    assert loaded.key_id == keys.key_id
    with pytest.raises(hushml.HushError, match="does not open"):
        hushml.load_keys(small.client, keys.folder, passphrase="wrong")
    with pytest.raises(hushml.HushError, match="protected") as error:
        hushml.load_keys(small.client, keys.folder)
    assert "passphrase=" in error.value.hint
    with pytest.raises(hushml.HushError, match="exists already") as error:
        hushml.keygen(small.client, keys.folder)
    assert "force=True" in error.value.hint
    assert hushml.keygen(small.client, keys.folder, force=True).key_id != keys.key_id
    assert sorted(path.name for path in keys.folder.iterdir()) == ["evaluation.key", "secret.key"]


def test_passphrases_come_from_the_environment(small, tmp_path, monkeypatch):
    monkeypatch.setenv("HUSH_PASSPHRASE", "sesame")
    keys = hushml.keygen(small.client, tmp_path)
    monkeypatch.delenv("HUSH_PASSPHRASE")
    assert hushml.load_keys(small.client, tmp_path, "sesame").key_id == keys.key_id


def test_home_is_a_tilde(small, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    keys = hushml.keygen(small.client, "~/mine")
    assert keys.folder == tmp_path / "mine"


def test_ciphertexts_are_bytes(small, rng, tmp_path):
    ciphertexts = hushml.encrypt(small.client, small.keys, rng.uniform(-0.9, 0.9, size=(2, 6)))
    ciphertexts.save(tmp_path / "x.ct")
    loaded = hushml.Ciphertexts.load(tmp_path / "x.ct")
    assert loaded == ciphertexts == hushml.Ciphertexts(bytes(ciphertexts))
    assert pickle.loads(pickle.dumps(ciphertexts)) == ciphertexts
    assert len(loaded) == len(bytes(ciphertexts)) == (tmp_path / "x.ct").stat().st_size
    assert "encrypted inputs of program" in hushml.inspect(tmp_path / "x.ct")
    assert "2 samples" in str(ciphertexts)


def test_inspecting_the_other_files(small, tmp_path):
    model, client = small.compiled.save(tmp_path / "small")
    assert "security" in hushml.inspect(model)
    assert "checksum matches" in hushml.inspect(client)
    assert "switching key" in hushml.inspect(small.keys.evaluation_keys)
    onnx.save(small.onnx, tmp_path / "m.onnx")
    assert "activation" in hushml.inspect(tmp_path / "m.onnx")
    small.client.save(tmp_path / "again.client")
    assert (tmp_path / "again.client").read_bytes() == client.read_bytes()
    assert stat.S_IMODE(model.stat().st_mode) == 0o600


def test_flooded_results_are_close_and_differ(small, rng):
    compiled = hushml.compile(small.onnx, small.calibration, precision=1e-2)
    x = rng.uniform(-0.9, 0.9, size=(1, 6))
    answer = hushml.run(compiled, small.keys, hushml.encrypt(compiled, small.keys, x))
    flooded = lambda: hushml.decrypt(compiled, small.keys, answer, flood_bits=1, flood_error=1e-6, flood_results=1)
    first, second = flooded(), flooded()
    assert not np.array_equal(first, second)
    np.testing.assert_allclose(first, second, atol=1e-2)
    with pytest.raises(TypeError, match="go together"):
        hushml.decrypt(compiled, small.keys, answer, flood_bits=30)
