"""Drives the hush command line and measures each step: what it says, seconds, peak memory."""
import json
import os
import subprocess
import threading
import time

from measure import Skip, pinned


# Seconds that one command may take.
LIMIT = float(os.environ.get("PEERS_LIMIT", 3600))


class Step:
    """What one command said, its wall-clock seconds and its peak resident memory."""

    def __init__(self, said, seconds, peak_bytes):
        self.said = said
        self.seconds = seconds
        self.peak_bytes = peak_bytes


def step(binary, *arguments, threads=1, allow_failure=False):
    """`hush ARGUMENTS` with so many threads on as many cores.

    A failure raises Skip with the message, or is returned with its JSON if allowed.
    """
    command = pinned("0" if threads == 1 else f"0-{threads - 1}")
    command += [str(part) for part in (binary, *arguments, "--json", "--threads", threads)]
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    output = process.stdout.read()
    # The usage of this one child; that of a finished child alone would be the largest of all children so far.
    _, status, usage = os.wait4(process.pid, 0)
    limit.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    seconds = time.perf_counter() - start
    try:
        said = json.loads(output)
    except json.JSONDecodeError:
        why = f"exit code {process.returncode}" if process.returncode >= 0 else f"stopped after {seconds:.0f} s"
        said = {"error": {"causes": [why]}}
    if process.returncode != 0 and not allow_failure:
        raise Skip("; ".join(said.get("error", {}).get("causes", [])) or f"exit code {process.returncode}")
    return Step(said, seconds, usage.ru_maxrss * 1024)


class Network:
    """One compiled network in a folder, with its keys."""

    def __init__(self, binary, model, calibration, folder, options=()):
        self.binary, self.folder = binary, folder
        self.name = folder / "network"
        # Compiling and making keys happen once: all cores may help.
        threads = os.cpu_count() or 1
        self.compile = step(binary, "compile", model, "--calibration", calibration, "-o", self.name, *options,
                            threads=threads)
        self.keygen = step(binary, "keygen", f"{self.name}.client", "-o", folder / "keys", "--force", threads=threads)

    @property
    def report(self):
        return self.compile.said["report"]

    @property
    def evaluation_key_bytes(self):
        return (self.folder / "keys" / "evaluation.key").stat().st_size

    def encrypt(self, inputs, ciphertexts, threads=1):
        return step(self.binary, "encrypt", f"{self.name}.client", "--key", self.folder / "keys" / "secret.key",
                    "--input", inputs, "-o", ciphertexts, threads=threads)

    def run(self, ciphertexts, outputs, threads=1):
        return step(self.binary, "run", f"{self.name}.model", "--evaluation-key",
                    self.folder / "keys" / "evaluation.key", "--input", ciphertexts, "-o", outputs, threads=threads)

    def decrypt(self, outputs, arrays, threads=1):
        return step(self.binary, "decrypt", f"{self.name}.client", "--key", self.folder / "keys" / "secret.key",
                    "--input", outputs, "-o", arrays, threads=threads)

    def simulate(self, inputs, arrays):
        return step(self.binary, "simulate", f"{self.name}.model", "--input", inputs, "-o", arrays,
                    threads=os.cpu_count() or 1)
