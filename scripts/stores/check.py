"""Servers whose keys are in a bucket: uploads, restarts, two servers at once, deletion, a store that is gone.

usage: check.py FOLDER EXAMPLE; FOLDER holds hush and hush-server, EXAMPLE the breast-cancer network.
"""

import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import boto3
from moto.server import ThreadedMotoServer

FOLDER, EXAMPLE = Path(sys.argv[1]), Path(sys.argv[2])
ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
}


def hush(*arguments, succeeds=True):
    command = [FOLDER / "hush", "--quiet", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert (done.returncode == 0) == succeeds, done.stderr
    return done.stderr


class Server:
    """hush-server on free ports, with keys in the bucket and unfinished uploads in a folder."""

    def __init__(self, model, staging, endpoint):
        command = [FOLDER / "hush-server", model, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
        command += ["--keys", staging, "--keys-url", "s3://keys/of/hush"]
        environment = {**os.environ, **ACCOUNT, "AWS_ENDPOINT": endpoint, "AWS_ALLOW_HTTP": "true"}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stderr=pipe, stdout=subprocess.DEVNULL, text=True, env=environment)
        text = ""
        for line in self.process.stderr:
            text += line
            if '"ready"' in line:
                break
        else:
            raise AssertionError(text)
        self.grpc = re.search(r"grpc://[\d.:]+", text).group()
        self.http = re.search(r"http://[\d.:]+", text).group()
        # The log must not fill its pipe.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait(60)

    def ask(self, method, path):
        request = urllib.request.Request(self.http + path, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def keys(self):
        return [key["id"] for key in self.ask("GET", "/v1/keys")["keys"] if key["state"] == "complete"]


@contextmanager
def check(title):
    yield
    print(f"  {title:<60} ok", flush=True)


def main():
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    store.start()
    endpoint = "http://{}:{}".format(*store.get_host_and_port())
    os.environ.update(ACCOUNT)
    bucket = boto3.resource("s3", endpoint_url=endpoint).create_bucket(Bucket="keys")

    def objects():
        return {item.key: item.size for item in bucket.objects.all()}

    with tempfile.TemporaryDirectory() as work:
        os.chdir(work)
        subprocess.run([sys.executable, EXAMPLE / "standardise.py", "data"], check=True, stdout=subprocess.DEVNULL)
        hush("compile", EXAMPLE / "breast_cancer_mlp.onnx", "--calibration", "data/training.csv", "-o", "cancer")
        rows = Path("data/validation.csv").read_text().splitlines()[:11]
        Path("rows.csv").write_text("\n".join(rows) + "\n")
        predict = ["--model", "cancer", "--input", "rows.csv", "--keys", "own", "-o", "y.csv"]

        with Server("cancer.model", "staging", endpoint) as server:
            with check("an upload over gRPC ends in the bucket"):
                hush("predict", server.grpc, *predict)
                first = Path("y.csv").read_bytes()
                [key] = server.keys()
                assert any(name.startswith("of/hush/") for name in objects()), objects()
                assert max(objects().values()) > 1_000_000, objects()
        stored = objects()
        with Server("cancer.model", "other-staging", endpoint) as server:
            with check("a killed server's keys are there for the next, on another disk"):
                assert server.keys() == [key]
                hush("predict", server.http, *predict)
                assert len(Path("y.csv").read_text().splitlines()) == len(first.splitlines())
                assert objects() == stored, "the key was uploaded again"
            with Server("cancer.model", "third-staging", endpoint) as beside:
                with check("a key that one server takes the other knows"):
                    hush("predict", server.http, *[{"own": "others"}.get(word, word) for word in predict])
                    assert sorted(server.keys()) == sorted(beside.keys()) and len(server.keys()) == 2
                    hush("predict", beside.grpc, *predict)
            with check("a key that is deleted leaves the bucket"):
                server.ask("DELETE", f"/v1/keys/{key}")
                assert key not in server.keys()
                assert not any(key in name for name in objects()), objects()
        with Server("cancer.model", "staging", endpoint) as server:
            store.stop()
            with check("without the store predictions fail with a reason, and the server stays"):
                said = hush("predict", server.grpc, "--timeout", "10", *predict, succeeds=False)
                assert "error: " in said, said
                assert server.ask("GET", "/v2")["name"]
                assert server.process.poll() is None


if __name__ == "__main__":
    main()
