//! The network of an encrypted model as a picture: one row a layer, edges beside them, and what each layer does to slots, levels
//! and time drawn inside. Everything comes from the report, which is somebody's file: nothing in it is taken for granted.

use maud::{Markup, html};
use serde_json::Value;

use super::report::scientific;
use crate::format::{grouped, latency, shorten};

/// Layers that are drawn.
const MOST: usize = 400;
/// Ways beside each other for edges that pass layers.
const LANES: usize = 6;
/// Strips of slots of one layer, and cells of one strip.
const STRIPS: usize = 4;
const CELLS: usize = 128;

struct Layer<'a> {
    name: &'a str,
    operator: &'a str,
    layout: &'a str,
    shape: Vec<u64>,
    inputs: Vec<usize>,
    outputs: Vec<&'a str>,
    occupancy: Vec<Vec<u64>>,
    ciphertexts: u64,
    slots_used: u64,
    level_in: u64,
    level_out: u64,
    counts: [(u64, &'static str); 3],
    milliseconds: f64,
    noise: Option<f64>,
}

impl<'a> Layer<'a> {
    fn read(index: usize, row: &'a Value) -> Self {
        let text = |name: &str| row[name].as_str().unwrap_or_default();
        let count = |name: &str| row[name].as_u64().unwrap_or(0);
        let list = |value: &'a Value| value.as_array().into_iter().flatten();
        let inputs = list(&row["inputs"])
            .filter_map(Value::as_u64)
            .filter(|&input| input < index as u64);
        let cells = |strip: &'a Value| {
            list(strip)
                .take(CELLS)
                .map(|cell| cell.as_u64().unwrap_or(0).min(100))
                .collect()
        };
        let level_in = count("level_in").min(1000);
        let time = row["nanoseconds"]
            .as_f64()
            .filter(|time| time.is_finite() && *time >= 0.0);
        Self {
            name: text("name"),
            operator: text("operator"),
            layout: text("layout"),
            shape: list(&row["shape"])
                .filter_map(Value::as_u64)
                .take(8)
                .collect(),
            inputs: inputs.take(16).map(|input| input as usize).collect(),
            outputs: list(&row["outputs"])
                .filter_map(Value::as_str)
                .take(8)
                .collect(),
            occupancy: list(&row["occupancy"]).take(STRIPS).map(cells).collect(),
            ciphertexts: count("ciphertexts"),
            slots_used: count("slots_used"),
            level_in,
            level_out: count("level_out").min(level_in),
            counts: [
                (count("rotations"), "rotations"),
                (count("products"), "products"),
                (count("plain_products"), "plain products"),
            ],
            milliseconds: time.unwrap_or(0.0) / 1e6,
            noise: row["noise"].as_f64().filter(|noise| noise.is_finite()),
        }
    }

    fn is_input(&self) -> bool {
        self.operator == "input"
    }
}

/// The edges of one row, drawn in its part of the margin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Margin {
    /// From the row above, to the row below.
    above: bool,
    below: bool,
    /// Lanes that begin here, pass, end.
    begin: Vec<usize>,
    pass: Vec<usize>,
    end: Vec<usize>,
}

/// Gives every edge that passes layers a lane of its own as far as there are any.
fn margins(inputs: &[Vec<usize>]) -> Vec<Margin> {
    let mut margins = vec![Margin::default(); inputs.len()];
    let mut edges: Vec<(usize, usize)> = Vec::new();
    for (to, from) in inputs.iter().enumerate() {
        for &from in from {
            if from + 1 == to {
                (margins[from].below, margins[to].above) = (true, true);
            } else {
                edges.push((from, to));
            }
        }
    }
    edges.sort_by_key(|&(from, to)| (to - from, from));
    // Rows that each lane is taken in.
    let mut taken: Vec<Vec<(usize, usize)>> = Vec::new();
    for (from, to) in edges {
        let free = |lane: &Vec<(usize, usize)>| {
            lane.iter()
                .all(|&(first, last)| last <= from || to <= first)
        };
        let lane = taken
            .iter()
            .position(free)
            .unwrap_or(taken.len())
            .min(LANES - 1);
        if lane == taken.len() {
            taken.push(Vec::new());
        }
        taken[lane].push((from, to));
        margins[from].begin.push(lane);
        margins[to].end.push(lane);
        for margin in &mut margins[from + 1..to] {
            margin.pass.push(lane);
        }
    }
    margins
}

