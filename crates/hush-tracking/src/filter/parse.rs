//! From words to comparisons and orders.

use super::lexer::{Token, tokens};
use super::{Comparison, Operand, Operator, Ordering};
use crate::TrackingError;

/// Longest filter; each comparison costs a join.
const LONGEST: usize = 100_000;
/// Most comparisons.
const MOST: usize = 50;

/// Reads a filter: comparisons with `AND` between them.
pub(crate) fn parse(filter: &str) -> Result<Vec<Comparison>, TrackingError> {
    if filter.len() > LONGEST {
        return Err(TrackingError::invalid(
            "the filter is longer than 100000 bytes",
        ));
    }
    let tokens = tokens(filter)?;
    let mut rest = tokens.as_slice();
    let mut comparisons = Vec::new();
    while !rest.is_empty() {
        if !comparisons.is_empty() {
            rest = match rest.split_first() {
                Some((token, after)) if is_word(token, "and") => after,
                _ => return Err(broken(filter)),
            };
        }
        let (comparison, after) = comparison(rest).ok_or_else(|| broken(filter))?;
        comparisons.push(comparison);
        rest = after;
    }
    if comparisons.len() > MOST {
        return Err(TrackingError::invalid(
            "the filter has more than 50 comparisons",
        ));
    }
    Ok(comparisons)
}

fn broken(filter: &str) -> TrackingError {
    TrackingError::invalid(format!("Invalid clause(s) in filter string: '{filter}'"))
}

fn is_word(token: &Token, word: &str) -> bool {
    matches!(token, Token::Name(parts) if parts.len() == 1 && parts[0].eq_ignore_ascii_case(word))
}

fn comparison(tokens: &[Token]) -> Option<(Comparison, &[Token])> {
    let (first, rest) = tokens.split_first()?;
    let (entity, key) = match first {
        Token::Name(parts) => split(parts)?,
        Token::Text(text, true) => (None, text.clone()),
        _ => return None,
    };
    let (operator, rest) = operator(rest)?;
    let (operand, rest) = match operator {
        Operator::IsNull | Operator::IsNotNull => (Operand::Nothing, rest),
        Operator::In | Operator::NotIn => list(rest)?,
        _ => match rest.split_first()? {
            (Token::Number(number), rest) => (Operand::Number(*number), rest),
            (Token::Text(text, _), rest) => (Operand::Text(text.clone()), rest),
            // Python's sqlparse takes these for numbers no more than we do, but they are what people mean.
            (Token::Name(parts), rest) => match parts.as_slice() {
                [word] if word.eq_ignore_ascii_case("true") => (Operand::Text("true".into()), rest),
                [word] if word.eq_ignore_ascii_case("false") => {
                    (Operand::Text("false".into()), rest)
                }
                _ => return None,
            },
            _ => return None,
        },
    };
    let comparison = Comparison {
        entity,
        key,
        operator,
        operand,
    };
    Some((comparison, rest))
}

fn split(parts: &[String]) -> Option<(Option<String>, String)> {
    match parts {
        [] => None,
        [key] => Some((None, key.clone())),
        [entity, key @ ..] => Some((Some(entity.clone()), key.join("."))),
    }
}

fn operator(tokens: &[Token]) -> Option<(Operator, &[Token])> {
    let word = |token: &Token, word| is_word(token, word);
    match tokens {
        [Token::Sign(sign), rest @ ..] => {
            let operator = match *sign {
                "=" => Operator::Equal,
                "!=" => Operator::NotEqual,
                "<" => Operator::Less,
                "<=" => Operator::LessOrEqual,
                ">" => Operator::Greater,
                ">=" => Operator::GreaterOrEqual,
                _ => return None,
            };
            Some((operator, rest))
        }
        [first, rest @ ..] if word(first, "like") => Some((Operator::Like, rest)),
        [first, rest @ ..] if word(first, "ilike") => Some((Operator::LikeAnyCase, rest)),
        [first, rest @ ..] if word(first, "in") => Some((Operator::In, rest)),
        [not, is_in, rest @ ..] if word(not, "not") && word(is_in, "in") => {
            Some((Operator::NotIn, rest))
        }
        [is, not, null, rest @ ..] if word(is, "is") && word(not, "not") && word(null, "null") => {
            Some((Operator::IsNotNull, rest))
        }
        [is, null, rest @ ..] if word(is, "is") && word(null, "null") => {
            Some((Operator::IsNull, rest))
        }
        _ => None,
    }
}

