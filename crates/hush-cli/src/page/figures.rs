//! The smaller figures: bars of time, activations against their polynomials, the modulus prime by prime.

use super::content::{Activation, Content};
use super::markup::{escape, grouped, percent, plain, scientific, shorten};
use crate::terminal::duration;

/// What the colours of the picture mean.
pub(super) fn legend(content: &Content) -> String {
    let mut entries = vec![
        ("used", "slots in use"),
        ("spent", "levels spent before"),
        ("here", "spent here"),
        ("left", "left"),
        ("time", "predicted time"),
    ];
    if content.measured.is_some() {
        entries.push(("measured", "measured time"));
    }
    let entries = entries.iter().map(|(class, words)| {
        format!(
            "<li><svg width=\"22\" height=\"10\" aria-hidden=\"true\"><rect class=\"{class}\" x=\"0.5\" y=\"0.5\" \
             width=\"21\" height=\"9\" rx=\"1.5\"/></svg>{words}</li>"
        )
    });
    format!(
        "<ul class=\"legend\">{}<li class=\"dashed\">on the data owner’s machine</li></ul>\n",
        entries.collect::<String>()
    )
}

/// One bar a layer, the slowest first.
pub(super) fn times(content: &Content) -> String {
    let mut layers: Vec<_> = content
        .layers
        .iter()
        .enumerate()
        .filter(|(_, layer)| layer.nanoseconds > 0.0)
        .collect();
    layers.sort_by(|(_, a), (_, b)| b.nanoseconds.total_cmp(&a.nanoseconds));
    if layers.is_empty() {
        return String::new();
    }
    let longest = layers.iter().map(|(_, layer)| {
        content
            .predicted(layer)
            .max(content.measured(layer).unwrap_or(0.0))
    });
    let longest = longest.fold(f64::MIN_POSITIVE, f64::max);
    let bar = |class: &str, time: f64| {
        format!(
            "<svg class=\"bar\" aria-hidden=\"true\"><rect class=\"{class}\" width=\"{:.2}%\" height=\"100%\" rx=\"1.5\"/></svg>",
            100.0 * time / longest
        )
    };
    let rows = layers.iter().map(|(index, layer)| {
        let predicted = content.predicted(layer);
        let (measured_bar, measured) = match content.measured(layer) {
            Some(measured) => (
                bar("measured", measured),
                format!(
                    "<span class=\"took\">{} measured</span>",
                    duration(measured)
                ),
            ),
            None => (String::new(), String::new()),
        };
        format!(
            "<li><a href=\"#layer-{index}\">{}</a><span class=\"bars\">{}{measured_bar}</span>\
             <span class=\"numbers\">{} <span class=\"quiet\">{}</span>{measured}</span></li>\n",
            escape(&shorten(&layer.name, 40)),
            bar("time", predicted),
            duration(predicted),
            percent(content.share(layer)),
        )
    });
    format!("<ol class=\"times\">\n{}</ol>\n", rows.collect::<String>())
}

/// A plot for every activation.
pub(super) fn activations(content: &Content) -> String {
    let figures = content.activations.iter().enumerate();
    let figures: String = figures
        .map(|(index, activation)| figure(index, activation))
        .collect();
    if figures.is_empty() {
        return String::new();
    }
    format!(
        "<p class=\"note\">Solid: the model’s function. Dashed: the polynomial that is computed. Shaded: the arguments seen on \
         the calibration data.</p>\n<div class=\"plots\">\n{figures}</div>\n"
    )
}

fn figure(index: usize, activation: &Activation) -> String {
    let mut words = format!("degree {}", activation.degree);
    if activation.fit_error > 0.0 {
        words.push_str(&format!(
            ", at most {} off",
            scientific(activation.fit_error)
        ));
    } else {
        words.push_str(", exact");
    }
    if activation.outside > 0 {
        words.push_str(&format!(
            ", {} calibration arguments outside",
            grouped(activation.outside as usize)
        ));
    }
    format!(
        "<figure>{}<figcaption><strong>{}</strong> <span>{}</span><span class=\"quiet\">{}</span></figcaption></figure>\n",
        plot(index, activation),
        escape(&shorten(&activation.function, 28)),
        escape(&words),
        escape(&shorten(&activation.node, 60)),
    )
}

const PLOT: (f64, f64) = (280.0, 150.0);
const EDGE: (f64, f64) = (40.0, 18.0);

