"""Times operations and prints them as JSON lines."""
import json
import statistics
import time


def median_ms(operation, repetitions):
    """Median wall-clock milliseconds of `operation`, after one run that is not counted."""
    operation()
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        operation()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def test_values(count, factor):
    """Fixed values in [-0.5, 0.5)."""
    return [((i * factor) % 1000) / 1000 - 0.5 for i in range(count)]


def print_result(**fields):
    print(json.dumps(fields), flush=True)
