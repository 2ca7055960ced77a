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
    """Ciphertexts go behind the JSON; the answer comes in it, in base64, or behind it if that is asked for."""

    async def ask(parameters):
        client = InferenceRESTClient(config=RESTConfig(protocol="v2"))
        request = kserve_request(folder)
        request.parameters = parameters
        answer = await client.infer(f"http://{http}", request, model_name="cancer")
        await client.close()
        return answer.outputs[0].as_numpy().flatten()[0]

    right(hush, folder, "kserve_json", base64.b64decode(asyncio.run(ask({}))))
    right(hush, folder, "kserve_binary", asyncio.run(ask({"binary_data_output": True})))


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    check.run(
        sys.modules[__name__],
        http=sys.argv[1],
        grpc=sys.argv[2],
        hush=sys.argv[3],
        folder=Path(sys.argv[4]),
    )