fn plot(index: usize, activation: &Activation) -> String {
    let (Some(first), Some(last)) = (activation.curve.first(), activation.curve.last()) else {
        return String::new();
    };
    let (lo, hi) = (first[0], last[0].max(first[0] + f64::MIN_POSITIVE));
    let values = activation
        .curve
        .iter()
        .flat_map(|[_, function, polynomial]| [*function, *polynomial]);
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    let room = (high - low).max(1e-12);
    let (low, high) = (low - 0.06 * room, high + 0.06 * room);
    let (width, height) = PLOT;
    let x =
        |value: f64| EDGE.0 + (width - EDGE.0 - 6.0) * ((value - lo) / (hi - lo)).clamp(0.0, 1.0);
    let y = |value: f64| {
        4.0 + (height - EDGE.1 - 4.0) * ((high - value) / (high - low)).clamp(0.0, 1.0)
    };
    let line = |part: usize| {
        let points = activation
            .curve
            .iter()
            .map(|point| format!("{:.1},{:.1}", x(point[0]), y(point[part])));
        points.collect::<Vec<_>>().join(" ")
    };
    let (bottom, right) = (height - EDGE.1, width - 6.0);
    let zero = if low < 0.0 && high > 0.0 {
        format!(
            "<line class=\"axis\" x1=\"{}\" x2=\"{right}\" y1=\"{:.1}\" y2=\"{:.1}\"/>",
            EDGE.0,
            y(0.0),
            y(0.0)
        )
    } else {
        String::new()
    };
    let seen = activation.seen;
    let shade = if seen.0.is_finite() && seen.1.is_finite() {
        let (from, to) = (x(seen.0), x(seen.1));
        format!(
            "<rect class=\"seen\" x=\"{from:.1}\" y=\"4\" width=\"{:.1}\" height=\"{:.1}\"/>",
            (to - from).max(0.5),
            bottom - 4.0
        )
    } else {
        String::new()
    };
    let label = |class: &str, x: f64, y: f64, value: f64, range: f64| {
        // What is nothing beside the range is zero.
        let value = if value.abs() < 2e-3 * range {
            0.0
        } else {
            value
        };
        format!(
            "<text class=\"tick {class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
            tick(value)
        )
    };
    let (smallest, largest) = (low + 0.06 * room, high - 0.06 * room);
    format!(
        "<svg class=\"plot\" role=\"img\" aria-labelledby=\"plot-{index}\" viewBox=\"0 0 {width} {height}\">\
         <title id=\"plot-{index}\">{} from {} to {} and its polynomial of degree {}</title>{shade}{zero}\
         <path class=\"axis\" d=\"M{} 4 V{bottom} H{right}\"/>\
         <polyline class=\"function\" points=\"{}\"/><polyline class=\"polynomial\" points=\"{}\"/>{}{}{}{}</svg>",
        escape(&shorten(&activation.function, 40)),
        plain(lo),
        plain(hi),
        activation.degree,
        EDGE.0,
        line(1),
        line(2),
        label("start", EDGE.0, height - 4.0, lo, hi - lo),
        label("end", right, height - 4.0, hi, hi - lo),
        label("end", EDGE.0 - 4.0, y(largest) + 4.0, largest, room),
        label("end", EDGE.0 - 4.0, y(smallest) + 4.0, smallest, room),
    )
}

/// Two significant digits, without trailing zeros.
fn tick(value: f64) -> String {
    let digits = (1 - value.abs().max(1e-300).log10().floor() as i32).clamp(0, 5) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// The primes of the chain and the special ones, as wide as they have bits.
pub(super) fn modulus(content: &Content) -> String {
    let parameters = &content.parameters;
    let bits = |prime: u64| (prime as f64).log2();
    let total = parameters.log_q_p();
    let room = content
        .limit
        .map_or(total, |(limit, _)| f64::from(limit).max(total));
    let (width, height) = (640.0, 34.0);
    let mut x = 0.0;
    let mut rects = String::new();
    let chain = parameters.moduli.iter().enumerate().map(|(level, &prime)| {
        let class = if level == 0 { "base" } else { "left" };
        (
            class,
            prime,
            if level == 0 {
                "base, holds the result".to_owned()
            } else {
                format!("level {level}")
            },
        )
    });
    let special = parameters
        .special_moduli
        .iter()
        .map(|&prime| ("special", prime, "special, for key switching".to_owned()));
    for (class, prime, words) in chain.chain(special) {
        let wide = width * bits(prime) / room;
        rects.push_str(&format!(
            "<g><title>{words}: {:.1} bits</title><rect class=\"{class}\" x=\"{:.1}\" y=\"0\" width=\"{:.1}\" height=\"{height}\" rx=\"2\"/>",
            bits(prime), x + 0.75, (wide - 1.5).max(0.5)
        ));
        if wide > 22.0 {
            rects.push_str(&format!(
                "<text class=\"prime\" x=\"{:.1}\" y=\"21\">{:.0}</text>",
                x + wide / 2.0,
                bits(prime)
            ));
        }
        rects.push_str("</g>");
        x += wide;
    }
    let limit = match content.limit {
        Some((limit, security)) => format!(
            "{total:.0} of the {limit} bits that {security}-bit security allows at ring degree {}",
            grouped(parameters.degree())
        ),
        None => format!(
            "{total:.0} bits at ring degree {}",
            grouped(parameters.degree())
        ),
    };
    format!(
        "<figure class=\"chain\"><svg role=\"img\" aria-label=\"The primes of the modulus\" viewBox=\"0 0 {width} {height}\">\
         <rect class=\"well\" width=\"{width}\" height=\"{height}\" rx=\"2\"/>{rects}</svg>\
         <figcaption>{limit}: the base, {} that layers spend from right to left, and {} special.</figcaption></figure>\n",
        crate::terminal::counted(parameters.moduli.len().saturating_sub(1), "prime"),
        parameters.special_moduli.len(),
    )
}
