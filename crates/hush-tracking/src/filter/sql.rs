//! Conditions, orders and pages as SQL with bound parameters.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Operand, Operator};
use crate::TrackingError;
use crate::database::{Row, Session, Value};

/// A query that grows by joins, conditions and orders.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// The expression that names a row; `SELECT` begins with it.
    select: &'static str,
    from: String,
    joined: Vec<Value>,
    conditions: Vec<String>,
    bound: Vec<Value>,
    order: Vec<Ordered>,
    aliases: usize,
}

/// An expression that is never null, and its direction.
#[derive(Clone, Debug)]
pub(crate) struct Ordered {
    pub(crate) expression: String,
    pub(crate) ascending: bool,
    pub(crate) kind: Kind,
}

/// What an expression gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Real,
    Text,
}

impl Ordered {
    /// By a column, which holds numbers or texts.
    pub(crate) fn column((column, number): (&str, bool), ascending: bool) -> Self {
        if number {
            Self::integer(column, ascending)
        } else {
            Self::text(column, ascending)
        }
    }

    pub(crate) fn integer(expression: impl Into<String>, ascending: bool) -> Self {
        Self {
            expression: expression.into(),
            ascending,
            kind: Kind::Integer,
        }
    }

    pub(crate) fn real(expression: impl Into<String>, ascending: bool) -> Self {
        Self {
            expression: expression.into(),
            ascending,
            kind: Kind::Real,
        }
    }

    pub(crate) fn text(expression: impl Into<String>, ascending: bool) -> Self {
        Self {
            expression: expression.into(),
            ascending,
            kind: Kind::Text,
        }
    }
}

impl Query {
    pub(crate) fn new(select: &'static str, from: &str) -> Self {
        Self {
            select,
            from: from.to_owned(),
            joined: Vec::new(),
            conditions: Vec::new(),
            bound: Vec::new(),
            order: Vec::new(),
            aliases: 0,
        }
    }

    /// A name for a table that no other join has.
    pub(crate) fn alias(&mut self, letter: char) -> String {
        self.aliases += 1;
        format!("{letter}{}", self.aliases)
    }

    /// Adds a join; `?` stand for the values.
    pub(crate) fn join(&mut self, text: &str, values: impl IntoIterator<Item = Value>) {
        self.from.push(' ');
        self.from.push_str(text);
        self.joined.extend(values);
    }

    /// Adds a condition.
    pub(crate) fn filter(
        &mut self,
        text: impl Into<String>,
        values: impl IntoIterator<Item = Value>,
    ) {
        self.conditions.push(text.into());
        self.bound.extend(values);
    }

    /// Adds what rows are ordered by next.
    pub(crate) fn order(&mut self, by: Ordered) {
        let known = self
            .order
            .iter()
            .any(|other| other.expression == by.expression);
        if !known {
            self.order.push(by);
        }
    }

    /// Which rows have these numbers.
    pub(crate) fn among(&mut self, column: &str, numbers: &[i64]) {
        match numbers {
            [one] => self.filter(format!("{column} = ?"), [Value::Integer(*one)]),
            many => self.filter(
                format!("{column} = ANY(?)"),
                [Value::Integers(many.to_vec())],
            ),
        }
    }

    /// Numbers of the rows of the page after `token`, and the token of the next.
    pub(crate) fn page(
        self,
        session: &mut Session<'_>,
        size: usize,
        token: Option<&str>,
    ) -> Result<(Vec<i64>, Option<String>), TrackingError> {
        self.rows(session, 1, size, token, |row| row.integer(0))
    }

