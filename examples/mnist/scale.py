#!/usr/bin/env python3
"""Writes the digits as the networks take them: float32 between 0 and 1, of shape [images, 1, 28, 28].

usage: scale.py FOLDER        writes FOLDER/calibration.npy, FOLDER/test.npy and FOLDER/labels.csv
"""
import ast
import struct
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PIXELS = 28 * 28


def arrays(path=HERE / "digits.npz"):
    """Shape and bytes of every array of an archive of unsigned bytes."""
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            end = 10 + struct.unpack("<H", data[8:10])[0]
            header = ast.literal_eval(data[10:end].decode())
            if header["descr"] != "|u1" or header["fortran_order"]:
                sys.exit(f"error: {name} does not hold unsigned bytes in C order")
            found[name.removesuffix(".npy")] = (header["shape"], data[end:])
    return found


def write_images(path, images):
    count = len(images) // PIXELS
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count}, 1, 28, 28), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"<{len(images)}f", *(pixel / 255 for pixel in images)))
    print(f"{path}: {count} images")


def main(target):
    target.mkdir(parents=True, exist_ok=True)
    digits = arrays()
    write_images(target / "calibration.npy", digits["calibration_images"][1])
    write_images(target / "test.npy", digits["test_images"][1])
    labels = digits["test_labels"][1]
    (target / "labels.csv").write_text("label\n" + "".join(f"{label}\n" for label in labels))
    print(f"{target / 'labels.csv'}: {len(labels)} labels")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
