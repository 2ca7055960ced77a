//! What is known of an encrypted model: a few facts from its tags, and all of it from the compiler's report.

use std::collections::BTreeMap;

use hush_tracking::wire::Tag;
use maud::{Markup, html};
use serde_json::Value;

use super::picture;
use crate::document::fact;
use crate::format::{bytes, grouped, latency, number, shorten};

/// What tags about encryption begin with.
pub(super) const PREFIX: &str = "hush.";

/// The tags about encryption, by what follows the prefix.
pub(super) struct Facts<'a>(BTreeMap<&'a str, &'a str>);

/// The facts of an encrypted model; none for another.
pub(super) fn facts_of(tags: &[Tag]) -> Option<Facts<'_>> {
    let own = tags
        .iter()
        .filter_map(|tag| Some((tag.key.strip_prefix(PREFIX)?, tag.value.as_str())));
    let facts: BTreeMap<&str, &str> = own.collect();
    let encrypted = ["security_bits", "program_id", "parameters", "key_bytes"]
        .iter()
        .any(|name| facts.contains_key(name));
    encrypted.then_some(Facts(facts))
}

impl Facts<'_> {
    fn number(&self, name: &str) -> Option<f64> {
        self.0
            .get(name)?
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite())
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).copied()
    }

    fn bytes(&self, name: &str) -> Option<String> {
        self.number(name).map(|value| bytes(value as u64))
    }

    pub(super) fn security(&self) -> String {
        self.number("security_bits")
            .map_or_else(|| "–".into(), |bits| format!("{} bits", number(bits)))
    }

    pub(super) fn error(&self) -> String {
        self.number("predicted_error")
            .map_or_else(|| "–".into(), scientific)
    }

    pub(super) fn latency(&self) -> String {
        self.number("predicted_milliseconds")
            .map_or_else(|| "–".into(), latency)
    }

    pub(super) fn key_bytes(&self) -> String {
        self.bytes("key_bytes").unwrap_or_else(|| "–".into())
    }

    /// The facts in a line.
    pub(super) fn line(&self) -> Markup {
        html! { span.encrypted { (lock()) " " (self.security()) span.quiet { " · error " (self.error()) " · " (self.latency()) } } }
    }

    /// The facts as tiles.
    pub(super) fn tiles(&self) -> Markup {
        let packing = self
            .text("packing")
            .map(|packing| format!("packed for {}", shorten(packing, 40)));
        let degree = self.number("ring_degree").map(|degree| {
            format!(
                "ring degree {}, {packing}",
                grouped(degree as u64),
                packing = self.modulus()
            )
        });
        let agreement = self
            .number("agreement")
            .map(|share| format!("{} %", number((share * 1e4).round() / 100.0)));
        let rows = self
            .text("calibration_rows")
            .map(|rows| format!("of {} calibration rows", shorten(rows, 12)));
        let keys = self
            .text("keys")
            .map(|keys| format!("{} keys", shorten(keys, 12)));
        let back = self
            .bytes("output_bytes")
            .map(|size| format!("{size} come back"));
        html! {
            dl.facts {
                (fact("Security", html! { (self.security()) }, degree.as_deref()))
                @if self.text("predicted_error").is_some() { (fact("Error of an output", html! { (self.error()) }, Some("predicted"))) }
                @if self.text("predicted_milliseconds").is_some() { (fact("Time of a sample", html! { (self.latency()) }, Some("predicted on one thread"))) }
                @if let Some(agreement) = agreement { (fact("Agreement", html! { (agreement) }, rows.as_deref())) }
                @if self.text("levels").is_some() { (fact("Levels", html! { (shorten(self.text("levels").unwrap_or_default(), 12)) }, packing.as_deref())) }
                @if self.text("key_bytes").is_some() { (fact("Evaluation keys", html! { (self.key_bytes()) }, keys.as_deref())) }
                @if let Some(size) = self.bytes("input_bytes") { (fact("Sent for a run", html! { (size) }, back.as_deref())) }
            }
        }
    }

    fn modulus(&self) -> String {
        self.number("log_q_p")
            .map_or_else(String::new, |bits| format!("modulus of {bits:.0} bits"))
    }
}

/// `4.2 × 10⁻⁶`.
pub(super) fn scientific(value: f64) -> String {
    if value == 0.0 || (0.01..1000.0).contains(&value.abs()) {
        return number((value * 1e4).round() / 1e4);
    }
    let text = format!("{value:.1e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let raised = |character: char| match character {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => digit
            .to_digit(10)
            .and_then(|digit| char::from_u32('⁰' as u32 + digit))
            .unwrap_or(digit),
    };
    format!(
        "{mantissa} × 10{}",
        exponent.chars().map(raised).collect::<String>()
    )
}

pub(super) fn lock() -> Markup {
    maud::PreEscaped(
        "<svg viewBox=\"0 0 16 16\" width=\"13\" height=\"13\" aria-hidden=\"true\"><path d=\"M4.5 7V5a3.5 3.5 0 0 1 7 0v2\" fill=\"none\" \
         stroke=\"currentColor\" stroke-width=\"1.6\"/><rect x=\"3\" y=\"7\" width=\"10\" height=\"7\" rx=\"1.6\" fill=\"currentColor\"/></svg>"
            .into(),
    )
}

/// The report: the network, the modulus, the activations, warnings.
pub(super) fn report(report: &Value) -> Markup {
    let warnings: Vec<&str> = texts(&report["warnings"]);
    let notes: Vec<&str> = texts(&report["notes"]);
    html! {
        @for warning in &warnings { p.warning { (shorten(warning, 600)) } }
        (picture::network(report))
        div.pair {
            (modulus(report))
            (activations(report))
        }
        @if !notes.is_empty() { section.panel { h2 { "Notes" } ul { @for note in &notes { li { (shorten(note, 600)) } } } } }
    }
}

