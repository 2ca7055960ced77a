"""Times CKKS operations of Microsoft SEAL as TenSEAL ships it.

usage: tenseal_operations.py LOG_DEGREE LEVELS REPETITIONS

The chain is [58, 40 x LEVELS] bits with one special prime of 60, the scale 2^40. One JSON line an operation.
"""
import math
import sys

import tenseal
import tenseal.sealapi as seal

from timing import median_ms, print_result, test_values


def context(degree, bits):
    """A context at 128 bits by SEAL's table; its table ends at 2^15, above it nothing is checked."""
    parameters = seal.EncryptionParameters(seal.SCHEME_TYPE.CKKS)
    parameters.set_poly_modulus_degree(degree)
    parameters.set_coeff_modulus(seal.CoeffModulus.Create(degree, bits))
    made = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.TC128)
    if not made.parameters_set():
        made = seal.SEALContext(parameters, True, seal.SEC_LEVEL_TYPE.NONE)
    return made


def main(log_degree, levels, repetitions):
    degree = 1 << log_degree
    bits = [58] + [40] * levels + [60]
    made = context(degree, bits)
    generator = seal.KeyGenerator(made)
    secret, public = generator.secret_key(), seal.PublicKey()
    relinearization, rotations = seal.RelinKeys(), seal.GaloisKeys()
    generator.create_public_key(public)
    generator.create_relin_keys(relinearization)
    generator.create_galois_keys([3], rotations)
    encryptor = seal.Encryptor(made, public, secret)
    decryptor = seal.Decryptor(made, secret)
    evaluator, encoder = seal.Evaluator(made), seal.CKKSEncoder(made)

    scale = 2.0**40
    a, b = test_values(degree // 2, 7919), test_values(degree // 2, 104729)
    plain_a, plain_b, plain_out = seal.Plaintext(), seal.Plaintext(), seal.Plaintext()
    x, y, product, result = (seal.Ciphertext() for _ in range(4))

    def report(operation, run, **more):
        print_result(
            library=f"TenSEAL {tenseal.__version__}", operation=operation, log_degree=log_degree,
            limbs=levels + 1, special=1, log_q_p=sum(bits), threads=1,
            median_ms=median_ms(run, repetitions), **more)

    def relinearized():
        evaluator.multiply(x, y, product)
        evaluator.relinearize_inplace(product, relinearization)

    def rescaled():
        relinearized()
        evaluator.rescale_to_next_inplace(product)

    report("encode", lambda: encoder.encode(a, scale, plain_a))
    encoder.encode(b, scale, plain_b)
    report("encrypt_public", lambda: encryptor.encrypt(plain_a, x))
    report("encrypt_secret", lambda: encryptor.encrypt_symmetric(plain_a, x))
    encryptor.encrypt(plain_a, x)
    encryptor.encrypt(plain_b, y)
    report("add", lambda: evaluator.add(x, y, result))
    report("multiply_plain", lambda: evaluator.multiply_plain(x, plain_b, product))
    report("rescale", lambda: evaluator.rescale_to_next(product, result))
    report("multiply_relinearize", relinearized)
    report("rotate", lambda: evaluator.rotate_vector(x, 1, rotations, result))
    rescaled()
    decryptor.decrypt(product, plain_out)
    error = max(abs(out - u * v) for out, u, v in zip(encoder.decode_double(plain_out), a, b))
    report("multiply_relinearize_rescale", rescaled, max_error_log2=math.log2(error))
    report("decrypt", lambda: decryptor.decrypt(product, plain_out))
    report("decode", lambda: encoder.decode_double(plain_out))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
