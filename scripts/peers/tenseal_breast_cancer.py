"""The breast-cancer network under encryption with TenSEAL, one row a ciphertext.

usage: tenseal_breast_cancer.py EXAMPLE_FOLDER ROWS

N = 2^14, primes of [40, 30 x 6, 40] bits, scale 2^30: the circuit of a service written by hand on TenSEAL.
One JSON line: key bytes, ciphertext bytes, median times, largest error, agreement with the float network.
"""
import statistics
import sys
import time
from pathlib import Path

import numpy
import onnx
import tenseal
from onnx import numpy_helper

from timing import print_result

sys.path.insert(0, sys.argv[1])
from standardise import standardised  # noqa: E402  (it lies beside the data)

# The activation that the network has written out: 0.5 + 0.197 x - 0.004 x^3.
ACTIVATION = [0.5, 0.197, 0, -0.004]


def weights(path):
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.load(path).graph.initializer}


def float_network(x, w1, b1, w2, b2):
    def activation(v):
        return sum(c * v**power for power, c in enumerate(ACTIVATION))

    return activation(activation(x @ w1 + b1) @ w2 + b2)


def main(folder, rows):
    network = weights(folder / "breast_cancer_mlp.onnx")
    w1, b1 = network["fc1.weight"].T.astype(float), network["fc1.bias"].astype(float)
    w2, b2 = network["fc2.weight"].T.astype(float), network["fc2.bias"].astype(float)
    inputs = standardised(folder)[2][:rows]

    start = time.perf_counter()
    context = tenseal.context(
        tenseal.SCHEME_TYPE.CKKS, 2**14, -1, coeff_mod_bit_sizes=[40] + [30] * 6 + [40], n_threads=1)
    context.global_scale = 2**30
    context.generate_galois_keys()
    keygen = time.perf_counter() - start

    encrypt, infer, decrypt, errors, agree = [], [], [], [], []
    for row in inputs:
        t0 = time.perf_counter()
        x = tenseal.ckks_vector(context, row)
        t1 = time.perf_counter()
        hidden = (x.matmul(w1.tolist()) + b1.tolist()).polyval(ACTIVATION)
        y = (hidden.matmul(w2.tolist()) + b2.tolist()).polyval(ACTIVATION)
        t2 = time.perf_counter()
        decrypted = numpy.array(y.decrypt())
        t3 = time.perf_counter()
        encrypt.append(t1 - t0)
        infer.append(t2 - t1)
        decrypt.append(t3 - t2)
        expected = float_network(numpy.array(row), w1, b1, w2, b2)
        errors.append(float(numpy.abs(decrypted - expected).max()))
        agree.append(bool(decrypted.argmax() == expected.argmax()))
    print_result(
        library=f"TenSEAL {tenseal.__version__}", rows=len(inputs), keygen_ms=keygen * 1e3,
        evaluation_key_bytes=len(context.serialize(save_secret_key=False)),
        input_ciphertext_bytes=len(x.serialize()), output_ciphertext_bytes=len(y.serialize()),
        encrypt_ms=statistics.median(encrypt) * 1e3, infer_ms=statistics.median(infer) * 1e3,
        decrypt_ms=statistics.median(decrypt) * 1e3, largest_error=max(errors),
        argmax_agreement=sum(agree) / len(agree))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
