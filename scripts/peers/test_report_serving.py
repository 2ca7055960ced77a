"""Tests of the report about serving on invented results."""
import unittest

import report_serving


def load(rate):
    return {"requests_per_second": rate, "p50_ms": 0.1, "p99_ms": 0.5, "largest_ms": 3.0, "requests": 100}


def results():
    names = [key for key, _ in report_serving.LOADS]
    users = {"1": dict(load(90.0), users=1, largest_error=1e-4), "16": dict(load(180.0), users=16, largest_error=2e-4)}
    return {
        "date": "2026-01-02", "skipped": {"moon": "no air"},
        "machine": {"processor": "Test Processor", "instruction_sets": [], "system": "Linux", "rustc": "rustc 1"},
        "plain": {"load": {name: load(6000.0) for name in names}},
        "mlserver": {"load": {name: load(500.0) for name in names}},
        "encrypted": {"users": users, "processes": [load(190.0), load(200.0)], "peak_bytes": 3e8, "models": 10, "start_seconds": 0.5, "in_process_ms": 8.0,
                      "in_process_per_second": 250.0, "evaluation_key_bytes": 1e7},
        "upload": {"bytes": 3e8, "seconds": 0.5, "memory_growth_bytes": 2e7},
    }


class ServingTest(unittest.TestCase):
    def test_every_table_is_there(self):
        text = report_serving.report(results())
        self.assertIn("| gRPC, one connection | 6,000 | 0.10 | 0.50 | 500 | 0.10 | 0.50 | 12.0× |", text)
        self.assertIn("| share of that | 90% |", text)
        self.assertIn("| upload over HTTP, checked and on the disk, MB/s | 600 |", text)
        self.assertIn("- moon: no air", text)

    def test_without_the_peer(self):
        without = results()
        del without["mlserver"], without["upload"]
        without["skipped"] = {}
        text = report_serving.report(without)
        self.assertIn("| REST, 16 connections | 6,000 | 0.10 | 0.50 | – | – | – | – |", text)
        self.assertNotIn("LeNet", text)
        self.assertNotIn("Left out", text)


if __name__ == "__main__":
    unittest.main()
