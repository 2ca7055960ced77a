//! The network as a picture: one box a layer, what it does to slots and levels drawn inside.

use hush_compiler::report::layers::LayerReport;

use super::content::{Content, Port};
use super::markup::{escape, grouped, percent, scientific, shape, shorten};
use super::placement::{Placement, place};
use crate::terminal::{counted, duration};

const WIDTH: f64 = 352.0;
const LANE: f64 = 22.0;
const COLUMN_GAP: f64 = 20.0;
const ROW_GAP: f64 = 36.0;
const PADDING: f64 = 14.0;
const INNER: f64 = WIDTH - 2.0 * PADDING;
const MARGIN: f64 = 6.0;
/// Distance of neighbouring edges at one box.
const SPREAD: f64 = 24.0;

const LAYER_HEIGHT: f64 = 164.0;
const INPUT_HEIGHT: f64 = 92.0;
const OUTPUT_HEIGHT: f64 = 58.0;

/// Characters that fit a line of a box.
const NAME_CHARACTERS: usize = 30;
const LINE_CHARACTERS: usize = 54;

/// What a box stands for.
#[derive(Clone, Copy)]
enum Item<'a> {
    Layer(usize, &'a LayerReport),
    Output(&'a Port),
}

impl Item<'_> {
    fn height(self) -> f64 {
        match self {
            Item::Layer(_, layer) if layer.operator == "input" => INPUT_HEIGHT,
            Item::Layer(..) => LAYER_HEIGHT,
            Item::Output(_) => OUTPUT_HEIGHT,
        }
    }
}

/// The whole picture as SVG.
pub(super) fn picture(content: &Content) -> String {
    let mut items: Vec<Item<'_>> = content
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| Item::Layer(index, layer))
        .collect();
    let mut inputs: Vec<Vec<usize>> = content
        .layers
        .iter()
        .map(|layer| layer.inputs.clone())
        .collect();
    for port in &content.outputs {
        let holders = content.layers.iter().enumerate();
        let holders = holders.filter(|(_, layer)| layer.outputs.contains(&port.name));
        inputs.push(holders.map(|(index, _)| index).collect());
        items.push(Item::Output(port));
    }
    let canvas = Canvas::new(content, &items, place(&inputs));
    canvas.draw()
}

struct Canvas<'a> {
    content: &'a Content,
    items: &'a [Item<'a>],
    placement: Placement,
    /// Left edge and width of each column.
    columns: Vec<(f64, f64)>,
    /// Top edge and height of each row.
    rows: Vec<(f64, f64)>,
}

