"""Computing on secret shares: three servers calculate on numbers that none of them sees.

**Development**, all three servers as threads of this process::

    from hushml import mpc
    with mpc.local() as parties:
        a = parties.secret([1.0, 2.0], owner="server0")
        b = parties.secret([3.0, 4.0], owner="server1")
        (a * b).reveal_to("server2")

This process then holds all shares and all inputs: it protects nothing, and is meant for writing and testing programs.
Each server still has a thread, shares and masks of its own, and sends what it would send between machines, so rounds
and bytes are the real ones.

**Real parties** are processes of ``hush party``, which prove who they are over TLS, agree on the program by its hash,
and follow each a policy of its own::

    with mpc.connect("parties.toml", name="analyst") as parties:
        a = parties.private("salaries", (100,), owner="hospital_a")
        b = parties.secret([3.0] * 100)
        mean = (a * b).mean().reveal_to("analyst")
    mean.value

What is calculated is written down, and run as one session at the end of the block. :func:`predict` with
``parties="parties.toml"`` asks them to run an ONNX model; this process sees its own input and what is revealed to it.

:class:`Sequential` trains networks on shares of data from several owners, in the way of Keras.
"""

from ._connect import ConnectedParties, Report, connect
from ._decorators import private_input, private_output
from ._layers import AveragePooling2D, BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D, ReLU, Sigmoid
from ._model import SGD, Adam, History, Sequential
from ._parties import LocalParties, Parties, Revealed, local
from ._predict import Prediction, predict
from ._tensor import (
    SecretTensor,
    average_pool,
    clip,
    concatenate,
    conv2d,
    elu,
    erf,
    exp,
    gelu,
    leaky_relu,
    log,
    log_softmax,
    max_pool,
    maximum,
    minimum,
    polynomial,
    relu,
    rsqrt,
    shuffle,
    sigmoid,
    silu,
    softmax,
    softplus,
    sqrt,
    tanh,
    where,
)

__all__ = [
    "SGD",
    "Adam",
    "AveragePooling2D",
    "BatchNormalization",
    "ConnectedParties",
    "Conv2D",
    "Dense",
    "Flatten",
    "History",
    "LocalParties",
    "MaxPooling2D",
    "Parties",
    "Prediction",
    "ReLU",
    "Report",
    "Revealed",
    "SecretTensor",
    "Sequential",
    "Sigmoid",
    "average_pool",
    "clip",
    "concatenate",
    "connect",
    "conv2d",
    "elu",
    "erf",
    "exp",
    "gelu",
    "leaky_relu",
    "local",
    "log",
    "log_softmax",
    "max_pool",
    "maximum",
    "minimum",
    "polynomial",
    "predict",
    "private_input",
    "private_output",
    "relu",
    "rsqrt",
    "shuffle",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "sqrt",
    "tanh",
    "where",
]
