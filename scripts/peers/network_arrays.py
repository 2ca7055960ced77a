"""Arrays of the networks in HUSH_DATA: calibration samples, images, labels, float outputs; and scores of results.

usage: network_arrays.py prepare NETWORK DATA FOLDER     writes calibration samples, images, labels, float outputs
       network_arrays.py float MODEL INPUTS OUTPUTS      what ONNX Runtime gives
       network_arrays.py first INPUTS COUNT OUTPUTS      the first so many
       network_arrays.py score FOLDER                    one JSON line about simulated.npy and encrypted.npy
       network_arrays.py compare FLOAT ENCRYPTED         one JSON line

Needs NumPy and ONNX Runtime.
"""
import json
import math
import sys
from pathlib import Path

import numpy
import onnxruntime

CALIBRATION = 512
# Images that are simulated, encrypted for accuracy, encrypted for time, encrypted in one batch.
IMAGES, SOME, FEW, MANY = 500, 50, 5, 4096
# Mean and deviation of the training images of CIFAR-10, by channel.
CIFAR_MEAN, CIFAR_DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def arrays(network, data):
    """Calibration samples, images and labels, images as [count, channels, height, width]."""

    def grey(pixels):
        return (pixels.astype("float32") / 255)[:, None]

    if network.startswith("heman"):
        file = numpy.load(data / "heman_mnist32.npz")
        return file["cal"][:, 0], file["x"][:, 0], file["y"]
    if network.startswith("cifar10"):
        file = numpy.load(data / "cifar10_test_500.npz")
        pixels = file["x"].transpose(0, 3, 1, 2).astype("float32") / 255
        mean, deviation = (numpy.array(of, "float32")[:, None, None] for of in (CIFAR_MEAN, CIFAR_DEVIATION))
        pixels = (pixels - mean) / deviation
        return pixels[:64], pixels, file["y"]
    train, test = numpy.load(data / "mnist_train.npz"), numpy.load(data / "mnist_test.npz")
    return grey(train["x"][:CALIBRATION]), grey(test["x"][:MANY]), test["y"][:MANY]


def float_outputs(model, inputs):
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    # One at a time, since a model may have a fixed batch of one.
    return numpy.concatenate([session.run(None, {name: inputs[i:i + 1]})[0] for i in range(len(inputs))])


def prepare(network, data, folder):
    calibration, images, labels = arrays(network, data)
    numpy.save(folder / "calibration.npy", numpy.ascontiguousarray(calibration, dtype="float32"))
    images = numpy.ascontiguousarray(images, dtype="float32")
    numpy.save(folder / "many.npy", images)
    numpy.save(folder / "images.npy", images[:IMAGES])
    numpy.save(folder / "some.npy", images[:SOME])
    numpy.save(folder / "few.npy", images[:FEW])
    numpy.save(folder / "labels.npy", labels)
    numpy.save(folder / "float.npy", float_outputs(data / f"{network}.onnx", images))



def flat(path):
    array = numpy.load(path)
    return array.reshape(len(array), -1).astype("float64")


def accuracy(outputs, labels):
    return float((outputs.argmax(1) == labels[:len(outputs)]).mean())


def agreement(left, right):
    """Of two lists of outputs: how many arg max are equal, and differences."""
    count = min(len(left), len(right))
    left, right = left[:count], right[:count]
    difference = numpy.abs(left - right)
    mean = float(difference.mean())
    return {
        "images": count, "same_class": int((left.argmax(1) == right.argmax(1)).sum()),
        "largest_error": float(difference.max()), "mean_error": mean, "largest_output": float(numpy.abs(left).max()),
        "precision_bits": -math.log2(mean) if mean > 0 else None,
    }


def score(folder):
    labels, reference = numpy.load(folder / "labels.npy"), flat(folder / "float.npy")
    result = {"images": IMAGES, "float_accuracy": accuracy(reference[:IMAGES], labels)}
    found = {name: flat(path) for name in ("simulated", "encrypted", "many_encrypted")
             if (path := folder / f"{name}.npy").exists()}
    for name, outputs in found.items():
        result[name] = {"accuracy": accuracy(outputs, labels), **agreement(reference, outputs),
                        "float_accuracy": accuracy(reference[:len(outputs)], labels)}
    if "simulated" in found and "encrypted" in found:
        result["both"] = agreement(found["simulated"], found["encrypted"])
    return result


def main(command=None, *arguments):
    paths = [Path(argument) for argument in arguments]
    if command == "prepare" and len(arguments) == 3:
        prepare(arguments[0], paths[1], paths[2])
    elif command == "float" and len(arguments) == 3:
        numpy.save(paths[2], float_outputs(paths[0], numpy.load(paths[1])))
    elif command == "first" and len(arguments) == 3:
        numpy.save(paths[2], numpy.load(paths[0])[:int(arguments[1])])
    elif command == "score" and len(arguments) == 1:
        print(json.dumps(score(paths[0])))
    elif command == "compare" and len(arguments) == 2:
        print(json.dumps(agreement(flat(paths[0]), flat(paths[1]))))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
