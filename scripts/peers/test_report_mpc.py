"""Tests of the report about multi-party computation on invented results."""
import unittest

import report
import report_mpc


def result(seconds, size, rounds=None):
    found = {"seconds": [seconds * 2, seconds], "bytes": size, "largest_error": 1e-4}
    return dict(found, rounds=rounds) if rounds else found


def results():
    return {
        "date": "2026-01-02", "passes": 7, "skipped": {"spu, lr": "died"},
        "machine": {"processor": "Test Processor", "instruction_sets": [], "system": "Linux", "rustc": "rustc 1"},
        "frameworks": {"hushml": {"relu1m": result(0.1, 120e6, 10), "relu1m33": result(0.05, 87e6, 9)},
                       "spu": {"relu1m": result(2.0, 181e6)}, "crypten": {"mlp1": result(0.05, 2e6)}},
        "wide": [dict(result(0.55, 38e3, 26), work="mlp1")],
        "aggregation": {"client_seconds": 0.02, "server_seconds": 0.13, "upload_megabytes": 4.003},
    }


class PartiesTest(unittest.TestCase):
    def test_every_table_is_there(self):
        text = report_mpc.report(results())
        self.assertIn("| 2²⁰ ReLUs, all 64 bits | 100.0 | 120.0 | 10 | 1.0e-04 | 2,000 | 181.0 | 20.0× | – | – | – |", text)
        self.assertIn("| 2²⁰ ReLUs, values of 33 bits | 50.0 | 87.0 | 9 | 1.0e-04 | 2,000 | 181.0 | 40.0× | – | – | – |", text)
        self.assertIn("| MLP 784-128-128-10, one sample | 0.550 | 26 | 0.52 | 1.06 |", text)
        self.assertIn("| upload of a client, MB | 4.00 |", text)
        self.assertIn("- spu, lr: died", text)

    def test_parts_stay_apart(self):
        text = "# Benchmarks\nfirst\n" + report.NETWORKS + "n\n" + report.SERVING + "s\n" + report_mpc.report(results())
        found = report.parts(text)
        self.assertEqual(found[report.SERVING], report.SERVING + "s\n")
        self.assertEqual(found[report.PARTIES], report_mpc.report(results()))


if __name__ == "__main__":
    unittest.main()
