"""Tests of the report about tracking on invented results."""
import unittest

import report_tracking


def server(speed):
    written = {"per_second": 100.0 * speed, "p50_ms": 5 / speed, "p99_ms": 20 / speed}
    return {
        **{f"{name} {clients}": written for name in ("log_batch", "log_metric") for clients in (1, 8)},
        "search": {"page_ms": 40 / speed, "filtered_ms": 80 / speed, "all_s": 4 / speed},
        "files": {"upload_mb_s": 200 * speed, "download_mb_s": 200 * speed, "growth_mb": 5},
        "start_s": 4 / speed, "rest_mb": 400 / speed, "usual_start_s": 4, "usual_rest_mb": 400,
    }


class TrackingTest(unittest.TestCase):
    def test_every_row_has_its_ratio(self):
        text = report_tracking.report({"cores": 2, "load": [0.5], "ours": server(10), "mlflow": server(1)})
        self.assertIn("| 100 metrics in one request, one client, requests/s | 1,000 | 100 | 10.0× |", text)
        self.assertIn("| p99, ms | 2.0 | 20.0 | 1/10 |", text)
        self.assertIn("| all 10,000 runs in pages of 1,000, s | 0.40 | 4.00 | 1/10 |", text)
        self.assertIn("| start until ready, ms | 400 | 4,000 | 1/10 |", text)
        self.assertNotIn("busy", text)

    def test_without_the_peer(self):
        text = report_tracking.report({"cores": 2, "load": [20], "ours": server(10)})
        self.assertIn("| upload of 500 MB, MB/s | 2,000 | – | – |", text)
        self.assertIn("load 20", text)


if __name__ == "__main__":
    unittest.main()