impl<'a> Canvas<'a> {
    fn new(content: &'a Content, items: &'a [Item<'a>], placement: Placement) -> Self {
        let mut left = MARGIN;
        let columns = placement.boxes.iter().map(|&holds_box| {
            let width = if holds_box { WIDTH } else { LANE };
            let column = (left, width);
            left += width + COLUMN_GAP;
            column
        });
        let columns = columns.collect();
        let mut top = MARGIN;
        let rows = (0..placement.rows).map(|row| {
            let here = items.iter().zip(&placement.nodes);
            let heights = here
                .filter(|(_, place)| place.0 == row)
                .map(|(item, _)| item.height());
            let height = heights.fold(0.0, f64::max);
            let row = (top, height);
            top += height + ROW_GAP;
            row
        });
        let rows = rows.collect();
        Self {
            content,
            items,
            placement,
            columns,
            rows,
        }
    }

    fn draw(&self) -> String {
        let end =
            |spans: &[(f64, f64)]| spans.last().map_or(0.0, |(start, size)| start + size) + MARGIN;
        let (width, height) = (end(&self.columns), end(&self.rows));
        let mut svg = format!(
            "<svg class=\"network{}\" role=\"img\" aria-labelledby=\"network-title network-text\" \
             viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\">\n\
             <title id=\"network-title\">The network of {}</title>\n\
             <desc id=\"network-text\">{} from top to bottom, joined by arrows; the table of layers has the same in words.</desc>\n\
             <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" orient=\"auto\">\
             <path class=\"arrow\" d=\"M0.5 1 L7.5 4 L0.5 7 z\"/></marker></defs>\n",
            // One column of boxes may shrink with the page; more of them scroll.
            if self
                .placement
                .boxes
                .iter()
                .filter(|&&holds_box| holds_box)
                .count()
                == 1
            {
                " single"
            } else {
                ""
            },
            escape(&self.content.name),
            counted(self.items.len(), "box").replace("boxs", "boxes"),
        );
        for index in 0..self.placement.edges.len() {
            self.edge(&mut svg, index);
        }
        for (index, &item) in self.items.iter().enumerate() {
            let (row, column) = self.placement.nodes[index];
            let (x, y) = (self.columns[column].0, self.rows[row].0);
            svg.push_str(&match item {
                Item::Layer(index, layer) => self.layer(x, y, index, layer),
                Item::Output(port) => output(x, y, port),
            });
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// An edge down through its lanes.
    fn edge(&self, svg: &mut String, index: usize) {
        let edge = &self.placement.edges[index];
        let (from_row, from_column) = self.placement.nodes[edge.from];
        let (to_row, to_column) = self.placement.nodes[edge.to];
        let centre = |column: usize| self.columns[column].0 + self.columns[column].1 / 2.0;
        let (mut x, mut y) = (
            centre(from_column) + self.offset(index, |edge| edge.from),
            self.rows[from_row].0 + self.items[edge.from].height(),
        );
        let mut path = format!("M{x:.1} {y:.1}");
        let curve = |path: &mut String, (x, y): (f64, f64), (to_x, to_y): (f64, f64)| {
            if x == to_x {
                path.push_str(&format!(" L{to_x:.1} {to_y:.1}"));
            } else {
                let middle = (y + to_y) / 2.0;
                path.push_str(&format!(
                    " C{x:.1} {middle:.1} {to_x:.1} {middle:.1} {to_x:.1} {to_y:.1}"
                ));
            }
        };
        for (step, &column) in edge.passes.iter().enumerate() {
            let (top, height) = self.rows[from_row + 1 + step];
            // A short box leaves room below it in a tall row.
            let start = y.max(top - ROW_GAP);
            if start > y {
                path.push_str(&format!(" L{x:.1} {start:.1}"));
            }
            curve(&mut path, (x, start), (centre(column), top));
            (x, y) = (centre(column), top + height);
            path.push_str(&format!(" L{x:.1} {y:.1}"));
        }
        let top = self.rows[to_row].0;
        let to_x = centre(to_column) + self.offset(index, |edge| edge.to);
        let start = y.max(top - ROW_GAP);
        if start > y {
            path.push_str(&format!(" L{x:.1} {start:.1}"));
        }
        curve(&mut path, (x, start), (to_x, top - 1.0));
        let class = if edge.passes.is_empty() {
            "edge"
        } else {
            "edge shortcut"
        };
        svg.push_str(&format!(
            "<path class=\"{class}\" d=\"{path}\" marker-end=\"url(#arrow)\"/>\n"
        ));
    }

    /// How far from the middle of its box an edge ends: the straightest one meets the middle.
    fn offset(&self, index: usize, end: fn(&super::placement::Edge) -> usize) -> f64 {
        let edges = &self.placement.edges;
        let mine = end(&edges[index]);
        let bend = |edge: &super::placement::Edge| {
            let (from, to) = (
                self.placement.nodes[edge.from].1,
                self.placement.nodes[edge.to].1,
            );
            let reach = edge.passes.iter().copied().chain([from, to]);
            (
                edge.passes.len(),
                reach.max().unwrap_or(0),
                edge.from,
                edge.to,
            )
        };
        let mut same: Vec<usize> = (0..edges.len())
            .filter(|&other| end(&edges[other]) == mine)
            .collect();
        same.sort_by_key(|&other| bend(&edges[other]));
        let rank = same.iter().position(|&other| other == index).unwrap_or(0);
        (rank as f64 * SPREAD).min(WIDTH / 2.0 - PADDING)
    }

    fn layer(&self, x: f64, y: f64, index: usize, layer: &LayerReport) -> String {
        let input = layer.operator == "input";
        let height = if input { INPUT_HEIGHT } else { LAYER_HEIGHT };
        let class = if input { "box owner" } else { "box" };
        let mut out = format!(
            "<a class=\"node\" href=\"#layer-{index}\"><g transform=\"translate({x:.1} {y:.1})\">\
             <title>{}</title><rect class=\"{class}\" width=\"{WIDTH}\" height=\"{height}\" rx=\"10\"/>",
            escape(&layer.label)
        );
        let operator = if input {
            "input, encrypted by the data owner".to_owned()
        } else {
            layer.operator.clone()
        };
        let shape_text = if layer.shape.is_empty() {
            String::new()
        } else {
            format!(" · {}", shape(&layer.shape))
        };
        let right = if input {
            String::new()
        } else {
            duration(self.content.predicted(layer))
        };
        out.push_str(&text(
            "name",
            PADDING,
            24.0,
            &shorten(&layer.name, NAME_CHARACTERS),
        ));
        out.push_str(&end_text("figure", 24.0, &right));
        out.push_str(&text(
            "quiet",
            PADDING,
            42.0,
            &format!("{}{shape_text}", shorten(&operator, 34)),
        ));
        out.push_str(&strips(layer, 54.0));
        out.push_str(&text(
            "quiet",
            PADDING,
            80.0,
            &shorten(&self.slots_line(layer), LINE_CHARACTERS),
        ));
        if !input {
            out.push_str(&self.levels(layer, 94.0));
            out.push_str(&self.share(layer, 124.0));
            out.push_str(&text(
                "quiet",
                PADDING,
                152.0,
                &shorten(&work_line(layer), LINE_CHARACTERS),
            ));
        }
        out.push_str("</g></a>\n");
        out
    }

    fn slots_line(&self, layer: &LayerReport) -> String {
        let total = layer.ciphertexts * self.content.slots;
        let count = match layer.ciphertexts {
            1 => String::new(),
            count => format!("{count} ciphertexts, "),
        };
        // What comes before is how the layer is computed.
        let layout = layer.layout.rsplit("result ").next().unwrap_or_default();
        let layout = if layout.is_empty() {
            "used".to_owned()
        } else {
            format!("used, {layout}")
        };
        format!(
            "{count}{} of {} slots {layout}",
            grouped(layer.slots_used),
            grouped(total)
        )
    }

    /// The level budget: spent before, spent here, left.
    fn levels(&self, layer: &LayerReport, y: f64) -> String {
        let top = self.content.top_level;
        if top == 0 {
            return String::new();
        }
        let label = if layer.level_in == layer.level_out {
            format!("level {}", layer.level_in)
        } else {
            format!("level {} → {}", layer.level_in, layer.level_out)
        };
        let room = INNER - 92.0;
        let pitch = room / top as f64;
        let gap = if pitch > 5.0 { 2.0 } else { 0.0 };
        let mut out = String::from("<g class=\"levels\">");
        for cell in 0..top {
            let level = top - cell;
            let class = match level {
                spent if spent > layer.level_in => "spent",
                here if here > layer.level_out => "here",
                _ => "left",
            };
            out.push_str(&format!(
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{y}\" width=\"{:.1}\" height=\"10\" rx=\"1.5\"/>",
                PADDING + pitch * cell as f64,
                pitch - gap
            ));
        }
        out.push_str("</g>");
        out.push_str(&end_text("quiet", y + 9.0, &label));
        out
    }

    /// The share of the time, predicted above measured.
    fn share(&self, layer: &LayerReport, y: f64) -> String {
        let room = INNER - 92.0;
        let share = self.content.share(layer);
        let bar = |class: &str, y: f64, height: f64, share: f64| {
            format!(
                "<rect class=\"{class}\" x=\"{PADDING}\" y=\"{y}\" width=\"{:.1}\" height=\"{height}\" rx=\"1.5\"/>",
                room * share.clamp(0.0, 1.0)
            )
        };
        let measured = self.content.measured_share(layer);
        let height = if measured.is_some() { 4.5 } else { 10.0 };
        let mut out = bar("well", y - 7.0, 10.0, 1.0);
        out.push_str(&bar("time", y - 7.0, height, share));
        if let Some(measured) = measured {
            out.push_str(&bar("measured", y - 1.5, height, measured));
        }
        out.push_str(&end_text(
            "quiet",
            y + 2.0,
            &format!("{} of time", percent(share)),
        ));
        out
    }
}

fn work_line(layer: &LayerReport) -> String {
    let mut parts = Vec::new();
    let mut part = |count: usize, noun: &str| {
        if count > 0 {
            parts.push(counted(count, noun));
        }
    };
    part(layer.rotations, "rotation");
    part(layer.products, "product");
    part(layer.plain_products, "plain product");
    let mut line = parts.join(", ");
    if line.is_empty() {
        line = "no rotation, no product".to_owned();
    }
    if let Some(noise) = layer.noise {
        line.push_str(&format!(", noise {}", scientific(noise)));
    }
    line
}

fn text(class: &str, x: f64, y: f64, text: &str) -> String {
    format!(
        "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>",
        escape(text)
    )
}

fn end_text(class: &str, y: f64, text: &str) -> String {
    format!(
        "<text class=\"{class} end\" x=\"{}\" y=\"{y}\">{}</text>",
        WIDTH - PADDING,
        escape(text)
    )
}

/// One strip for each of the first ciphertexts; darker where more slots are used.
fn strips(layer: &LayerReport, y: f64) -> String {
    let count = layer.occupancy.len().max(1);
    let (room, gap) = (12.0, 1.5);
    let height = (room + gap) / count as f64 - gap;
    let mut out = String::from("<g class=\"slots\">");
    for (index, cells) in layer.occupancy.iter().enumerate() {
        let y = y + (height + gap) * index as f64;
        out.push_str(&format!(
            "<rect class=\"well\" x=\"{PADDING}\" y=\"{y:.2}\" width=\"{INNER}\" height=\"{height:.2}\" rx=\"1.5\"/>"
        ));
        let pitch = INNER / cells.len().max(1) as f64;
        let mut start = 0;
        while start < cells.len() {
            let run = cells[start..]
                .iter()
                .take_while(|&&cell| cell == cells[start])
                .count();
            if cells[start] > 0 {
                out.push_str(&format!(
                    "<rect class=\"used\" x=\"{:.2}\" y=\"{y:.2}\" width=\"{:.2}\" height=\"{height:.2}\" opacity=\"{:.2}\"/>",
                    PADDING + pitch * start as f64,
                    pitch * run as f64,
                    0.25 + 0.75 * f64::from(cells[start].min(100)) / 100.0
                ));
            }
            start += run;
        }
    }
    out.push_str("</g>");
    out
}

fn output(x: f64, y: f64, port: &Port) -> String {
    let post = if port.post.is_empty() {
        "decrypted by the data owner".to_owned()
    } else {
        format!("decrypted by the data owner, then {}", port.post)
    };
    format!(
        "<g transform=\"translate({x:.1} {y:.1})\"><title>{}</title>\
         <rect class=\"box owner\" width=\"{WIDTH}\" height=\"{OUTPUT_HEIGHT}\" rx=\"10\"/>{}{}{}</g>\n",
        escape(&port.name),
        text("name", PADDING, 24.0, &shorten(&port.name, NAME_CHARACTERS)),
        end_text("quiet", 24.0, &shape(&port.shape)),
        text("quiet", PADDING, 42.0, &shorten(&post, LINE_CHARACTERS)),
    )
}
