#!/usr/bin/env python3
"""Selects the ONNX backend node tests whose operators HushML imports, and packs them into one file.

usage: scripts/node-tests/run    (fetches the releases named below and calls this file with their wheels)

Every test of every release is either packed or listed with the reason why not in `left_out.csv`
inside the archive; the tests of hush-conformance hold the operator list below against the importer's.
"""

import csv
import io
import sys
import zipfile
from pathlib import Path

import onnx
from onnx import TensorProto

# Newest first. A test of an older release is packed only where its node is written in another way
# (attributes that became inputs, other defaults) than in every newer one.
RELEASES = ["1.19.1", "1.7.0", "1.5.0"]
FOLDER = "onnx/backend/test/data/node/"

OPERATORS = set(
    """
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast CastLike Ceil Celu Clip Concat Constant
    ConstantOfShape Conv ConvTranspose Cos DepthToSpace Div Dropout Elu Equal Erf Exp Expand Flatten Floor Gather
    Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual HardSigmoid HardSwish Identity LeakyRelu Less
    LessOrEqual Log LogSoftmax MatMul Max MaxPool Mean Min Mish Mod Mul Neg NonZero Not Or PRelu Pad Pow Range
    Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Resize Round Selu Shape Shrink Sigmoid Sign Sin Size Slice Softmax Softplus
    Softsign SpaceToDepth Split Sqrt Squeeze Sub Sum Swish Tanh ThresholdedRelu Tile Transpose Unsqueeze Upsample
    Where Xor
    """.split()
)
ML_OPERATORS = set(
    """
    ArrayFeatureExtractor FeatureVectorizer Imputer LinearClassifier LinearRegressor Normalizer SVMClassifier
    SVMRegressor Scaler ZipMap
    """.split()
)
ELEMENTS = {TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL}
LARGEST_BYTES = 100_000


def tests_of(wheel):
    """(name, {file name: bytes}) of each test, in order of names."""
    tests = {}
    for entry in wheel.namelist():
        if entry.startswith(FOLDER) and not entry.endswith("/"):
            name, _, file = entry[len(FOLDER) :].partition("/")
            tests.setdefault(name, {})[file] = wheel.read(entry)
    return sorted(tests.items())


def element_problem(graph):
    for value in [*graph.input, *graph.output]:
        if not value.type.HasField("tensor_type"):
            return f"elements: {value.type.WhichOneof('value').removesuffix('_type')}"
        element = value.type.tensor_type.elem_type
        if element not in ELEMENTS:
            return f"elements: {TensorProto.DataType.Name(element).lower()}"
    return None


def form(model):
    """What a test exercises, whatever the operator set is called."""
    graph = model.graph
    nodes = []
    for node in graph.node:
        attributes = sorted(attribute.SerializeToString() for attribute in node.attribute)
        inputs = [bool(name) for name in node.input]
        nodes.append((node.op_type, tuple(attributes), tuple(inputs), len(node.output)))
    shapes = [tuple(d.dim_value for d in value.type.tensor_type.shape.dim) for value in graph.input]
    return tuple(nodes), tuple(shapes)


def reason_to_leave_out(model, files, known):
    known_names = {"": OPERATORS, "ai.onnx": OPERATORS, "ai.onnx.ml": ML_OPERATORS}
    domains = {node.domain for node in model.graph.node} - set(known_names)
    if domains:
        return f"domain: {min(domains)}"
    missing = {node.op_type for node in model.graph.node if node.op_type not in known_names[node.domain]}
    if missing:
        return f"operator: {' '.join(sorted(missing))}"
    problem = element_problem(model.graph)
    if problem:
        return problem
    if sum(map(len, files.values())) > LARGEST_BYTES:
        return f"size: more than {LARGEST_BYTES} bytes"
    if form(model) in known:
        return "repeated: a newer release has a test of the same node"
    return None


def main(wheels, target):
    packed, left_out, known = {}, [], set()
    for release, path in zip(RELEASES, wheels, strict=True):
        forms = set()
        with zipfile.ZipFile(path) as wheel:
            for name, files in tests_of(wheel):
                model = onnx.load_model_from_string(files["model.onnx"])
                reason = reason_to_leave_out(model, files, known)
                if reason:
                    left_out.append((release, name, reason))
                    continue
                forms.add(form(model))
                for file, content in files.items():
                    # One data set each is enough; a second one would be the same inputs again.
                    if file == "model.onnx" or file.startswith("test_data_set_0/"):
                        packed[f"{release}/{name}/{Path(file).name}"] = content
            (licence,) = [entry for entry in wheel.namelist() if entry.endswith("/LICENSE")]
            packed[f"{release}/LICENSE"] = wheel.read(licence)
        known |= forms
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["release", "test", "reason"])
    writer.writerows(sorted(left_out))
    packed["left_out.csv"] = text.getvalue().encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, content in sorted(packed.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED, 9)
    count = sum(name.endswith("/model.onnx") for name in packed)
    print(f"{target}: {count} tests, {len(left_out)} left out, {Path(target).stat().st_size} bytes")


if __name__ == "__main__":
    main(sys.argv[1:-1], sys.argv[-1])
