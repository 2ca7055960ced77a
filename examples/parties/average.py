"""The average of five people's numbers, which nobody else sees.

Five inputters share their numbers among three servers; the servers add up shares, and only the average is opened.
Run it with: python examples/parties/average.py
All servers are threads of this process here, which protects nothing; between machines they are processes of `hush
party`.
"""

import secrets
import time

import numpy as np
from hushml import mpc
from table import amount, show

PEOPLE = ("Ada", "Ben", "Cleo", "Dan", "Eve")

numbers = np.array([secrets.randbelow(9000) / 10 for _ in PEOPLE])


@mpc.private_output("server0")
def average(tensors: list[mpc.SecretTensor]) -> mpc.SecretTensor:
    return mpc.concatenate([tensor.reshape(1) for tensor in tensors]).mean()


with mpc.local() as parties:
    before, began = parties.spent, time.perf_counter()
    # Each inputter is beside one of the servers.
    secret = [parties.secret(number, owner=f"server{place % 3}") for place, number in enumerate(numbers)]
    result = float(average(secret))
    seconds = time.perf_counter() - began
    rounds, sent = (after - start for after, start in zip(parties.spent, before, strict=True))

show(
    "Average of five inputters, three servers (ABY3, development: all in one process)",
    ["", "on shares", "float", "difference", "seconds", "rounds", "bytes"],
    [["average", result, float(numbers.mean()), abs(result - numbers.mean()), seconds, rounds, amount(sent)]],
)
