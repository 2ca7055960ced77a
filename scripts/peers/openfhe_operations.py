"""Times CKKS operations of OpenFHE.

usage: openfhe_operations.py LOG_DEGREE LEVELS DIGITS REPETITIONS

First prime of 58 bits, scale 2^40, hybrid key switching with DIGITS digits, rescaling by hand. One JSON line an
operation. OMP_NUM_THREADS is the number of threads.
"""
import importlib.metadata
import math
import os
import sys

import openfhe

from timing import median_ms, print_result, test_values

VERSION = importlib.metadata.version("openfhe")


def context(log_degree, levels, digits):
    parameters = openfhe.CCParamsCKKSRNS()
    parameters.SetRingDim(1 << log_degree)
    parameters.SetBatchSize(1 << (log_degree - 1))
    parameters.SetMultiplicativeDepth(levels)
    parameters.SetScalingModSize(40)
    parameters.SetFirstModSize(58)
    parameters.SetNumLargeDigits(digits)
    parameters.SetScalingTechnique(openfhe.ScalingTechnique.FIXEDMANUAL)
    parameters.SetKeySwitchTechnique(openfhe.KeySwitchTechnique.HYBRID)
    # The shapes are fixed above; OpenFHE would otherwise choose a larger ring for some.
    parameters.SetSecurityLevel(openfhe.SecurityLevel.HEStd_NotSet)
    made = openfhe.GenCryptoContext(parameters)
    features = openfhe.PKESchemeFeature
    for feature in (features.PKE, features.KEYSWITCH, features.LEVELEDSHE, features.ADVANCEDSHE):
        made.Enable(feature)
    return made


def main(log_degree, levels, digits, repetitions):
    slots = 1 << (log_degree - 1)
    made = context(log_degree, levels, digits)
    keys = made.KeyGen()
    made.EvalMultKeyGen(keys.secretKey)
    made.EvalRotateKeyGen(keys.secretKey, list(range(1, 9)))
    a, b = test_values(slots, 7919), test_values(slots, 104729)

    def report(operation, run, times=repetitions, **more):
        print_result(
            library=f"OpenFHE {VERSION}", operation=operation, log_degree=log_degree, limbs=levels + 1,
            digits=digits, threads=int(os.environ.get("OMP_NUM_THREADS", "1")),
            median_ms=median_ms(run, times), **more)

    report("encode", lambda: made.MakeCKKSPackedPlaintext(a))
    plain_a, plain_b = made.MakeCKKSPackedPlaintext(a), made.MakeCKKSPackedPlaintext(b)
    report("encrypt_public", lambda: made.Encrypt(keys.publicKey, plain_a))
    x, y = made.Encrypt(keys.publicKey, plain_a), made.Encrypt(keys.publicKey, plain_b)
    report("add", lambda: made.EvalAdd(x, y))
    report("multiply_plain", lambda: made.EvalMult(x, plain_b))
    report("multiply_relinearize", lambda: made.EvalMult(x, y))
    product = made.EvalMult(x, y)
    report("rescale", lambda: made.Rescale(product))
    rescaled = made.Rescale(product)
    decrypted = made.Decrypt(rescaled, keys.secretKey)
    decrypted.SetLength(slots)
    error = max(abs(out - u * v) for out, u, v in zip(decrypted.GetRealPackedValue(), a, b))
    report("multiply_relinearize_rescale", lambda: made.Rescale(made.EvalMult(x, y)),
           max_error_log2=math.log2(error))
    report("rotate", lambda: made.EvalRotate(x, 1))

    def hoisted():
        digits_of_x = made.EvalFastRotationPrecompute(x)
        for steps in range(1, 9):
            made.EvalFastRotation(x, steps, 4 * slots, digits_of_x)

    report("rotate_8_hoisted", hoisted, max(3, repetitions // 3))
    report("decrypt_decode", lambda: made.Decrypt(rescaled, keys.secretKey), max(3, repetitions // 3))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:5]))
