"""Reflection and health, as grpcurl and grpc-health-probe ask for them."""

import sys

import grpc as grpcio
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

import check

SERVICES = {
    "grpc.health.v1.Health",
    "hush.v1.Keys",
    "inference.GRPCInferenceService",
    "inference.model_repository.ModelRepositoryService",
}


def check_reflection(grpc):
    with grpcio.insecure_channel(grpc) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert SERVICES <= set(database.get_services()), database.get_services()
        pool = DescriptorPool(database)
        service = pool.FindServiceByName("inference.GRPCInferenceService")
        assert "ModelStreamInfer" in service.methods_by_name
        request = pool.FindMessageTypeByName("inference.ModelInferRequest")
        assert request.fields_by_name["raw_input_contents"].number == 7


def check_health(grpc):
    with grpcio.insecure_channel(grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "inference.GRPCInferenceService"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        try:
            stub.Check(health_pb2.HealthCheckRequest(service="none"))
        except grpcio.RpcError as error:
            assert error.code() == grpcio.StatusCode.NOT_FOUND
        else:
            raise AssertionError("no error")
        watch = stub.Watch(health_pb2.HealthCheckRequest(service=""))
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


if __name__ == "__main__":
    check.run(sys.modules[__name__], grpc=sys.argv[2])