/// The picture.
pub(super) fn network(report: &Value) -> Markup {
    let rows = report["layers"]
        .as_array()
        .into_iter()
        .flatten()
        .take(MOST)
        .enumerate();
    let layers: Vec<Layer<'_>> = rows.map(|(index, row)| Layer::read(index, row)).collect();
    let inputs: Vec<Vec<usize>> = layers.iter().map(|layer| layer.inputs.clone()).collect();
    let margins = margins(&inputs);
    let lanes = margins
        .iter()
        .flat_map(|margin| &margin.begin)
        .max()
        .map_or(0, |lane| lane + 1);
    let top = layers.iter().map(|layer| layer.level_in).max().unwrap_or(0);
    let total: f64 = layers.iter().map(|layer| layer.milliseconds).sum();
    html! {
        @if !layers.is_empty() {
            section.panel.network aria-labelledby="network" {
                h2 #network { "The network" span.count { (layers.len()) } }
                ul.legend {
                    li { span.dot.used {} "slots in use" }
                    li { span.dot.spent {} "levels spent before" }
                    li { span.dot.here {} "spent here" }
                    li { span.dot.left {} "left" }
                    li { span.dot.time {} "share of the time" }
                }
                ol.layers {
                    @for (layer, margin) in layers.iter().zip(&margins) { (row(layer, margin, lanes, top, total)) }
                }
            }
        }
    }
}

fn row(layer: &Layer<'_>, margin: &Margin, lanes: usize, top: u64, total: f64) -> Markup {
    let share = if total > 0.0 {
        layer.milliseconds / total
    } else {
        0.0
    };
    let shape: Vec<String> = layer.shape.iter().map(u64::to_string).collect();
    html! {
        li .input[layer.is_input()] {
            div.margin { (edges(margin, lanes)) }
            div.layer {
                div.what {
                    strong title=(layer.name) { (shorten(layer.name, 44)) }
                    span.quiet { (shorten(layer.operator, 60)) @if !shape.is_empty() { " · " (shape.join(" × ")) } }
                }
                div.slots {
                    (strips(&layer.occupancy))
                    span.quiet title=(layer.layout) {
                        @if layer.ciphertexts > 1 { (grouped(layer.ciphertexts)) " ciphertexts, " }
                        (grouped(layer.slots_used)) " slots" @if !layer.layout.is_empty() { ", " (shorten(layer.layout, 40)) }
                    }
                }
                @if !layer.is_input() {
                    div.levels {
                        (levels(layer, top))
                        span.quiet { "level " (layer.level_in) @if layer.level_in != layer.level_out { " → " (layer.level_out) } }
                    }
                    div.time {
                        (bar(share))
                        span.quiet { (latency(layer.milliseconds)) @if share > 0.0 { " · " (format!("{:.0} %", 100.0 * share)) } }
                    }
                    p.work.quiet { (work(layer)) }
                }
                @if !layer.outputs.is_empty() { p.output { "decrypted by the data owner: " (shorten(&layer.outputs.join(", "), 80)) } }
            }
        }
    }
}

fn work(layer: &Layer<'_>) -> String {
    let counts = layer.counts.iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<String> = counts
        .map(|(count, what)| format!("{} {what}", grouped(*count)))
        .collect();
    if let Some(noise) = layer.noise {
        parts.push(format!("noise {}", scientific(noise)));
    }
    parts.join(", ")
}

fn edges(margin: &Margin, lanes: usize) -> Markup {
    let width = 20 + 14 * lanes;
    let place = |lane: &usize| width as f64 - 10.0 - 14.0 * (*lane as f64 + 1.0);
    let middle = width as f64 - 10.0;
    html! {
        svg viewBox=(format!("0 0 {width} 100")) width=(width) preserveAspectRatio="none" aria-hidden="true" {
            @if margin.above { path d=(format!("M{middle} 0V50")) {} }
            @if margin.below { path d=(format!("M{middle} 50V100")) {} }
            @for lane in &margin.pass { path.passing d=(format!("M{} 0V100", place(lane))) {} }
            @for lane in &margin.begin { path.passing d=(format!("M{middle} 50C{0} 60 {0} 80 {0} 100", place(lane))) {} }
            @for lane in &margin.end { path.passing d=(format!("M{0} 0C{0} 20 {0} 40 {middle} 50", place(lane))) {} }
        }
        span.node {}
    }
}

fn strips(occupancy: &[Vec<u64>]) -> Markup {
    let count = occupancy.len().max(1);
    let height = 12.0 / count as f64;
    html! {
        svg.strip viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true" {
            @for (index, cells) in occupancy.iter().enumerate() {
                @let pitch = 100.0 / cells.len().max(1) as f64;
                @let (y, tall) = (height * index as f64, height - if count > 1 { 0.8 } else { 0.0 });
                rect.well x="0" y=(format!("{y:.2}")) width="100" height=(format!("{tall:.2}")) {}
                @for (start, length, cell) in stretches(cells) {
                    rect.used x=(format!("{:.2}", pitch * start as f64)) y=(format!("{y:.2}")) width=(format!("{:.2}", pitch * length as f64))
                        height=(format!("{tall:.2}")) opacity=(format!("{:.2}", 0.25 + 0.75 * cell as f64 / 100.0)) {}
                }
            }
        }
    }
}

