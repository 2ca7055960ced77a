//! The language of searches: `metrics.loss < 0.1 and params.model = 'mlp'`, ordered by `metrics.loss ASC`.
//!
//! Text becomes [`Comparison`]s and [`Ordering`]s here, once. Each search turns them into conditions of its own, where
//! names of columns come from tables of the program and whatever the caller wrote is a bound parameter.

mod lexer;
mod parse;
mod sql;

pub(crate) use parse::{order, parse};
pub(crate) use sql::{Ordered, Query, compare};

/// `entity.key operator operand`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// What stands before the first dot; none for `name = 'x'`.
    pub(crate) entity: Option<String>,
    pub(crate) key: String,
    pub(crate) operator: Operator,
    pub(crate) operand: Operand,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// `%` and `_` stand for others.
    Like,
    /// The same whatever the case.
    LikeAnyCase,
    In,
    NotIn,
    IsNull,
    IsNotNull,
}

impl Operator {
    /// As people write it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Like => "LIKE",
            Self::LikeAnyCase => "ILIKE",
            Self::In => "IN",
            Self::NotIn => "NOT IN",
            Self::IsNull => "IS NULL",
            Self::IsNotNull => "IS NOT NULL",
        }
    }

    pub(crate) fn compares_numbers(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Less
                | Self::LessOrEqual
                | Self::Greater
                | Self::GreaterOrEqual
        )
    }

    pub(crate) fn compares_texts(self) -> bool {
        matches!(
            self,
            Self::Equal | Self::NotEqual | Self::Like | Self::LikeAnyCase
        )
    }

    pub(crate) fn is_list(self) -> bool {
        matches!(self, Self::In | Self::NotIn)
    }

    pub(crate) fn is_null(self) -> bool {
        matches!(self, Self::IsNull | Self::IsNotNull)
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Number(f64),
    Text(String),
    Texts(Vec<String>),
    Nothing,
}

/// `entity.key ASC`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ordering {
    pub(crate) entity: Option<String>,
    pub(crate) key: String,
    pub(crate) ascending: bool,
}
