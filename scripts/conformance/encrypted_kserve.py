"""The encrypted model through KServe's client, which cannot be in one process with Triton's; after encrypted.py."""

import asyncio
import base64
import logging
import sys
from pathlib import Path

from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

import check
from comparison import ciphertexts, right


def kserve_request(folder):
    tensor = InferInput("ciphertexts", [1], "BYTES")
    tensor.set_data_from_numpy(ciphertexts(folder), binary_data=True)
    return InferRequest(model_name="cancer", infer_inputs=[tensor])


def check_kserve_grpc(grpc, hush, folder):
    async def ask():
        client = InferenceGRPCClient(grpc)
        answer = await client.infer(kserve_request(folder))
        await client.close()
        return answer.outputs[0].as_numpy().flatten()[0]

    right(hush, folder, "kserve_grpc", asyncio.run(ask()))


def check_kserve_rest(http, hush, folder):
    """The answer comes in base64: behind JSON this client reads only byte strings that are text."""

    async def ask():
        client = InferenceRESTClient(config=RESTConfig(protocol="v2"))
        answer = await client.infer(f"http://{http}", kserve_request(folder), model_name="cancer")
        await client.close()
        (output,) = answer.outputs
        return base64.b64decode(output.as_numpy().flatten()[0])

    right(hush, folder, "kserve_rest", asyncio.run(ask()))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    check.run(
        sys.modules[__name__],
        http=sys.argv[1],
        grpc=sys.argv[2],
        hush=sys.argv[3],
        folder=Path(sys.argv[4]),
    )
