"""Tests of the benchmark report about networks on invented results."""
import json
import tempfile
import unittest
from pathlib import Path

import report_networks


def agreement(images, same_class=None):
    return {"images": images, "same_class": images if same_class is None else same_class, "largest_error": 0.25,
            "mean_error": 0.125, "largest_output": 16.0, "accuracy": 0.98, "float_accuracy": 0.99, "precision_bits": 3.0}


def results():
    network = {
        "network": "digits", "options": [], "report": {"log_degree": 14, "levels": 6, "log_q_p": 350.4, "rotations": 40},
        "compile_seconds": 12.3, "compile_peak_bytes": 5e8, "keygen_seconds": 1.0, "evaluation_key_bytes": 60_000_000,
        "input_bytes": 200_000, "output_bytes": 50_000, "seconds": 0.0512, "seconds_two_threads": 0.03,
        "load_seconds": 0.4, "peak_bytes": 7e8, "peak_bytes_two_threads": 8e8, "headroom_bits": 2.0,
        "simulation_seconds": 3.0,
        "score": {"images": 500, "float_accuracy": 0.986, "simulated": agreement(500, 499),
                  "encrypted": agreement(50), "both": agreement(50)},
    }
    throughput = {
        "network": "digits", "threads": 2, "report": {"log_degree": 15}, "images": 4096, "seconds": 16.0,
        "load_seconds": 1.0, "encrypt_seconds": 3.0, "peak_bytes": 9e8, "evaluation_key_bytes": 1e6,
        "input_bytes": 1e8, "output_bytes": 1e7, "score": {"many_encrypted": agreement(4096)},
    }
    orion = {"library": "Orion 1.0.2", "images": 5, "seconds": 0.5, "compile_seconds": 10.0, "mean_error": 0.5,
             "largest_error": 1.0, "largest_output": 16.0, "same_class": 4, "levels": 5, "log_degree": 13, "log_q_p": 217,
             "peak_bytes": 2e9}
    ours = {"seconds": 0.05, "peak_bytes": 2e8, "compile_seconds": 5.0, "report": {"log_degree": 13}, **agreement(5)}
    return {
        "date": "2026-01-02", "rounds": 2, "networks": [network], "throughput": throughput, "skipped": {"moon": "no air"},
        "machine": {"processor": "Test Processor", "instruction_sets": [], "system": "Linux", "rustc": "rustc 1"},
        "too_deep": {"network": "deep", "seconds": 2.0,
                     "said": {"error": {"causes": ["it lacks 3 levels"], "hint": "train a shallower one"}}},
        "orion": [{"network": "mlp", "hush": ours, "orion": [orion, dict(orion, seconds=0.7, same_class=5)]}],
    }


class ReportNetworksTest(unittest.TestCase):
    def setUp(self):
        self.text = report_networks.report(results())

    def test_a_column_a_network(self):
        self.assertIn("|  | `digits` |", self.text)
        self.assertIn("| accuracy, float, 500 images | 98.6 % |", self.text)
        self.assertIn("| same class, simulated and float | 499 of 500 |", self.text)
        self.assertIn("| one image, one thread, s | 0.0512 |", self.text)
        self.assertIn("| memory, one thread | 700 MB |", self.text)
        self.assertIn("| evaluation keys | 60.00 MB |", self.text)

    def test_throughput_is_images_a_second(self):
        self.assertIn("| images a second | 256 |", self.text)

    def test_orion_is_the_median_of_its_rounds(self):
        self.assertIn("| one image, s | 0.0500 | 0.600 | 12.0× |", self.text)
        self.assertIn("| memory | 200 MB | 2,000 MB | 10.0× |", self.text)
        self.assertIn("| same class as float | 5 of 5 | 9 of 10 | – |", self.text)
        self.assertIn("| mean error below the largest output, bits | 7.0 | 5.0 | – |", self.text)

    def test_what_is_said_about_a_deep_network(self):
        self.assertIn("```\nit lacks 3 levels\ntrain a shallower one\n```", self.text)
        self.assertIn("- moon: no air", self.text)

    def test_without_anything_there_is_a_head(self):
        empty = dict(results(), networks=[], throughput=None, too_deep=None, orion=[], skipped={})
        self.assertNotIn("###", report_networks.report(empty))

    def test_the_first_part_is_kept(self):
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "networks.json", Path(folder) / "benchmarks.md"
            source.write_text(json.dumps(results()))
            target.write_text("# Benchmarks\n\nfirst\n")
            for _ in range(2):
                report_networks.main(source, target)
            self.assertTrue(target.read_text().startswith("# Benchmarks\n\nfirst\n\n## Networks\n"))
            self.assertEqual(target.read_text().count("## Networks\n"), 1)


if __name__ == "__main__":
    unittest.main()
