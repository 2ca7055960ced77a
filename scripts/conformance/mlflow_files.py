"""Files of runs in every way that MLflow's package has: whole, in parts, by signed addresses, by its own functions; and deleted."""

import hashlib
import os
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import mlflow
import numpy as np
from mlflow.environment_variables import MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD

from mlflow_answers import MODERN, client, listed, note, refused

MIB = 1 << 20


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def repository(run_id):
    return client._tracking_client._get_artifact_repo(run_id)


def files():
    mlflow.set_experiment("files")
    with mlflow.start_run(run_name="files") as active, tempfile.TemporaryDirectory() as folder:
        run_id = active.info.run_id
        large = Path(folder, "large.bin")
        # More than one part of an object store, and no whole number of them.
        large.write_bytes(np.random.default_rng(1).bytes(37 * MIB + 12345))
        mlflow.log_artifact(str(large), "whole")
        in_parts(large)
        mlflow.log_image(np.zeros((4, 4, 3), dtype=np.uint8), "black.png")
        mlflow.log_text("<b>x</b>", "page.html")
        mlflow.log_artifacts(folder, "tree/below")
        note("large files", listed(run_id))
        for where in ("whole", "parts"):
            path = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path=f"{where}/large.bin", dst_path=str(Path(folder, where)))
            note(f"read back {where}", digest(path) == digest(large))
        addresses(run_id, large)
        own_functions(run_id)
        deleted(run_id)


def in_parts(large):
    """As the client does with large files of servers that can; others take them whole."""
    settings = {"MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(8 * MIB), "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(10 * MIB)}
    os.environ.update({**settings, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD.name: "true"})
    try:
        mlflow.log_artifact(str(large), "parts")
    finally:
        for name in (*settings, MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD.name):
            del os.environ[name]


def addresses(run_id, large):
    """Signed addresses; only servers with an object store behind them give any, so nothing is noted where they are refused."""
    if not MODERN:
        return
    store = repository(run_id)
    try:
        address = store._get_presigned_download_url("whole/large.bin").url
    except Exception:
        return
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Range": "bytes=5-14"})) as response:
        assert (response.status, response.read()) == (206, large.read_bytes()[5:15])
    with urllib.request.urlopen(address) as response:
        assert response.read() == large.read_bytes()
    for wrong in (address.replace("whole", "parts"), address.replace("expires=", "expires=9")):
        try:
            urllib.request.urlopen(wrong)
            raise AssertionError(f"{wrong} is answered")
        except urllib.error.HTTPError as error:
            assert error.code in (400, 403), error
    upload = store.create_multipart_upload("left.bin", 2, "parts")
    store.abort_multipart_upload("left.bin", upload.upload_id, "parts")
    assert not [entry for entry in client.list_artifacts(run_id, "parts") if "left" in entry.path]


def own_functions(run_id):
    mlflow.log_text("a b", "text/a b.txt")
    note("list", sorted(entry.path for entry in mlflow.artifacts.list_artifacts(run_id=run_id, artifact_path="tree")))
    note("list by uri", sorted(entry.path for entry in mlflow.artifacts.list_artifacts(f"runs:/{run_id}/text")))
    note("load text", mlflow.artifacts.load_text(f"runs:/{run_id}/text/a b.txt"))
    note("load image", mlflow.artifacts.load_image(f"runs:/{run_id}/black.png").size)
    note("artifact uri", mlflow.get_artifact_uri("text/a b.txt").rsplit("/", 3)[1:])
    refused("download nothing", lambda: mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="nothing/at/all.bin"))
    for path in ("../x", "/etc/passwd", "a/../../x", "%2e%2e/x"):
        refused(f"list {path}", lambda: client.list_artifacts(run_id, path))


def deleted(run_id):
    store = repository(run_id)
    store.delete_artifacts("whole/large.bin")
    store.delete_artifacts("tree")
    note("after deleting", sorted(path for path, folder, _ in listed(run_id) if not folder))