fn texts(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(50)
        .collect()
}

/// The primes as bars, as wide as they have bits.
fn modulus(report: &Value) -> Markup {
    let sizes = |name: &str| -> Vec<f64> {
        let sizes = report[name].as_array().into_iter().flatten();
        sizes
            .filter_map(Value::as_f64)
            .filter(|bits| (1.0..100.0).contains(bits))
            .take(200)
            .collect()
    };
    let (chain, special) = (sizes("chain_bits"), sizes("special_bits"));
    let total: f64 = chain.iter().chain(&special).sum();
    let mut begin = 0.0;
    let mut bars = Vec::new();
    for (bits, is_special) in chain
        .iter()
        .map(|bits| (*bits, false))
        .chain(special.iter().map(|bits| (*bits, true)))
    {
        bars.push((begin, bits, is_special));
        begin += bits;
    }
    html! {
        @if !bars.is_empty() {
            section.panel aria-labelledby="modulus" {
                h2 #modulus { "The modulus" }
                svg.modulus viewBox=(format!("0 0 {total:.0} 14")) preserveAspectRatio="none" role="img"
                    aria-label=(format!("{} primes of the chain and {} special ones, {total:.0} bits together", chain.len(), special.len())) {
                    @for (begin, bits, is_special) in &bars {
                        rect class=(if *is_special { "special" } else { "chain" }) x=(format!("{:.1}", begin + 0.5)) y="0" width=(format!("{:.1}", bits - 1.0)) height="14" {}
                    }
                }
                ul.legend {
                    li { span.dot.chain {} "chain: " (list(&chain)) " bits" }
                    li { span.dot.special {} "special: " (list(&special)) " bits" }
                }
                p.note { (format!("{total:.0}")) " bits in all; one prime of the chain is spent with each level." }
            }
        }
    }
}

fn list(sizes: &[f64]) -> String {
    let sizes: Vec<String> = sizes.iter().map(|bits| format!("{bits:.0}")).collect();
    shorten(&sizes.join(" + "), 160)
}

fn activations(report: &Value) -> Markup {
    let rows: Vec<&Value> = report["activations"]
        .as_array()
        .into_iter()
        .flatten()
        .take(100)
        .collect();
    html! {
        @if !rows.is_empty() {
            section.panel aria-labelledby="activations" {
                h2 #activations { "Activations" span.count { (rows.len()) } }
                div.scroll tabindex="0" role="region" aria-label="Activations" {
                    table.data {
                        thead { tr {
                            th scope="col" { "Node" } th scope="col" { "Function" } th scope="col" { "Polynomial" } th.number scope="col" { "Range" } th.number scope="col" { "Degree" } th.number scope="col" { "Fit error" }
                        } }
                        tbody { @for row in &rows { (activation(row)) } }
                    }
                }
            }
        }
    }
}

fn activation(row: &Value) -> Markup {
    let text = |name: &str| shorten(row[name].as_str().unwrap_or_default(), 60);
    let value = |name: &str| row[name].as_f64().filter(|value| value.is_finite());
    html! {
        tr {
            th scope="row" { (text("node")) }
            td { (text("function")) }
            td { (picture::curve(&row["curve"])) }
            td.number { @if let (Some(least), Some(most)) = (value("smallest"), value("largest")) { (number((least * 100.0).round() / 100.0)) " … " (number((most * 100.0).round() / 100.0)) } }
            td.number { @if let Some(degree) = row["degree"].as_u64() { (degree) } }
            td.number { @if let Some(error) = value("fit_error") { (scientific(error)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tags_become_facts() {
        let tag = |key: &str, value: &str| Tag {
            key: key.into(),
            value: value.into(),
        };
        assert!(facts_of(&[tag("mlflow.x", "1"), tag("hush_like", "2")]).is_none());
        let tags = [
            tag("hush.security_bits", "128"),
            tag("hush.predicted_error", "4.21e-6"),
            tag("hush.predicted_milliseconds", "12.5"),
        ];
        let facts = facts_of(&tags).unwrap();
        assert_eq!(
            (facts.security(), facts.error(), facts.latency()),
            ("128 bits".into(), "4.2 × 10⁻⁶".into(), "12.5 ms".into())
        );
        assert_eq!(facts.key_bytes(), "–");
    }

    #[test]
    fn a_hostile_report_is_text_and_numbers() {
        let hostile = "<script>alert(1)</script>";
        let row = json!({"node": hostile, "function": hostile, "degree": hostile, "smallest": hostile, "curve": [[hostile, 1, 2], [0, 1e300, 0]]});
        let layer = json!({"name": hostile, "operator": hostile, "layout": hostile, "inputs": [hostile, 99, -1], "outputs": [hostile],
                           "shape": [hostile], "occupancy": [[hostile, 300]], "level_in": 1e30, "level_out": hostile, "nanoseconds": hostile});
        let written = json!({"warnings": [hostile, 7], "notes": hostile, "chain_bits": [hostile, 50, -3], "special_bits": 5,
                             "activations": [row], "layers": [layer]});
        let page = report(&written).into_string();
        assert!(
            !page.contains("<script>") && page.contains("&lt;script&gt;") && !page.contains("NaN"),
            "{page}"
        );
        for odd in [
            json!(null),
            json!([]),
            json!({"layers": 5}),
            json!({"layers": [null, []]}),
        ] {
            report(&odd);
        }
    }
}