    /// Rows of the page after `token`, each read from the `columns` that are selected, and the token of the next page.
    pub(crate) fn rows<T>(
        mut self,
        session: &mut Session<'_>,
        columns: usize,
        size: usize,
        token: Option<&str>,
        mut read: impl FnMut(&Row<'_>) -> Result<T, TrackingError>,
    ) -> Result<(Vec<T>, Option<String>), TrackingError> {
        if let Some(token) = token.filter(|token| !token.is_empty()) {
            self.after(token)?;
        }
        let mut sql = format!("SELECT {}", self.select);
        for by in &self.order {
            sql.push_str(", ");
            sql.push_str(&by.expression);
        }
        sql.push_str(" FROM ");
        sql.push_str(&self.from);
        for (index, condition) in self.conditions.iter().enumerate() {
            sql.push_str(if index == 0 { " WHERE " } else { " AND " });
            sql.push_str(condition);
        }
        for (index, by) in self.order.iter().enumerate() {
            sql.push_str(if index == 0 { " ORDER BY " } else { ", " });
            sql.push_str(&by.expression);
            sql.push_str(if by.ascending { " ASC" } else { " DESC" });
        }
        sql.push_str(" LIMIT ?");
        let mut values = self.joined;
        values.append(&mut self.bound);
        values.push(Value::Integer(size as i64 + 1));
        let mut last = Vec::new();
        let mut count = 0;
        let mut items = session.query(&sql, &values, |row| {
            count += 1;
            if count == size {
                last = place(row, columns, &self.order)?;
            }
            read(row)
        })?;
        let more = items.len() > size;
        items.truncate(size);
        Ok((items, (more && size > 0).then(|| write_token(&last))))
    }

    /// Leaves out what was on earlier pages: everything up to the place of the token.
    fn after(&mut self, token: &str) -> Result<(), TrackingError> {
        let places = read_token(token, &self.order)?;
        let mut text = String::from("(");
        let mut values = Vec::new();
        for (index, by) in self.order.iter().enumerate() {
            if index > 0 {
                text.push_str(" OR ");
            }
            text.push('(');
            for (equal, place) in self.order[..index].iter().zip(&places) {
                text.push_str(&format!("{} = ? AND ", equal.expression));
                values.push(place.clone());
            }
            let sign = if by.ascending { ">" } else { "<" };
            text.push_str(&format!("{} {sign} ?)", by.expression));
            values.push(places[index].clone());
        }
        text.push(')');
        self.filter(text, values);
        if let (Some(by), Some(place)) = (self.order.first(), places.first()) {
            // The same once more for the first alone, which an index can use.
            let sign = if by.ascending { ">=" } else { "<=" };
            self.filter(format!("{} {sign} ?", by.expression), [place.clone()]);
        }
        Ok(())
    }
}

/// Where a row stands in the order.
fn place(row: &Row<'_>, columns: usize, order: &[Ordered]) -> Result<Vec<Value>, TrackingError> {
    let value = |(index, by): (usize, &Ordered)| {
        Ok(match by.kind {
            Kind::Integer => Value::Integer(row.integer(index + columns)?),
            Kind::Real => Value::Real(row.real(index + columns)?),
            Kind::Text => Value::Text(row.text(index + columns)?),
        })
    };
    order.iter().enumerate().map(value).collect()
}

/// A place as a token: every value exactly.
fn write_token(places: &[Value]) -> String {
    let text = |value: &Value| match value {
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{:016x}", number.to_bits()),
        Value::Text(text) => text.clone(),
        _ => String::new(),
    };
    let texts: Vec<String> = places.iter().map(text).collect();
    URL_SAFE_NO_PAD.encode(serde_json::Value::from(texts).to_string())
}

fn read_token(token: &str, order: &[Ordered]) -> Result<Vec<Value>, TrackingError> {
    let read = || {
        let json = URL_SAFE_NO_PAD.decode(token.trim_end_matches('=')).ok()?;
        let json: serde_json::Value = serde_json::from_slice(&json).ok()?;
        let texts = json.as_array()?;
        if texts.len() != order.len() {
            return None;
        }
        let value = |(text, by): (&serde_json::Value, &Ordered)| {
            let text = text.as_str()?;
            Some(match by.kind {
                Kind::Integer => Value::Integer(text.parse().ok()?),
                Kind::Real => Value::Real(f64::from_bits(u64::from_str_radix(text, 16).ok()?)),
                Kind::Text => Value::Text(text.to_owned()),
            })
        };
        texts.iter().zip(order).map(value).collect()
    };
    read().ok_or_else(|| TrackingError::invalid("Invalid page token, could not base64-decode"))
}

/// `column operator operand` as a condition on one column.
pub(crate) fn compare(column: &str, operator: Operator, operand: &Operand) -> (String, Vec<Value>) {
    let value = match operand {
        Operand::Number(number) => Value::Real(*number),
        Operand::Text(text) => Value::Text(text.clone()),
        Operand::Texts(texts) => Value::Texts(texts.clone()),
        Operand::Nothing => Value::Null,
    };
    match operator {
        Operator::LikeAnyCase => {
            let lower = match value {
                Value::Text(text) => Value::Text(text.to_lowercase()),
                other => other,
            };
            (format!("lower({column}) LIKE ?"), vec![lower])
        }
        Operator::In => (format!("{column} = ANY(?)"), vec![value]),
        Operator::NotIn => (format!("NOT ({column} = ANY(?))"), vec![value]),
        Operator::IsNull | Operator::IsNotNull => {
            (format!("{column} {}", operator.name()), Vec::new())
        }
        _ => (format!("{column} {} ?", operator.name()), vec![value]),
    }
}
