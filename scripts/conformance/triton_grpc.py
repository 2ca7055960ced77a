"""tritonclient over gRPC."""

import queue
import sys

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

import check

FIRST = np.arange(16, dtype=np.int32).reshape(1, 16)
SECOND = np.ones((1, 16), dtype=np.int32)


def inputs():
    made = [triton.InferInput(name, [1, 16], "INT32") for name in ("INPUT0", "INPUT1")]
    made[0].set_data_from_numpy(FIRST)
    made[1].set_data_from_numpy(SECOND)
    return made


def right(result):
    assert (result.as_numpy("OUTPUT0") == FIRST + SECOND).all()
    assert (result.as_numpy("OUTPUT1") == FIRST - SECOND).all()


def check_health_and_metadata(client):
    assert client.is_server_live() and client.is_server_ready()
    assert client.is_model_ready("simple") and client.is_model_ready("simple", "1")
    assert client.get_server_metadata().name == "hush-server"
    metadata = client.get_model_metadata("simple", as_json=True)
    assert [tensor["name"] for tensor in metadata["inputs"]] == ["INPUT0", "INPUT1"]
    assert client.get_model_config("simple").config.input[0].name == "INPUT0"


def check_unknown_model(client):
    try:
        client.get_model_metadata("none")
    except InferenceServerException as error:
        assert error.status() == "StatusCode.NOT_FOUND", error.status()
    else:
        raise AssertionError("no error")


def check_infer(client):
    outputs = [triton.InferRequestedOutput(name) for name in ("OUTPUT0", "OUTPUT1")]
    right(client.infer("simple", inputs(), outputs=outputs, request_id="1"))
    right(client.infer("simple", inputs()))


def check_infer_compressed(client):
    for compression in ("gzip", None):
        right(client.infer("simple", inputs(), compression_algorithm=compression))


def check_async_infer(client):
    answers = queue.Queue()
    for _ in range(8):
        client.async_infer("simple", inputs(), lambda result, error: answers.put((result, error)))
    for _ in range(8):
        result, error = answers.get(timeout=10)
        assert error is None, error
        right(result)


def check_strings(client):
    texts = np.array([[str(number).encode() for number in range(16)]], dtype=np.object_)
    made = [triton.InferInput(name, [1, 16], "BYTES") for name in ("INPUT0", "INPUT1")]
    for tensor in made:
        tensor.set_data_from_numpy(texts)
    result = client.infer("simple_string", made).as_numpy("OUTPUT0")
    assert [int(text) for text in result[0]] == [2 * number for number in range(16)]


def check_stream(client):
    answers = queue.Queue()
    client.start_stream(callback=lambda result, error: answers.put((result, error)))
    for number in range(5):
        client.async_stream_infer("simple", inputs(), request_id=str(number))
    client.async_stream_infer("none", inputs(), request_id="bad")
    for number in range(5):
        result, error = answers.get(timeout=10)
        assert error is None and result.get_response().id == str(number)
        right(result)
    assert answers.get(timeout=10)[1] is not None
    client.stop_stream()


def check_repository(client):
    names = [model.name for model in client.get_model_repository_index().models]
    assert "simple" in names, names
    client.unload_model("simple")
    assert "simple" not in [
        model.name for model in client.get_model_repository_index().models if model.state == "READY"
    ]
    client.load_model("simple")
    right(client.infer("simple", inputs()))


if __name__ == "__main__":
    check.run(sys.modules[__name__], client=triton.InferenceServerClient(sys.argv[2]))
