"""What a compiled model's report says, in the few figures that people compare versions by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What the names of our tags begin with.
PREFIX = "hush."


def facts(report: Mapping[str, Any], program_id: str) -> dict[str, str]:
    """The tags of a logged model and of its versions; ``hush register`` writes the same.

    Args:
        report: ``Compiled.report_json``.
        program_id: ``ClientSpec.program_id``.
    """
    rows = report["calibration_rows"]
    tags = {
        "program_id": program_id,
        "parameters": parameters(report),
        "packing": report["packing"],
        "security_bits": str(report["security_bits"]),
        "ring_degree": str(1 << report["log_degree"]),
        "log_q_p": f"{report['log_q_p']:.1f}",
        "levels": str(report["levels"]),
        "key_switches": str(report["key_switches"]),
        "keys": str(report["keys"]),
        "key_bytes": str(report["key_bytes"]),
        "input_bytes": str(report["input_ciphertexts"] * report["input_ciphertext_bytes"]),
        "output_bytes": str(report["output_ciphertexts"] * report["output_ciphertext_bytes"]),
        "predicted_error": _short(report["predicted_error"]),
        "predicted_milliseconds": f"{report['sample_milliseconds']:.3f}",
        "agreement": f"{agreement(report):.4f}",
        "calibration_rows": str(rows),
    }
    return {PREFIX + name: value for name, value in tags.items()}


def figures(report: Mapping[str, Any]) -> dict[str, float]:
    """The same as numbers, for the metrics of a run."""
    return {
        "hush_predicted_error": float(report["predicted_error"]),
        "hush_simulated_error": float(report["simulated_error"]),
        "hush_predicted_milliseconds": float(report["sample_milliseconds"]),
        "hush_key_bytes": float(report["key_bytes"]),
        "hush_levels": float(report["levels"]),
        "hush_agreement": agreement(report),
    }


def parameters(report: Mapping[str, Any]) -> str:
    """The parameter set in a line."""
    chain = "+".join(f"{bits:.0f}" for bits in report["chain_bits"])
    special = "+".join(f"{bits:.0f}" for bits in report["special_bits"])
    return f"N=2^{report['log_degree']} Q={chain} P={special}"


def agreement(report: Mapping[str, Any]) -> float:
    """Share of calibration rows whose arg max the polynomials of the model do not change."""
    rows = report["calibration_rows"]
    return 1.0 - report["approximation_changes"] / rows if rows else 1.0


def _short(value: float) -> str:
    """Three digits, as Rust writes them."""
    mantissa, exponent = f"{value:.2e}".split("e")
    return f"{mantissa}e{int(exponent)}"
