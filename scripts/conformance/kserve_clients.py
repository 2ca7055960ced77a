"""KServe's Python clients, REST and gRPC."""

import asyncio
import logging
import sys

import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

import check

FIRST = np.arange(16, dtype=np.int32).reshape(1, 16)
SECOND = np.ones((1, 16), dtype=np.int32)


def request(binary):
    made = [InferInput(name, [1, 16], "INT32") for name in ("INPUT0", "INPUT1")]
    for tensor, values in zip(made, (FIRST, SECOND)):
        tensor.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model_name="simple", infer_inputs=made, request_id="1")


def right(response):
    outputs = {output.name: output.as_numpy() for output in response.outputs}
    assert (outputs["OUTPUT0"].reshape(1, 16) == FIRST + SECOND).all()
    assert (outputs["OUTPUT1"].reshape(1, 16) == FIRST - SECOND).all()


def check_rest(http):
    async def ask():
        client = InferenceRESTClient(config=RESTConfig(protocol="v2"))
        base = f"http://{http}"
        assert await client.is_server_live(base)
        assert await client.is_server_ready(base)
        assert await client.is_model_ready(base, "simple")
        for binary in (False, True):
            right(await client.infer(base, request(binary), model_name="simple"))
        await client.close()

    asyncio.run(ask())


def check_grpc(grpc):
    async def ask():
        client = InferenceGRPCClient(grpc)
        assert await client.is_server_live()
        assert await client.is_server_ready()
        assert await client.is_model_ready("simple")
        for binary in (False, True):
            right(await client.infer(request(binary)))
        await client.close()

    asyncio.run(ask())


def check_grpc_repository(grpc):
    """KServe's own messages for loading: other fields than Triton's under the same name."""
    import grpc as grpcio
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
    from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

    with grpcio.insecure_channel(grpc) as channel:
        stub = GRPCInferenceServiceStub(channel)
        wanted = messages.RepositoryModelUnloadRequest(model_name="simple")
        assert stub.RepositoryModelUnload(wanted).isUnloaded
        wanted = messages.RepositoryModelLoadRequest(model_name="simple")
        loaded = stub.RepositoryModelLoad(wanted)
        assert loaded.isLoaded and loaded.model_name == "simple"


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    check.run(sys.modules[__name__], http=sys.argv[1], grpc=sys.argv[2])
