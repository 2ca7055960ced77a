"""Ciphertexts of our command line, and whether an answer decrypts to what it should."""

import subprocess

import numpy as np


def ciphertexts(folder):
    return np.array([(folder / "x.ct").read_bytes()], dtype=np.object_)


def right(hush, folder, name, answer):
    (folder / name).write_bytes(answer)
    decrypted = folder / f"{name}.csv"
    command = [hush, "decrypt", folder / "cancer.client", "--key", folder / "keys/secret.key"]
    subprocess.run([*command, "--input", folder / name, "-o", decrypted], check=True, capture_output=True)
    found, expected = (
        np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2) for path in (decrypted, folder / "y.csv")
    )
    assert found.shape == expected.shape and np.abs(found - expected).max() < 1e-3
