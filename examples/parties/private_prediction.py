"""Which digits are these? Three servers see neither the images nor the network's weights.

Run it with: python examples/parties/private_prediction.py [IMAGES] [--parties parties.toml]
Without a file of parties, three of them are started on this machine, over TLS, for development.
The networks are those of examples/mnist; the reference is onnxruntime where it is installed.
"""

import argparse
from pathlib import Path

import numpy as np
from hushml import mpc
from table import amount, show

MNIST = Path(__file__).resolve().parent.parent / "mnist"

arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
arguments.add_argument("images", nargs="?", type=int, default=16, help="how many images, up to 64")
arguments.add_argument("--parties", help="the file of parties that wait for sessions")
given = arguments.parse_args()

digits = np.load(MNIST / "digits.npz")
images = digits["test_images"][: given.images].reshape(-1, 1, 28, 28) / 255.0
calibration = digits["calibration_images"].reshape(-1, 1, 28, 28) / 255.0
labels = digits["test_labels"][: given.images]


def reference(path: Path) -> np.ndarray | None:
    try:
        import onnxruntime
    except ImportError:
        return None
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {session.get_inputs()[0].name: images.astype(np.float32)})[0]


rows = []
for name, title in (("mnist_cryptonets", "CryptoNets"), ("mnist_lenet5", "LeNet-5")):
    path = MNIST / f"{name}.onnx"
    prediction = mpc.predict(path, images, "aby3", parties=given.parties, calibration=calibration)
    scores, expected = prediction.output, reference(path)
    rows.append(
        [
            title,
            f"{(scores.argmax(1) == labels).sum()} of {len(labels)}",
            "-" if expected is None else f"{(expected.argmax(1) == labels).sum()} of {len(labels)}",
            "-" if expected is None else float(np.abs(scores - expected).max()),
            prediction.compute_seconds,
            prediction.set_up_seconds,
            prediction.rounds,
            amount(prediction.bytes),
        ]
    )

show(
    f"Private prediction of {len(labels)} images, three servers (ABY3, TLS)",
    ["network", "right", "right, float", "largest error", "seconds", "set-up", "rounds", "bytes"],
    rows,
)
