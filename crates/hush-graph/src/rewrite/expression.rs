//! Values as scalar functions of an earlier value.

use crate::{BinaryOperator, Function, Graph, Node, Operator, Polynomial, ValueId};
use std::collections::{BTreeMap, BTreeSet};

/// Merging stops above this degree: higher powers lose too many digits.
pub(super) const LARGEST_DEGREE: usize = 31;

/// How many nodes one expression may stand for; bounds the work on long chains.
const LARGEST_NODES: usize = 64;

/// How many bases are followed for each value.
const LARGEST_BASES: usize = 8;

/// `sum(x)`, or `sum(x) + factor(x) · function(argument(x))`, where `x` is the base.
///
/// In this form the order in which a model adds and multiplies no longer shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expression {
    pub(super) sum: Polynomial,
    pub(super) product: Option<Product>,
    /// Positions of the nodes that this expression stands for.
    pub(super) nodes: BTreeSet<usize>,
}

/// `factor(x) · function(argument(x))`
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Product {
    pub(super) factor: Polynomial,
    pub(super) function: Function,
    pub(super) argument: Polynomial,
}

/// The expressions of one value, by base.
pub(super) type Expressions = BTreeMap<ValueId, Expression>;

/// For each value (by index) its expressions over itself and over earlier values.
pub(super) fn expressions(graph: &Graph) -> Vec<Expressions> {
    let mut known: Vec<Expressions> = vec![BTreeMap::new(); graph.values().len()];
    for &input in graph.inputs() {
        known[input.index()].insert(input, Expression::identity());
    }
    for (position, node) in graph.nodes().iter().enumerate() {
        let mut found = derive(node, &known);
        for expression in found.values_mut() {
            expression.nodes.insert(position);
        }
        found.retain(|_, expression| expression.nodes.len() <= LARGEST_NODES);
        while found.len() > LARGEST_BASES {
            found.pop_last();
        }
        found.insert(node.output, Expression::identity());
        known[node.output.index()] = found;
    }
    known
}

fn derive(node: &Node, known: &[Expressions]) -> Expressions {
    let operand = |position: usize| &known[node.inputs[position].index()];
    let over_each_base = |position: usize, function: &dyn Fn(&Expression) -> Option<Expression>| {
        let pairs = operand(position).iter();
        pairs
            .filter_map(|(&base, expression)| Some((base, function(expression)?)))
            .collect()
    };
    match &node.operator {
        Operator::Affine { scale, offset } => match (scale.as_scalar(), offset.as_scalar()) {
            (Some(scale), Some(offset)) => over_each_base(0, &|x| Some(x.affine(scale, offset))),
            _ => BTreeMap::new(),
        },
        Operator::Elementwise(Function::Polynomial(polynomial)) => {
            over_each_base(0, &|x| x.substitute_into(polynomial))
        }
        Operator::Elementwise(function @ (Function::Sigmoid | Function::Erf | Function::Tanh)) => {
            over_each_base(0, &|x| x.argument_of(function))
        }
        Operator::Binary(BinaryOperator::Multiply) if node.inputs[0] == node.inputs[1] => {
            over_each_base(0, &|x| x.substitute_into(&Polynomial::monomial(2)))
        }
        Operator::Binary(binary) => {
            let shared = operand(0).iter();
            shared
                .filter_map(|(&base, left)| {
                    Some((base, left.combine(*binary, operand(1).get(&base)?)?))
                })
                .collect()
        }
        _ => BTreeMap::new(),
    }
}

impl Expression {
    fn identity() -> Expression {
        Expression {
            sum: Polynomial::identity(),
            product: None,
            nodes: BTreeSet::new(),
        }
    }

    /// The polynomial, if there is nothing else.
    pub(super) fn as_polynomial(&self) -> Option<&Polynomial> {
        if self.product.is_none() {
            Some(&self.sum)
        } else {
            None
        }
    }

    fn affine(&self, scale: f64, offset: f64) -> Expression {
        let product = self.product.as_ref();
        Expression {
            sum: self.sum.scale(scale).add(&Polynomial::new(vec![offset])),
            product: product.and_then(|product| product.times(&Polynomial::new(vec![scale]))),
            nodes: self.nodes.clone(),
        }
    }

    /// `polynomial(self)`, unless that would expand powers of a shifted base, `(x + c)^n`, whose
    /// terms cancel each other: there the shifted value is the better base.
    fn substitute_into(&self, polynomial: &Polynomial) -> Option<Expression> {
        let inner = self.as_polynomial()?;
        let is_shift = inner.degree() == 1 && inner.coefficients()[0] != 0.0;
        if polynomial.degree() * inner.degree() > LARGEST_DEGREE
            || (polynomial.degree() > 1 && is_shift)
        {
            return None;
        }
        let sum = polynomial.compose(inner);
        Some(Expression {
            sum,
            product: None,
            nodes: self.nodes.clone(),
        })
    }

    fn argument_of(&self, function: &Function) -> Option<Expression> {
        let argument = self.as_polynomial()?.clone();
        let factor = Polynomial::new(vec![1.0]);
        Some(Expression {
            sum: Polynomial::new(vec![]),
            product: Some(Product {
                factor,
                function: function.clone(),
                argument,
            }),
            nodes: self.nodes.clone(),
        })
    }

    fn combine(&self, binary: BinaryOperator, other: &Expression) -> Option<Expression> {
        let (sum, product) = match binary {
            BinaryOperator::Add => self.add(other)?,
            BinaryOperator::Subtract => self.add(&other.affine(-1.0, 0.0))?,
            BinaryOperator::Multiply => self.multiply(other)?,
            BinaryOperator::Maximum | BinaryOperator::Minimum => return None,
        };
        let nodes = self.nodes.union(&other.nodes).copied().collect();
        Some(Expression {
            sum,
            product,
            nodes,
        })
    }

    fn add(&self, other: &Expression) -> Option<(Polynomial, Option<Product>)> {
        let product = match (&self.product, &other.product) {
            (Some(left), Some(right)) => left.plus(right)?,
            (left, right) => left.clone().or_else(|| right.clone()),
        };
        Some((self.sum.add(&other.sum), product))
    }

    fn multiply(&self, other: &Expression) -> Option<(Polynomial, Option<Product>)> {
        let (product, polynomial) = match (self.as_polynomial(), other.as_polynomial()) {
            (Some(polynomial), _) => (&other.product, polynomial),
            (None, Some(polynomial)) => (&self.product, polynomial),
            (None, None) => return None,
        };
        let product_degree = product
            .as_ref()
            .map_or(0, |product| product.factor.degree());
        let degree = self.sum.degree() + other.sum.degree();
        if degree.max(product_degree + polynomial.degree()) > LARGEST_DEGREE {
            return None;
        }
        let product = product
            .as_ref()
            .and_then(|product| product.times(polynomial));
        Some((self.sum.multiply(&other.sum), product))
    }
}

impl Product {
    /// `None` if nothing remains.
    fn times(&self, polynomial: &Polynomial) -> Option<Product> {
        let factor = self.factor.multiply(polynomial);
        if factor.is_zero() {
            None
        } else {
            Some(Product {
                factor,
                ..self.clone()
            })
        }
    }

    /// `None` if the functions differ; `Some(None)` if the sum vanishes.
    fn plus(&self, other: &Product) -> Option<Option<Product>> {
        if self.function != other.function || self.argument != other.argument {
            return None;
        }
        let factor = self.factor.add(&other.factor);
        Some(if factor.is_zero() {
            None
        } else {
            Some(Product {
                factor,
                ..self.clone()
            })
        })
    }
}
