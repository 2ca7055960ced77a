"""MLServer's Python client, stubs and types."""

import json
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path

import grpc as grpcio
from mlserver.codecs import NumpyCodec
from mlserver.grpc import dataplane_pb2 as messages
from mlserver.grpc import model_repository_pb2 as repository
from mlserver.grpc.converters import ModelInferRequestConverter, ModelInferResponseConverter
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.grpc.model_repository_pb2_grpc import ModelRepositoryServiceStub
from mlserver.types import (
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataServerResponse,
    RepositoryIndexResponse,
)
import numpy as np

import check


def request():
    rows = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int32)
    return InferenceRequest(id="1", inputs=[NumpyCodec.encode_input("input-0", rows)])


def right(response):
    assert response.id == "1" and response.model_name == "sum-model"
    assert response.model_version == "v1.2.3"
    (output,) = response.outputs
    assert NumpyCodec.decode_output(output).tolist() == [[6.0], [15.0]]


def fetch(address, body=None):
    headers = {"content-type": "application/json"}
    data = None if body is None else body.encode()
    with urllib.request.urlopen(urllib.request.Request(address, data, headers)) as answer:
        return answer.read()


def check_rest(http):
    base = f"http://{http}/v2"
    assert MetadataServerResponse.model_validate_json(fetch(base)).name == "hush-server"
    metadata = MetadataModelResponse.model_validate_json(fetch(f"{base}/models/sum-model"))
    assert metadata.versions == ["v1.2.3"]
    for path in ("models/sum-model/infer", "models/sum-model/versions/v1.2.3/infer"):
        body = json.dumps(request().model_dump())
        right(InferenceResponse.model_validate_json(fetch(f"{base}/{path}", body)))
    index = fetch(f"{base}/repository/index", "{}")
    assert len(RepositoryIndexResponse.model_validate_json(index).root) >= 3


def check_batch_client(http):
    """`mlserver infer`, which sends a file of requests."""
    with tempfile.TemporaryDirectory() as folder:
        inputs, outputs = Path(folder, "in.json"), Path(folder, "out.json")
        inputs.write_text((json.dumps(request().model_dump(exclude_none=True)) + "\n") * 5)
        command = [Path(sys.executable).parent / "mlserver", "infer", "-u", http, "-m", "sum-model"]
        subprocess.run([*command, "-i", inputs, "-o", outputs], check=True, capture_output=True)
        lines = outputs.read_text().splitlines()
        assert len(lines) == 5, lines
        for line in lines:
            (output,) = InferenceResponse.model_validate_json(line).outputs
            assert NumpyCodec.decode_output(output).flatten().tolist() == [6.0, 15.0]


def check_grpc(grpc):
    with grpcio.insecure_channel(grpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        assert stub.ServerLive(messages.ServerLiveRequest()).live
        assert stub.ServerReady(messages.ServerReadyRequest()).ready
        assert stub.ModelReady(messages.ModelReadyRequest(name="sum-model")).ready
        metadata = stub.ModelMetadata(messages.ModelMetadataRequest(name="sum-model"))
        assert metadata.inputs[0].name == "input-0"
        for raw in (False, True):
            asked = ModelInferRequestConverter.from_types(
                request(), model_name="sum-model", model_version=None, use_raw=raw
            )
            right(ModelInferResponseConverter.to_types(stub.ModelInfer(asked)))


def check_grpc_repository(grpc):
    with grpcio.insecure_channel(grpc) as channel:
        for stub, types in (
            (GRPCInferenceServiceStub(channel), messages),
            (ModelRepositoryServiceStub(channel), repository),
        ):
            index = stub.RepositoryIndex(types.RepositoryIndexRequest())
            assert "sum-model" in [model.name for model in index.models]
            stub.RepositoryModelUnload(types.RepositoryModelUnloadRequest(model_name="sum-model"))
            stub.RepositoryModelLoad(types.RepositoryModelLoadRequest(model_name="sum-model"))


if __name__ == "__main__":
    check.run(sys.modules[__name__], http=sys.argv[1], grpc=sys.argv[2])