/// Neighbouring cells that are as full as each other, as one; empty ones left out.
fn stretches(cells: &[u64]) -> Vec<(usize, usize, u64)> {
    let mut found: Vec<(usize, usize, u64)> = Vec::new();
    for (index, &cell) in cells.iter().enumerate() {
        match found.last_mut() {
            Some((start, length, own)) if *own == cell && *start + *length == index => *length += 1,
            _ => found.push((index, 1, cell)),
        }
    }
    found.retain(|(_, _, cell)| *cell > 0);
    found
}

fn levels(layer: &Layer<'_>, top: u64) -> Markup {
    let pitch = 100.0 / top.max(1) as f64;
    let parts = [
        ("spent", 0, top - layer.level_in),
        (
            "here",
            top - layer.level_in,
            layer.level_in - layer.level_out,
        ),
        ("left", top - layer.level_out, layer.level_out),
    ];
    html! {
        svg.strip viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true" {
            @for (class, start, length) in parts { @for cell in start..start + length {
                rect class=(class) x=(format!("{:.2}", pitch * cell as f64)) y="0" width=(format!("{:.2}", pitch * 0.88)) height="12" {}
            } }
        }
    }
}

fn bar(share: f64) -> Markup {
    html! {
        svg.strip viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true" {
            rect.well x="0" y="0" width="100" height="12" {}
            rect.time x="0" y="0" width=(format!("{:.2}", 100.0 * share.clamp(0.0, 1.0))) height="12" {}
        }
    }
}

/// An activation and its polynomial, from points of argument, function and polynomial.
pub(super) fn curve(points: &Value) -> Markup {
    let read = |point: &Value| {
        let part = |index: usize| {
            point[index]
                .as_f64()
                .filter(|part| part.is_finite() && part.abs() < 1e12)
        };
        Some([part(0)?, part(1)?, part(2)?])
    };
    let points: Vec<[f64; 3]> = points
        .as_array()
        .into_iter()
        .flatten()
        .take(400)
        .filter_map(read)
        .collect();
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold(
            (f64::INFINITY, f64::NEG_INFINITY),
            |(least, most), value| (least.min(value), most.max(value)),
        )
    };
    let (left, right) = range(&mut points.iter().map(|point| point[0]));
    let (bottom, top) = range(&mut points.iter().flat_map(|point| [point[1], point[2]]));
    let line = |which: usize| -> String {
        let place = |point: &[f64; 3]| {
            let x = 118.0 * (point[0] - left) / (right - left).max(1e-12) + 1.0;
            let y = 38.0 - 36.0 * (point[which] - bottom) / (top - bottom).max(1e-12);
            format!("{x:.1},{y:.1}")
        };
        points.iter().map(place).collect::<Vec<_>>().join(" ")
    };
    html! {
        @if points.len() > 1 {
            svg.activation viewBox="0 0 120 40" width="120" height="40" role="img" aria-label="The function and, dashed, its polynomial" {
                polyline.function points=(line(1)) {}
                polyline.polynomial points=(line(2)) {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn chains_run_straight_and_shortcuts_beside_them() {
        let margins = margins(&[vec![], vec![0], vec![1], vec![2, 0]]);
        assert!(margins[0].below && margins[1].above && margins[3].above && !margins[3].below);
        assert_eq!(
            (
                &margins[0].begin,
                &margins[1].pass,
                &margins[2].pass,
                &margins[3].end
            ),
            (&vec![0], &vec![0], &vec![0], &vec![0])
        );
    }

    #[test]
    fn lanes_are_shared_and_end() {
        let many: Vec<usize> = (0..9).collect();
        let mut inputs = vec![Vec::new(); 10];
        inputs.push(many);
        let margins = margins(&inputs);
        assert!(
            margins
                .iter()
                .flat_map(|margin| &margin.begin)
                .all(|lane| *lane < LANES)
        );
        let apart = super::margins(&[vec![], vec![], vec![0], vec![], vec![2]]);
        assert_eq!((&apart[0].begin, &apart[2].begin), (&vec![0], &vec![0]));
    }

    #[test]
    fn the_picture_shows_levels_and_time() {
        let layers = json!([
            {"name": "x", "operator": "input", "shape": [30], "occupancy": [[100, 100, 0, 50]], "slots_used": 30, "ciphertexts": 1},
            {"name": "fc1", "operator": "linear", "inputs": [0], "level_in": 3, "level_out": 2, "nanoseconds": 3e6, "rotations": 12},
            {"name": "fc2", "operator": "linear", "inputs": [1], "level_in": 2, "level_out": 1, "nanoseconds": 1e6, "outputs": ["y"]},
        ]);
        let page = network(&json!({ "layers": layers })).into_string();
        for expected in [
            "level 3 → 2",
            "75 %",
            "12 rotations",
            "decrypted by the data owner: y",
            "30 slots",
        ] {
            assert!(page.contains(expected), "{expected}: {page}");
        }
    }
}
