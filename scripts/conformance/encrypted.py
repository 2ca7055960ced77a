"""An encrypted model through foreign clients: ciphertexts of our command line in, ciphertexts out, decrypted and compared.

The folder holds what `run` made of the breast-cancer model: cancer.client, keys/, x.ct and, computed without a server, y.csv.
"""

import sys
import urllib.request
from pathlib import Path

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton_http

import check
from comparison import ciphertexts, right


def check_client_file_and_key_upload(http, folder):
    def ask(method, path, body=None):
        headers = {"content-type": "application/octet-stream"}
        request = urllib.request.Request(f"http://{http}{path}", body, headers, method=method)
        with urllib.request.urlopen(request) as answer:
            return answer.read()

    metadata = triton_http.InferenceServerClient(http).get_model_metadata("cancer")
    assert metadata["inputs"] == [{"name": "ciphertexts", "datatype": "BYTES", "shape": [1]}]
    client = ask("GET", metadata["parameters"]["hush.client"])
    assert client == (folder / "cancer.client").read_bytes()
    key = (folder / "keys/evaluation.key").read_bytes()
    (key_id,) = (folder / "key_id").read_text().split()
    ask("PUT", f"/v1/keys/{key_id}", key)


def check_triton_grpc(grpc, hush, folder):
    tensor = triton_grpc.InferInput("ciphertexts", [1], "BYTES")
    tensor.set_data_from_numpy(ciphertexts(folder))
    answer = triton_grpc.InferenceServerClient(grpc).infer("cancer", [tensor])
    right(hush, folder, "triton_grpc", answer.as_numpy("ciphertexts")[0])


def check_triton_http(http, hush, folder):
    tensor = triton_http.InferInput("ciphertexts", [1], "BYTES")
    tensor.set_data_from_numpy(ciphertexts(folder), binary_data=True)
    answer = triton_http.InferenceServerClient(http).infer("cancer", [tensor])
    right(hush, folder, "triton_http", answer.as_numpy("ciphertexts")[0])


def check_wrong_ciphertexts_are_refused(grpc, folder):
    file = bytearray((folder / "x.ct").read_bytes())
    file[len(file) // 2] ^= 1
    tensor = triton_grpc.InferInput("ciphertexts", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([bytes(file)], dtype=np.object_))
    try:
        triton_grpc.InferenceServerClient(grpc).infer("cancer", [tensor])
    except triton_grpc.InferenceServerException as error:
        assert error.status() == "StatusCode.INVALID_ARGUMENT", error
    else:
        raise AssertionError("no error")


if __name__ == "__main__":
    check.run(
        sys.modules[__name__],
        http=sys.argv[1],
        grpc=sys.argv[2],
        hush=sys.argv[3],
        folder=Path(sys.argv[4]),
    )
