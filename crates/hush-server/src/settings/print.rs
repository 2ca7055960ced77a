//! What is set and by whom, as a file that the server reads again.

use std::fmt::Write;

use super::table::{SETTINGS, Shape};
use super::{Layers, Origin};

/// Prints every setting with its value, and beside it who set it.
#[must_use]
pub fn print(layers: &Layers) -> String {
    let mut text = String::new();
    let mut heading = "";
    for setting in SETTINGS {
        if setting.heading != heading {
            heading = setting.heading;
            let gap = if text.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}# {heading}");
        }
        let given = layers.given(setting);
        let quoted = |value: &String| toml::Value::from(value.as_str()).to_string();
        let mut values = given.values.iter();
        let value = match setting.shape {
            Shape::Many => format!("[{}]", values.map(quoted).collect::<Vec<_>>().join(", ")),
            Shape::Truth => values.next().cloned().unwrap_or_else(|| "false".into()),
            Shape::One => values.next().map_or_else(|| "\"\"".into(), quoted),
        };
        let line = format!("{} = {value}", setting.key);
        let _ = match given.origin {
            Origin::Default => writeln!(text, "{line}"),
            origin => writeln!(text, "{line:<40} # {origin}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read() {
        let layers = Layers::default()
            .with("models", "a,b")
            .and_then(|layers| layers.with("memory", "3 GiB"))
            .and_then(|layers| layers.with("demo-models", "true"))
            .unwrap();
        let printed = print(&layers);
        assert!(printed.contains("models = [\"a\", \"b\"]"), "{printed}");
        let memory = "memory = \"3 GiB\"                         # the flag --memory\n";
        assert!(printed.contains(memory), "{printed}");
        let again = Layers::default().with_file("printed", &printed).unwrap();
        for setting in SETTINGS {
            assert_eq!(again.given(setting).values, layers.given(setting).values);
        }
    }
}
