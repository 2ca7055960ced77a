//! Words, names, values and signs of a filter.

use crate::TrackingError;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A name or a keyword, with the parts that dots separate; what stood in quotes is one part.
    Name(Vec<String>),
    /// In quotes; the flag says whether they were double, which names may have too.
    Text(String, bool),
    Number(f64),
    Sign(&'static str),
}

const SIGNS: [&str; 9] = ["<=", ">=", "!=", "=", "<", ">", "(", ")", ","];

/// Takes a filter apart.
pub(super) fn tokens(filter: &str) -> Result<Vec<Token>, TrackingError> {
    let broken =
        || TrackingError::invalid(format!("Invalid clause(s) in filter string: '{filter}'"));
    let mut tokens = Vec::new();
    let mut rest = filter.trim_start();
    while let Some(first) = rest.chars().next() {
        if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            tokens.push(Token::Sign(sign));
            rest = &rest[sign.len()..];
        } else if first == '\'' {
            let (text, after) = quoted(rest, '\'').ok_or_else(broken)?;
            tokens.push(Token::Text(text, false));
            rest = after;
        } else if first.is_ascii_digit() || matches!(first, '-' | '+' | '.') {
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')))
                .unwrap_or(rest.len());
            let number = rest[..end].parse().map_err(|_| broken())?;
            tokens.push(Token::Number(number));
            rest = &rest[end..];
        } else {
            let (token, after) = name(rest).ok_or_else(broken)?;
            tokens.push(token);
            rest = after;
        }
        rest = rest.trim_start();
    }
    Ok(tokens)
}

/// `a.b`, ``a.`b c` ``, `a."b c"`; or a text in double quotes.
fn name(mut rest: &str) -> Option<(Token, &str)> {
    let mut parts: Vec<String> = Vec::new();
    let mut double = false;
    loop {
        let first = rest.chars().next()?;
        if first == '`' || first == '"' {
            let (text, after) = quoted(rest, first)?;
            double |= first == '"';
            parts.push(text);
            rest = after;
        } else {
            let plain =
                |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':' | '$' | '@');
            let end = rest.find(|c: char| !plain(c)).unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            parts.push(rest[..end].to_owned());
            rest = &rest[end..];
        }
        match rest.strip_prefix('.') {
            Some(after) => rest = after,
            None => break,
        }
    }
    let token = match parts.as_mut_slice() {
        [text] if double => Token::Text(std::mem::take(text), true),
        _ => Token::Name(parts),
    };
    Some((token, rest))
}

/// A text up to the quote that ends it; two of them stand for one.
fn quoted(rest: &str, quote: char) -> Option<(String, &str)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character != quote {
            text.push(character);
        } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
            characters.next();
            text.push(quote);
        } else {
            return Some((text, &rest[index + 1..]));
        }
    }
    None
}
