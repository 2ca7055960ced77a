//! What a compiled model's report says, in the few figures that people compare versions by.

use std::collections::BTreeMap;

use serde_json::Value;

/// The tags of a logged model and of its versions; `hushml.mlflow.log_model` writes the same. `None` if the report is not one
/// of ours.
pub(super) fn facts(report: &Value, program_id: &str) -> Option<BTreeMap<String, String>> {
    let number = |name: &str| report[name].as_f64();
    let count = |name: &str| report[name].as_u64();
    let bytes = |what: &str| {
        Some(count(&format!("{what}_ciphertexts"))? * count(&format!("{what}_ciphertext_bytes"))?)
    };
    let bits = |name: &str| {
        let bits = report[name].as_array()?.iter();
        let bits = bits.map(|bits| Some(format!("{:.0}", bits.as_f64()?)));
        Some(bits.collect::<Option<Vec<_>>>()?.join("+"))
    };
    let log_degree = count("log_degree")?;
    let rows = count("calibration_rows")?;
    let changes = count("approximation_changes")?;
    let agreement = if rows == 0 {
        1.0
    } else {
        1.0 - changes as f64 / rows as f64
    };
    let tags = [
        ("program_id", program_id.to_owned()),
        (
            "parameters",
            format!(
                "N=2^{log_degree} Q={} P={}",
                bits("chain_bits")?,
                bits("special_bits")?
            ),
        ),
        ("packing", report["packing"].as_str()?.to_owned()),
        ("security_bits", count("security_bits")?.to_string()),
        (
            "ring_degree",
            1_u64
                .checked_shl(u32::try_from(log_degree).ok()?)?
                .to_string(),
        ),
        ("log_q_p", format!("{:.1}", number("log_q_p")?)),
        ("levels", count("levels")?.to_string()),
        ("key_switches", count("key_switches")?.to_string()),
        ("keys", count("keys")?.to_string()),
        ("key_bytes", count("key_bytes")?.to_string()),
        ("input_bytes", bytes("input")?.to_string()),
        ("output_bytes", bytes("output")?.to_string()),
        (
            "predicted_error",
            format!("{:.2e}", number("predicted_error")?),
        ),
        (
            "predicted_milliseconds",
            format!("{:.3}", number("sample_milliseconds")?),
        ),
        ("agreement", format!("{agreement:.4}")),
        ("calibration_rows", rows.to_string()),
    ];
    Some(
        tags.into_iter()
            .map(|(name, value)| (format!("hush.{name}"), value))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_report_in_a_few_figures() {
        let report = json!({
            "packing": "latency", "log_degree": 12, "chain_bits": [23.21, 22.83], "special_bits": [26.81],
            "log_q_p": 72.855, "security_bits": 192, "levels": 1, "key_switches": 3, "keys": 3, "key_bytes": 128128,
            "input_ciphertexts": 4, "input_ciphertext_bytes": 24096, "output_ciphertexts": 1,
            "output_ciphertext_bytes": 24576, "predicted_error": 0.0569049, "sample_milliseconds": 0.16613376,
            "calibration_rows": 569, "approximation_changes": 1,
        });
        let tags = facts(&report, "ab").unwrap();
        let lines: Vec<_> = tags
            .iter()
            .map(|(key, value)| format!("{key} {value}"))
            .collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        hush.agreement 0.9982
        hush.calibration_rows 569
        hush.input_bytes 96384
        hush.key_bytes 128128
        hush.key_switches 3
        hush.keys 3
        hush.levels 1
        hush.log_q_p 72.9
        hush.output_bytes 24576
        hush.packing latency
        hush.parameters N=2^12 Q=23+23 P=27
        hush.predicted_error 5.69e-2
        hush.predicted_milliseconds 0.166
        hush.program_id ab
        hush.ring_degree 4096
        hush.security_bits 192
        ");
        assert_eq!(facts(&Value::Null, "ab"), None);
    }
}
