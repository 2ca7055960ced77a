"""Tests of the benchmark report on invented results."""
import json
import tempfile
import unittest
from pathlib import Path
from pathlib import Path

import report

FIXTURE = Path(__file__).resolve().parent / "testdata" / "results.json"


class ReportTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.results = json.loads(FIXTURE.read_text())

    def test_operations_are_medians_over_rounds_with_ratios(self):
        text = report.report(self.results)
        self.assertIn("| rotate (one key switch) | 3.00 | 21.00 | 18.00 | 7.00× | 6.00× |", text)
        self.assertIn("Limbs: HushML 8+2; TenSEAL 9+1; OpenFHE 9, 3 digits.", text)

    def test_double_hoisting_stands_beside_hoisted_rotations(self):
        text = report.report(self.results)
        self.assertIn("| 8 rotations × plaintexts, summed | 8.00 | – | 80.00 | – | 10.0× |", text)

    def test_two_shapes_of_one_degree_stand_apart_beside_the_same_peers(self):
        rows = [dict(row, set="14-8+3", special=3, median_ms=4.2) for row in self.results["operations"]
                if row["library"] == "HushML" and row["operation"] == "rotate" and row["threads"] == 1]
        self.results["operations"] += rows
        text = report.report(self.results)
        self.assertIn("### N = 2^14, 8+2 limbs", text)
        self.assertIn("### N = 2^14, 8+3 limbs", text)
        self.assertIn("| rotate (one key switch) | 3.00 | 21.00 | 18.00 | 7.00× | 6.00× |", text)
        self.assertIn("| rotate (one key switch) | 4.20 | 21.00 | 18.00 | 5.00× | 4.29× |", text)

    def test_threads_instruction_sets_and_precision(self):
        text = report.report(self.results)
        self.assertIn("| 2^14 | 8+2 | rotate (one key switch) | 3.00 | 1.60 | 1.88× |", text)
        self.assertIn("| 2^14 | 0.100 | 0.040 | 0.020 | 2.50× | 5.00× |", text)
        self.assertIn("| 2^14 | 8+2 | 2^-26.5 | 2^-25.0 | – |", text)

    def test_model_rows(self):
        text = report.report(self.results)
        self.assertIn("| one sample, ms | 10.00 | 1000 | 100× |", text)
        self.assertIn("| throughput, samples/s | 40,000 | 1.00 | 40,000× |", text)
        self.assertIn("| evaluation keys | 4.00 MB | 244.00 MB | 61.0× |", text)
        self.assertIn("batch packing with 4,000 samples a group", text)

    def test_quality_is_the_worst_of_all_rounds(self):
        self.results["hush_demo"][1]["models"][0]["latency"].update(same_predictions=113, accuracy=0.9386)
        text = report.report(self.results)
        self.assertIn("|  | `breast_cancer_mlp` | `breast_cancer_mlp` |", text)
        self.assertIn("| packing | latency | batch |", text)
        self.assertIn("| same class as float | 113 of 114 | 114 of 114 |", text)
        self.assertIn("| accuracy, encrypted | 0.9386 | 0.9474 |", text)
        self.assertIn("| largest error of an output | 3.0e-05 | 1.0e-05 |", text)
        self.assertIn("| evaluation keys | 4.00 MB | 4.00 MB |", text)

    def test_machine_and_what_was_left_out(self):
        text = report.report(self.results)
        self.assertIn("Measured on 2026-01-02: Test Processor (family 1 model 2); 2 cores; 24 GiB;", text)
        self.assertIn("- OpenFHE on Mars: no air", text)

    def test_without_peers_there_are_no_ratios_and_no_crash(self):
        self.results["operations"] = [row for row in self.results["operations"] if row["library"] == "HushML"]
        self.results["tenseal_model"] = []
        text = report.report(self.results)
        self.assertIn("| rotate (one key switch) | 3.00 | – | – | – | – |", text)
        self.assertIn("Peers: none.", text)

    def test_without_anything_there_is_a_head(self):
        self.results.update(operations=[], tenseal_model=[], hush_demo=[], skipped={})
        text = report.report(self.results)
        self.assertTrue(text.startswith("# Benchmarks\n"))
        self.assertNotIn("##", text)


    def test_parts_of_other_scripts_are_kept(self):
        text = "# Benchmarks\n\nold\n\n## Networks\n\nkept\n\n## Serving\n\nkept as well\n"
        self.assertEqual(list(report.parts(text).values()),
                         ["# Benchmarks\n\nold\n", "\n## Networks\n\nkept\n", "\n## Serving\n\nkept as well\n", "", ""])
        self.assertEqual(list(report.parts("# Benchmarks\n").values()), ["# Benchmarks\n", "", "", "", ""])
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "benchmarks.md"
            target.write_text(text)
            report.write_part(target, report.NETWORKS, "\n## Networks\n\nnew\n")
            self.assertEqual(target.read_text(), text.replace("kept\n\n", "new\n\n", 1))


class NumberTest(unittest.TestCase):
    def test_milliseconds(self):
        self.assertEqual([report.milliseconds(x) for x in (None, 0.0254, 3.14159, 726.4)], ["–", "0.025", "3.14", "726"])

    def test_ratio(self):
        self.assertEqual([report.ratio(*x) for x in ((None, 1), (7, 2), (70, 2), (24690, 2))],
                         ["–", "3.50×", "35.0×", "12,345×"])

    def test_size(self):
        self.assertEqual([report.size(x) for x in (None, 98_304, 244_691_044)], ["–", "98.3 KB", "244.69 MB"])


if __name__ == "__main__":
    unittest.main()
