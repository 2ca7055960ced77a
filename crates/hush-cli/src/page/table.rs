//! Every layer in numbers: what the picture shows, for those who read rather than look.

use hush_compiler::report::layers::LayerReport;

use super::content::Content;
use super::markup::{escape, grouped, percent, scientific, shape};
use crate::terminal::duration;

/// The table in a box that scrolls by itself.
pub(super) fn table(content: &Content) -> String {
    let measured = if content.measured.is_some() {
        "<th scope=\"col\">Measured time</th>"
    } else {
        ""
    };
    let rows = content
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| row(content, index, layer));
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"The table of layers\"><table>\n\
         <thead><tr><th scope=\"col\">Layer</th><th scope=\"col\">Operator</th><th scope=\"col\">Result</th>\
         <th scope=\"col\">Cipher­texts</th><th scope=\"col\">Slots used</th><th scope=\"col\">Level</th>\
         <th scope=\"col\">Rotations</th><th scope=\"col\">Products</th><th scope=\"col\">Plain products</th>\
         <th scope=\"col\">Key switches</th><th scope=\"col\">Predicted time</th>{measured}\
         <th scope=\"col\">Noise</th></tr></thead>\n<tbody>\n{}</tbody></table></div>\n\
         <p class=\"note\">Products are of two ciphertexts, plain products of a ciphertext with weights. Times are of one group of \
         ciphertexts; noise is the standard deviation that the layer alone adds to the noisiest output.</p>\n",
        rows.collect::<String>()
    )
}

fn row(content: &Content, index: usize, layer: &LayerReport) -> String {
    let input = layer.operator == "input";
    let total = layer.ciphertexts * content.slots;
    let level = if layer.level_in == layer.level_out {
        layer.level_in.to_string()
    } else {
        format!("{} → {}", layer.level_in, layer.level_out)
    };
    let number = |number: usize| {
        if input {
            String::new()
        } else {
            grouped(number)
        }
    };
    let measured = match (&content.measured, content.measured(layer)) {
        (None, _) => String::new(),
        (Some(_), Some(time)) => format!("<td>{}</td>", duration(time)),
        (Some(_), None) => "<td></td>".to_owned(),
    };
    let predicted = if input {
        String::new()
    } else {
        format!(
            "{} <span class=\"quiet\">{}</span>",
            duration(content.predicted(layer)),
            percent(content.share(layer))
        )
    };
    let layout = if layer.layout.is_empty() {
        String::new()
    } else {
        format!("<span class=\"layout\">{}</span>", escape(&layer.layout))
    };
    let label = if layer.label.trim_matches('/') == layer.name {
        String::new()
    } else {
        format!("<span class=\"label\">{}</span>", escape(&layer.label))
    };
    format!(
        "<tr id=\"layer-{index}\"><th scope=\"row\">{}{label}</th><td class=\"words\">{}{layout}</td><td>{}</td>\
         <td>{}</td><td>{} of {}</td><td>{level}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td>{predicted}</td>{measured}<td>{}</td></tr>\n",
        escape(&layer.name),
        escape(&layer.operator),
        if layer.shape.is_empty() {
            String::new()
        } else {
            shape(&layer.shape)
        },
        grouped(layer.ciphertexts),
        grouped(layer.slots_used),
        grouped(total),
        number(layer.rotations),
        number(layer.products),
        number(layer.plain_products),
        number(layer.key_switches),
        layer.noise.map_or_else(String::new, scientific),
    )
}
