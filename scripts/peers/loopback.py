"""Bytes that the loopback interface has carried, and what peers print."""
import json
import time
from pathlib import Path


def carried():
    """Bytes since the machine started; zero where the system does not count."""
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:")), 0)


def timed(run, barrier, repetitions):
    """Seconds and bytes of each of several runs among all parties; other traffic on loopback counts too."""
    seconds, sizes = [], []
    for _ in range(repetitions):
        barrier()
        before, start = carried(), time.perf_counter()
        run()
        barrier()
        seconds.append(time.perf_counter() - start)
        time.sleep(0.05)
        sizes.append(carried() - before)
    return seconds, sizes


def report(work, seconds, sizes, largest_error):
    print(json.dumps({"work": work, "seconds": seconds, "bytes": min(sizes), "largest_error": largest_error}), flush=True)
