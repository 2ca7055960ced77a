//! Splits Rust source into code and comments, so that a rule about code is not misled by a string or a comment.

/// Two views of one source; both have the lines of the source, and spaces where the rest stood.
#[derive(Debug)]
pub(crate) struct Views {
    /// Code without comments and without the insides of string and character literals.
    pub(crate) code: String,
    /// Comments only.
    pub(crate) comments: String,
}

/// Splits `source`. Unterminated literals and comments run to the end.
pub(crate) fn split(source: &str) -> Views {
    let text: Vec<char> = source.chars().collect();
    let mut views = Views {
        code: String::new(),
        comments: String::new(),
    };
    let mut at = 0;
    while at < text.len() {
        let (end, part) = token(&text, at);
        for &character in &text[at..end] {
            let blank = if character == '\n' { '\n' } else { ' ' };
            let (code, comment) = match part {
                Part::Code => (character, blank),
                Part::Literal => (blank, blank),
                Part::Comment => (blank, character),
            };
            views.code.push(code);
            views.comments.push(comment);
        }
        at = end;
    }
    views
}

#[derive(Clone, Copy)]
enum Part {
    Code,
    Literal,
    Comment,
}

/// Where the token that starts at `at` ends, and what it is.
fn token(text: &[char], at: usize) -> (usize, Part) {
    let here = |offset: usize| text.get(at + offset).copied().unwrap_or('\0');
    match (here(0), here(1)) {
        ('/', '/') => {
            let length = text[at..]
                .iter()
                .position(|&c| c == '\n')
                .unwrap_or(text.len() - at);
            (at + length, Part::Comment)
        }
        ('/', '*') => (block_comment_end(text, at), Part::Comment),
        ('"', _) => (string_end(text, at), Part::Literal),
        ('\'', next) if next == '\\' || here(2) == '\'' => (character_end(text, at), Part::Literal),
        (first, _) if first.is_alphanumeric() || first == '_' => word_end(text, at),
        _ => (at + 1, Part::Code),
    }
}

/// A word, or the raw string that the word is the prefix of.
fn word_end(text: &[char], at: usize) -> (usize, Part) {
    let mut end = at;
    while end < text.len() && (text[end].is_alphanumeric() || text[end] == '_') {
        end += 1;
    }
    let prefix: String = text[at..end].iter().collect();
    if !matches!(prefix.as_str(), "r" | "br" | "cr") {
        return (end, Part::Code);
    }
    let hashes = text[end..].iter().take_while(|&&c| c == '#').count();
    if text.get(end + hashes) != Some(&'"') {
        return (end, Part::Code);
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', hashes));
    let body = end + hashes + 1;
    let length = text[body..]
        .windows(close.len())
        .position(|window| window == close);
    (
        length.map_or(text.len(), |length| body + length + close.len()),
        Part::Literal,
    )
}

fn string_end(text: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < text.len() && text[end] != '"' {
        end += if text[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(text.len())
}

fn character_end(text: &[char], at: usize) -> usize {
    let mut end = at + 1;
    while end < text.len() && text[end] != '\'' {
        end += if text[end] == '\\' { 2 } else { 1 };
    }
    (end + 1).min(text.len())
}

fn block_comment_end(text: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut end = at;
    while end < text.len() {
        match (text[end], text.get(end + 1)) {
            ('/', Some('*')) => (depth, end) = (depth + 1, end + 2),
            ('*', Some('/')) => (depth, end) = (depth - 1, end + 2),
            _ => end += 1,
        }
        if depth == 0 {
            break;
        }
    }
    end.min(text.len())
}

/// Lines (from 1) of `text` that hold `word` with no letter, digit or underscore on either side.
pub(crate) fn lines_with_word(text: &str, word: &str) -> Vec<usize> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let found = |line: &str| {
        line.match_indices(word).any(|(start, _)| {
            let before = line[..start].chars().next_back();
            let after = line[start + word.len()..].chars().next();
            !before.is_some_and(inside) && !after.is_some_and(inside)
        })
    };
    text.lines()
        .enumerate()
        .filter(|(_, line)| found(line))
        .map(|(index, _)| index + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_no_code() {
        let source = "let a = \"danger // \\\" danger\"; // danger\n/* danger /* danger */ danger */ let b = r#\"danger \" danger\"#;";
        let views = split(source);
        assert!(!views.code.contains("danger"), "{}", views.code);
        assert!(
            views.code.contains("let a =") && views.code.contains("let b ="),
            "{}",
            views.code
        );
        assert_eq!(views.comments.matches("danger").count(), 4);
    }

    #[test]
    fn lifetimes_are_code_and_characters_are_not() {
        let views = split("fn f<'a>(x: &'a str) -> char { '\"' } // 'x'\nlet c = '\\''; danger");
        assert!(views.code.contains("&'a str"), "{}", views.code);
        assert!(views.code.contains("danger"), "{}", views.code);
        assert!(!views.code.contains('"'), "{}", views.code);
    }

    #[test]
    fn lines_stay() {
        let source = "a\n\"b\nc\"\n/* d\ne */\nf";
        let views = split(source);
        assert_eq!(views.code.lines().count(), source.lines().count());
        assert_eq!(lines_with_word(&views.code, "f"), [6]);
    }

    #[test]
    fn words_have_edges() {
        assert_eq!(
            lines_with_word("unsafe_code\nunsafe {}\nx.unsafe\nnounsafe", "unsafe"),
            [2, 3]
        );
    }

    #[test]
    fn unterminated_text_ends() {
        for source in ["\"abc", "/* abc", "r#\"abc", "'\\", "b'"] {
            assert_eq!(split(source).code.chars().count(), source.chars().count());
        }
    }
}
