//! Text that is safe in a page, and numbers that read well in one.

/// Escapes text for elements and quoted attributes. Control characters, and those that change the direction of
/// text, become a replacement character: names come from model files, and may try to pass for something else.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => safe.push('\u{fffd}'),
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// At most so many characters, the last one an ellipsis where some are missing.
pub(super) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// `12 × 5 × 5`, or `scalar`.
pub(super) fn shape(extents: &[usize]) -> String {
    if extents.is_empty() {
        return "scalar".to_owned();
    }
    let extents: Vec<String> = extents.iter().map(usize::to_string).collect();
    extents.join(" × ")
}

/// A whole number with thin spaces between thousands.
pub(super) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) && digits.len() > 4 {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A small quantity: `4.2 × 10⁻⁶`.
pub(super) fn scientific(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    if (0.01..1000.0).contains(&value.abs()) {
        return plain(value);
    }
    let text = format!("{value:.1e}");
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text;
    };
    let raised: String = exponent
        .chars()
        .map(|character| match character {
            '-' => '⁻',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            digit => digit
                .to_digit(10)
                .and_then(|digit| char::from_u32('⁰' as u32 + digit))
                .unwrap_or(digit),
        })
        .collect();
    format!("{mantissa} × 10{raised}")
}

/// Three significant digits, without trailing zeros.
pub(super) fn plain(value: f64) -> String {
    let digits = (2 - value.abs().max(1e-300).log10().floor() as i32).clamp(0, 6) as usize;
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A share as a percentage: `< 1 %`, `31 %`.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        zero if zero <= 0.0 => "0 %".to_owned(),
        small if small < 1.0 => "< 1 %".to_owned(),
        other => format!("{other:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_its_place() {
        assert_eq!(
            escape("<script>alert(\"1\")</script> & 'x'"),
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39;"
        );
        assert_eq!(escape("a\u{0}b\u{202e}c\n"), "a\u{fffd}b\u{fffd}c\u{fffd}");
        assert_eq!(escape("größe → 5×5"), "größe → 5×5");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(shorten("convolution", 5), "conv…");
        assert_eq!(shorten("conv", 5), "conv");
        assert_eq!(shape(&[5, 13, 13]), "5 × 13 × 13");
        assert_eq!(shape(&[]), "scalar");
        assert_eq!(
            (grouped(1024), grouped(16384)),
            ("1024".into(), "16\u{202f}384".into())
        );
        assert_eq!(scientific(4.2e-6), "4.2 × 10⁻⁶");
        assert_eq!(scientific(1.5e13), "1.5 × 10¹³");
        assert_eq!(
            (scientific(0.0), scientific(0.5)),
            ("0".into(), "0.5".into())
        );
        assert_eq!(
            (plain(12.345), plain(-7.0), plain(0.0)),
            ("12.3".into(), "-7".into(), "0".into())
        );
        assert_eq!(
            (percent(0.004), percent(0.314), percent(0.0)),
            ("< 1 %".into(), "31 %".into(), "0 %".into())
        );
    }
}