fn list(tokens: &[Token]) -> Option<(Operand, &[Token])> {
    let (Token::Sign("("), mut rest) = tokens.split_first()? else {
        return None;
    };
    let mut texts = Vec::new();
    loop {
        let text;
        (text, rest) = match rest.split_first()? {
            (Token::Text(text, _), rest) => (text.clone(), rest),
            _ => return None,
        };
        texts.push(text);
        match rest.split_first()? {
            (Token::Sign(","), after) => rest = after,
            (Token::Sign(")"), after) => return Some((Operand::Texts(texts), after)),
            _ => return None,
        }
    }
}

/// Reads one clause of an order.
pub(crate) fn order(clause: &str) -> Result<Ordering, TrackingError> {
    let broken = || {
        TrackingError::invalid(format!(
            "Invalid order_by clause '{clause}'. Could not be parsed."
        ))
    };
    let tokens = tokens(clause).map_err(|_| broken())?;
    let (name, direction) = match tokens.as_slice() {
        [name] => (name, true),
        [name, word] if is_word(word, "asc") => (name, true),
        [name, word] if is_word(word, "desc") => (name, false),
        _ => return Err(broken()),
    };
    let (entity, key) = match name {
        Token::Name(parts) => split(parts).ok_or_else(broken)?,
        Token::Text(text, true) => (None, text.clone()),
        _ => return Err(broken()),
    };
    Ok(Ordering {
        entity,
        key,
        ascending: direction,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(filter: &str) -> (Option<String>, String, Operator, Operand) {
        let mut parsed = parse(filter).unwrap();
        assert_eq!(parsed.len(), 1, "{filter}");
        let Comparison {
            entity,
            key,
            operator,
            operand,
        } = parsed.remove(0);
        (entity, key, operator, operand)
    }

    #[test]
    fn comparisons() {
        let text = |text: &str| Operand::Text(text.into());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            one("metrics.a < 1e-3"),
            (
                some("metrics"),
                "a".into(),
                Operator::Less,
                Operand::Number(1e-3)
            )
        );
        assert_eq!(
            one("tags.mlflow.parentRunId='it''s'"),
            (
                some("tags"),
                "mlflow.parentRunId".into(),
                Operator::Equal,
                text("it's")
            )
        );
        assert_eq!(
            one("params.`a b` != \"x\""),
            (some("params"), "a b".into(), Operator::NotEqual, text("x"))
        );
        assert_eq!(
            one("tag.\"a.b c\" ILIKE '%x'"),
            (
                some("tag"),
                "a.b c".into(),
                Operator::LikeAnyCase,
                text("%x")
            )
        );
        assert_eq!(
            one("name LIKE 'a%'"),
            (None, "name".into(), Operator::Like, text("a%"))
        );
        assert_eq!(
            one("attributes.run_id NOT IN ('a', 'b')"),
            (
                some("attributes"),
                "run_id".into(),
                Operator::NotIn,
                Operand::Texts(vec!["a".into(), "b".into()])
            )
        );
        assert_eq!(
            one("tags.a IS NOT NULL"),
            (
                some("tags"),
                "a".into(),
                Operator::IsNotNull,
                Operand::Nothing
            )
        );
        assert_eq!(
            parse("a = 'x' AND b.c >= -2 and d in ('y')").unwrap().len(),
            3
        );
        assert!(parse("  ").unwrap().is_empty());
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for filter in [
            "a = 'x' OR b = 'y'",
            "a =",
            "= 'x'",
            "a = 'x",
            "(a = 'x')",
            "a IN ()",
            "a IN ('x'",
            "a b",
            "a = 'x' b = 'y'",
            "a = 'x' and",
            "a == 'x'",
            "; drop table runs",
            "a = x",
        ] {
            assert!(parse(filter).is_err(), "{filter}");
        }
    }

    #[test]
    fn orders() {
        let clause = order("metrics.`a b` DESC").unwrap();
        assert_eq!(
            (
                clause.entity.as_deref(),
                clause.key.as_str(),
                clause.ascending
            ),
            (Some("metrics"), "a b", false)
        );
        assert!(order("start_time").unwrap().ascending);
        for wrong in ["", "a DOWN", "a ASC b", "'a'", "1"] {
            assert!(order(wrong).is_err(), "{wrong}");
        }
    }
}
