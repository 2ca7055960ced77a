"""tritonclient over HTTP."""

import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

import check

FIRST = np.arange(16, dtype=np.int32).reshape(1, 16)
SECOND = np.ones((1, 16), dtype=np.int32)


def inputs(binary=True):
    made = [triton.InferInput(name, [1, 16], "INT32") for name in ("INPUT0", "INPUT1")]
    made[0].set_data_from_numpy(FIRST, binary_data=binary)
    made[1].set_data_from_numpy(SECOND, binary_data=binary)
    return made


def right(result):
    assert (result.as_numpy("OUTPUT0") == FIRST + SECOND).all()
    assert (result.as_numpy("OUTPUT1") == FIRST - SECOND).all()


def check_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and not client.is_model_ready("none")
    assert client.get_server_metadata()["name"] == "hush-server"
    assert client.get_model_metadata("simple")["platform"] == "hush_demo"
    assert client.get_model_config("simple")["input"][0]["name"] == "INPUT0"


def check_unknown_model(client):
    try:
        client.infer("none", inputs())
    except InferenceServerException as error:
        assert error.status() == "404" and "none" in error.message(), error
    else:
        raise AssertionError("no error")


def check_infer_in_every_form(client):
    for binary_in in (True, False):
        right(client.infer("simple", inputs(binary_in)))
        for binary_out in (True, False):
            outputs = [
                triton.InferRequestedOutput(name, binary_data=binary_out)
                for name in ("OUTPUT0", "OUTPUT1")
            ]
            right(client.infer("simple", inputs(binary_in), outputs=outputs, request_id="1"))


def check_infer_compressed(client):
    for compression in ("gzip", "deflate"):
        right(
            client.infer(
                "simple",
                inputs(),
                request_compression_algorithm=compression,
                response_compression_algorithm=compression,
            )
        )


def check_async_infer(client):
    for handle in [client.async_infer("simple", inputs()) for _ in range(8)]:
        right(handle.get_result())


def check_strings(client):
    texts = np.array([[str(number).encode() for number in range(16)]], dtype=np.object_)
    for binary in (True, False):
        made = [triton.InferInput(name, [1, 16], "BYTES") for name in ("INPUT0", "INPUT1")]
        for tensor in made:
            tensor.set_data_from_numpy(texts, binary_data=binary)
        result = client.infer("simple_string", made).as_numpy("OUTPUT0")
        assert [int(text) for text in result[0]] == [2 * number for number in range(16)]


def check_repository(client):
    names = [model["name"] for model in client.get_model_repository_index()]
    assert "simple" in names, names
    client.unload_model("simple")
    assert not client.is_model_ready("simple")
    client.load_model("simple")
    right(client.infer("simple", inputs()))


if __name__ == "__main__":
    check.run(sys.modules[__name__], client=triton.InferenceServerClient(sys.argv[1], concurrency=8))
