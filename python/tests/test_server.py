"""A model on a server, over gRPC and REST. Takes the program `hush-server`: HUSH_SERVER, or what cargo built."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, TOLERANCE, floats

import hushml


def program() -> Path | None:
    if "HUSH_SERVER" in os.environ:
        return Path(os.environ["HUSH_SERVER"])
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [target / profile / "hush-server" for profile in ("release", "debug")]
    return next((path for path in built if path.exists()), None)


class Server:
    """A server on loopback, on ports that are free."""

    def __init__(self, *arguments: str | Path) -> None:
        command = [program(), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *arguments]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        lines: list[str] = []
        for line in self.process.stderr:
            lines.append(line)
            if '"ready"' in line:
                break
        text = "".join(lines)
        assert self.process.poll() is None, text
        self.grpc = re.search(r"grpcs?://[\d.:]+", text).group()
        self.http = re.search(r"https?://[\d.:]+", text).group()
        # The log must not fill its pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture(scope="module")
def models(small, tmp_path_factory):
    if program() is None:
        pytest.skip("there is no hush-server: cargo build --release -p hush-server")
    folder = tmp_path_factory.mktemp("models")
    small.compiled.save(folder / "small")
    return folder


@pytest.fixture(scope="module")
def server(models, tmp_path_factory):
    with Server("--models", models, "--keys", tmp_path_factory.mktemp("server-keys")) as server:
        yield server


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_predictions(small, server, rng, tmp_path, protocol):
    client = hushml.connect(getattr(server, protocol), model="small", keys=tmp_path / "keys")
    x = rng.uniform(-0.9, 0.9, size=(20, 6))
    y = client.predict(x)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, floats(small.onnx, {"x": x})[0], atol=TOLERANCE)
    assert client.client_spec.program_id == small.client.program_id
    assert client.metadata["name"] == "small" and client.metadata["inputs"][0]["datatype"] == "BYTES"
    assert len(client.key_id) == 32 and "small" in repr(client)
    again = hushml.connect(getattr(server, protocol), model="small", version=1, keys=tmp_path / "keys")
    assert again.key_id == client.key_id
    np.testing.assert_allclose(again.predict(x[:2], raw=True, progress=False), y[:2], atol=TOLERANCE)


def test_users_with_keys_of_their_own_at_once(small, server, rng, tmp_path):
    x = rng.uniform(-0.9, 0.9, size=(4, 3, 6))

    def user(number):
        client = hushml.connect(server.grpc, "small", keys=tmp_path / str(number))
        return [client.predict(x[number]) for _ in range(3)]

    with ThreadPoolExecutor(4) as pool:
        for number, answers in enumerate(pool.map(user, range(4))):
            [expected] = floats(small.onnx, {"x": x[number]})
            for y in answers:
                np.testing.assert_allclose(y, expected, atol=TOLERANCE)


def test_what_goes_wrong_at_a_distance(server, tmp_path):
    keys = tmp_path / "keys"
    with pytest.raises(hushml.HushError) as error:
        hushml.connect(server.grpc, "other", keys=keys)
    assert "other" in error.value.message
    with pytest.raises(hushml.HushError, match="not the address of a server") as error:
        hushml.connect("127.0.0.1:8081", "small", keys=keys)
    assert "grpc://" in error.value.hint
    with pytest.raises(hushml.HushError, match="cannot connect"):
        hushml.connect("grpc://127.0.0.1:1", "small", keys=keys, patience=0)
    with pytest.raises(hushml.HushError, match="no length of time"):
        hushml.connect(server.grpc, "small", keys=keys, timeout=-1)
    client = hushml.connect(server.grpc, "small", keys=keys)
    with pytest.raises(hushml.HushError, match=r"has shape \[1, 5\]"):
        client.predict(np.zeros((1, 5)))
    with pytest.warns(hushml.HushWarning, match="lies outside"):
        client.predict(np.full((1, 6), 1.5))


def test_a_server_that_is_gone(models, tmp_path):
    with Server("--models", models, "--keys", tmp_path / "server") as server:
        client = hushml.connect(server.grpc, "small", keys=tmp_path / "keys", patience=0.2)
    with pytest.raises(hushml.HushError):
        client.predict(np.zeros((1, 6)))


def test_tokens(small, models, tmp_path):
    accounts = tmp_path / "accounts"
    command = [program(), "token", "create", "ada", "--tokens", accounts]
    made = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    token = made.stdout.split()[-1]
    with Server("--models", models, "--keys", tmp_path / "server", "--tokens", accounts) as server:
        client = hushml.connect(server.grpc, "small", keys=tmp_path / "keys", token=token)
        assert client.predict(np.zeros((1, 6))).shape == (1, 3)
        with pytest.raises(hushml.HushError):
            hushml.connect(server.grpc, "small", keys=tmp_path / "keys", token="wrong")


def test_certificates_on_both_sides(small, models, rng, tmp_path):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make certificates with")

    def make(*arguments):
        subprocess.run([openssl, *arguments], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    ca = ["req", "-x509", *curve, "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=authority"]
    make(*ca, "-addext", "keyUsage=critical,keyCertSign")
    (tmp_path / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    for name in ["server", "ada"]:
        make("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "names"]
        make("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signed)
    accounts = tmp_path / "accounts"
    accounts.write_text("[[account]]\nname = 'ada'\nroles = ['predict', 'upload-keys']\n")
    tls = ["--tls-cert", tmp_path / "server.pem", "--tls-key", tmp_path / "server.key"]
    known = ["--client-ca", tmp_path / "ca.pem", "--tokens", accounts]
    own = {"cert": tmp_path / "ada.pem", "cert_key": tmp_path / "ada.key"}
    x = rng.uniform(-0.9, 0.9, size=(2, 6))
    with Server("--models", models, "--keys", tmp_path / "server", *tls, *known) as server:
        for url in [server.grpc, server.http]:
            client = hushml.connect(url, "small", keys=tmp_path / "keys", ca=tmp_path / "ca.pem", **own)
            np.testing.assert_allclose(client.predict(x), floats(small.onnx, {"x": x})[0], atol=TOLERANCE)
            with pytest.raises(hushml.HushError, match="needs to know who asks"):
                hushml.connect(url, "small", keys=tmp_path / "keys", ca=tmp_path / "ca.pem")
            with pytest.raises(hushml.HushError, match="certificate"):
                hushml.connect(url, "small", keys=tmp_path / "keys", **own)


def test_a_token_on_an_open_way_is_warned_of(tmp_path):
    # Nobody has this name (RFC 6761).
    arguments = {"model": "small", "keys": tmp_path, "token": "hush_7", "patience": 0}
    for url in ["grpc://models.invalid", "http://models.invalid"]:
        with pytest.warns(hushml.HushWarning, match="without encryption"), pytest.raises(hushml.HushError):
            hushml.connect(url, **arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for url in ["grpcs://models.invalid", "grpc://127.0.0.1:1"]:
            with pytest.raises(hushml.HushError):
                hushml.connect(url, **arguments)
