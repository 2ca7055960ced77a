//! One node of a graph.

use hush_graph::{BinaryOperator, Movement, Node, Operator};
use hush_simd::Isa;
use hush_simd::words::{MatrixShape, Word, multiply_add_matrices};

use super::sparse::{public_matrix, selection, trained_matrix};
use super::weights::Weight;
use super::{Plan, Value, function};
use crate::operations::{self, Convolution2d};
use crate::operations::{ConvolutionMap, check_product};
use crate::{BilinearMap, Fixed, MpcError, Protocol, Secret};

/// What a node needs to know.
pub(super) struct Context<'a, W> {
    pub(super) plan: &'a Plan,
    pub(super) node: &'a Node,
    pub(super) weights: &'a [Weight<W>],
    /// The type of the result.
    pub(super) fixed: Fixed,
}

/// Why a node cannot be computed, if so.
pub(super) fn unsupported(node: &Node) -> Option<String> {
    match &node.operator {
        Operator::Convolution(convolution) if convolution.kernel().len() > 2 => {
            Some("convolutions over more than two axes are not supported".to_string())
        }
        Operator::Elementwise(function) => function::unsupported(function),
        Operator::Linear { .. }
        | Operator::Convolution(_)
        | Operator::Sparse(_)
        | Operator::Affine { .. }
        | Operator::Movement(_)
        | Operator::Binary(_)
        | Operator::Concatenate { .. }
        | Operator::Softmax { .. }
        | Operator::LogSoftmax { .. }
        | Operator::ArgMax { .. } => None,
        other => Some(format!("operator {} is not supported", other.name())),
    }
}

/// The value with nothing left to do, with the usual fraction.
pub(super) fn settled<W: Word>(
    protocol: &mut dyn Protocol<W>,
    value: Value<W>,
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let secret = if value.relu {
        operations::relu(protocol, &value.secret)?
    } else {
        value.secret
    };
    // Places of an arg-max stay whole numbers.
    if secret.fixed().fraction_bits == fixed.fraction_bits || secret.fixed().fraction_bits == 0 {
        return Ok(secret);
    }
    operations::rescale(protocol, &secret, fixed.fraction_bits)
}

pub(super) fn plain<W>(secret: Secret<W>) -> Value<W> {
    Value {
        secret,
        relu: false,
    }
}

pub(super) fn apply<W: Word>(
    protocol: &mut dyn Protocol<W>,
    context: Context<'_, W>,
    operands: Vec<Value<W>>,
) -> Result<Value<W>, MpcError> {
    let Context {
        plan,
        node,
        weights,
        fixed,
    } = context;
    let usual = plan.options.fixed;
    let shape = |batch: usize| plan.graph.value(node.output).shape.with_batch(batch);
    let batch = operands[0].secret.shape()[0];
    let mut operands = operands.into_iter();
    let mut next = || {
        operands
            .next()
            .expect("as many operands as the graph checked")
    };
    let result = match &node.operator {
        Operator::Movement(movement) => {
            let value = next();
            return Ok(Value {
                secret: moved(&value.secret, movement, plan, node)?,
                ..value
            });
        }
        Operator::Sparse(sparse) => {
            let value = next();
            if let Some(sources) = selection(sparse) {
                let size = sparse.matrix.columns();
                let all: Vec<usize> = (0..batch)
                    .flat_map(|sample| sources.iter().map(move |source| sample * size + source))
                    .collect();
                return Ok(Value {
                    secret: value.secret.gather(shape(batch), &all)?,
                    ..value
                });
            }
            let x = relu_only(protocol, value)?;
            if sparse.trained {
                trained_matrix(protocol, &x, sparse, weights, fixed, shape(batch))?
            } else {
                public_matrix(protocol, &x, sparse, shape(batch), fixed)?
            }
        }
        Operator::Linear { weight, bias } => {
            let x = relu_only(protocol, next())?;
            let (inputs, outputs) = (weight.shape()[1], weight.shape()[0]);
            let rows = x.len() / inputs;
            let map = Product(MatrixShape {
                rows,
                depth: inputs,
                columns: outputs,
            });
            let product = bilinear(protocol, &map, &x, &weights[0], fixed, shape(batch))?;
            add_bias(protocol, product, bias.is_some().then(|| &weights[1]), 1)?
        }
        Operator::Convolution(convolution) => {
            let x = relu_only(protocol, next())?;
            convolved(protocol, &x, convolution, weights, fixed, shape(batch))?
        }
        Operator::Affine { scale, offset } => {
            let x = settled(protocol, next(), usual)?;
            if let (Some(scale), Some(offset)) = (scale.as_scalar(), offset.as_scalar()) {
                let x = if scale == 1.0 {
                    x
                } else {
                    operations::multiply_public(protocol, &x, &[scale])?
                };
                if offset == 0.0 {
                    x
                } else {
                    x.add_public(&*protocol, &[offset])?
                }
            } else {
                affine(protocol, &x, weights, fixed)?
            }
        }
        Operator::Elementwise(function) => {
            let value = next();
            let exact = matches!(function, hush_graph::Function::Relu);
            let x = if exact {
                relu_only(protocol, value)?
            } else {
                settled(protocol, value, usual)?
            };
            function::apply(protocol, &x, function, plan.options.function_error, fixed)?
        }
        Operator::Binary(binary) => {
            let (left, right) = (next(), next());
            let larger = matches!(binary, BinaryOperator::Maximum);
            let alike = left.secret.fixed().fraction_bits == right.secret.fixed().fraction_bits;
            if larger && left.relu && right.relu && alike {
                // The larger of two ReLUs is the ReLU of the larger.
                let secret = operations::maximum(protocol, &left.secret, &right.secret)?;
                return Ok(Value { secret, relu: true });
            }
            let (left, right) = (
                settled(protocol, left, usual)?,
                settled(protocol, right, usual)?,
            );
            match binary {
                BinaryOperator::Add => left.add(&right)?,
                BinaryOperator::Subtract => left.sub(&right)?,
                BinaryOperator::Multiply => {
                    operations::multiply_to(protocol, &left, &right, fixed)?
                }
                BinaryOperator::Maximum => operations::maximum(protocol, &left, &right)?,
                BinaryOperator::Minimum => operations::minimum(protocol, &left, &right)?,
                other => return Err(refused(node, format!("{other:?} is not supported"))),
            }
        }
        Operator::Concatenate { axis } => {
            let parts: Vec<Secret<W>> = operands
                .map(|part| settled(protocol, part, usual))
                .collect::<Result<_, _>>()?;
            Secret::concatenate(axis + 1, &parts.iter().collect::<Vec<_>>())?
        }
        Operator::Softmax { axis } => {
            let x = settled(protocol, next(), usual)?;
            operations::softmax(protocol, &x, axis + 1)?
        }
        Operator::LogSoftmax { axis } => {
            let x = settled(protocol, next(), usual)?;
            operations::log_softmax(protocol, &x, axis + 1)?
        }
        Operator::ArgMax { axis, last, .. } => {
            let x = settled(protocol, next(), usual)?;
            operations::arg_max(protocol, &x, axis + 1, *last)?.reshape(shape(batch))?
        }
        other => {
            return Err(refused(
                node,
                format!("operator {} is not supported", other.name()),
            ));
        }
    };
    Ok(plain(result.declare_at_most(fixed.integer_bits)))
}

fn refused(node: &Node, reason: String) -> MpcError {
    MpcError::Node {
        node: node.label(),
        reason,
    }
}

/// With a pending ReLU taken, whatever the fraction is.
fn relu_only<W: Word>(
    protocol: &mut dyn Protocol<W>,
    value: Value<W>,
) -> Result<Secret<W>, MpcError> {
    if value.relu {
        operations::relu(protocol, &value.secret)
    } else {
        Ok(value.secret)
    }
}

fn moved<W: Word>(
    x: &Secret<W>,
    movement: &Movement,
    plan: &Plan,
    node: &Node,
) -> Result<Secret<W>, MpcError> {
    let batch = x.shape()[0];
    let shape = plan.graph.value(node.output).shape.with_batch(batch);
    if let Movement::Reshape { .. } = movement {
        return x.clone().reshape(shape);
    }
    let input = &plan.graph.value(node.inputs[0]).shape;
    let sources = movement.sources(input);
    let size = input.size();
    let all: Vec<usize> = (0..batch)
        .flat_map(|sample| sources.iter().map(move |source| sample * size + source))
        .collect();
    x.gather(shape, &all)
}

struct Product(MatrixShape);

impl<W: Word> BilinearMap<W> for Product {
    fn length(&self) -> usize {
        self.0.rows * self.0.columns
    }

    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        multiply_add_matrices(Isa::active(), self.0, left, right, result);
    }
}

/// A bilinear map of a value and a weight.
pub(super) fn bilinear<W: Word>(
    protocol: &mut dyn Protocol<W>,
    map: &dyn BilinearMap<W>,
    x: &Secret<W>,
    weight: &Weight<W>,
    fixed: Fixed,
    shape: Vec<usize>,
) -> Result<Secret<W>, MpcError> {
    let bits = check_product::<W>("linear layer", x.fixed(), weight.fixed(), fixed)?;
    let share = match weight {
        Weight::Shared(weight) => protocol.bilinear(map, x.share(), weight.share(), bits)?,
        Weight::Public { words, .. } => {
            let product = x.share().map_parts(map.length(), |part| {
                let mut result = vec![W::ZERO; map.length()];
                map.add_into(part, words, &mut result);
                result
            });
            protocol.truncate(&product, bits)?
        }
    };
    Secret::new(shape, fixed, share)
}

/// Adds one weight for each channel, of which each has `inner` elements.
pub(super) fn add_bias<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: Secret<W>,
    bias: Option<&Weight<W>>,
    inner: usize,
) -> Result<Secret<W>, MpcError> {
    let Some(bias) = bias else { return Ok(x) };
    let repeat = |words: &[W]| -> Vec<W> {
        let once = words
            .iter()
            .flat_map(|&word| std::iter::repeat_n(word, inner));
        let once: Vec<W> = once.collect();
        once
    };
    let share = match bias {
        Weight::Public { words, .. } => x
            .share()
            .clone()
            .add_public(protocol.constant_part(), &repeat(words)),
        Weight::Shared(bias) => {
            let repeated = bias.share().map_parts(x.len(), |part| {
                let once = repeat(part);
                once.iter().copied().cycle().take(x.len()).collect()
            });
            x.share().clone().add(&repeated)
        }
    };
    Ok(x.with_share(x.fixed(), share))
}

fn convolved<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    convolution: &hush_graph::Convolution,
    weights: &[Weight<W>],
    fixed: Fixed,
    shape: Vec<usize>,
) -> Result<Secret<W>, MpcError> {
    // One spatial axis is a plane of height one.
    let lift = |mut dimensions: Vec<usize>| {
        if dimensions.len() == 3 {
            dimensions.insert(2, 1);
        }
        dimensions
    };
    let last_two = |list: &[usize]| {
        if let [only] = list {
            [1, *only]
        } else {
            [list[0], list[1]]
        }
    };
    let padding = match convolution.padding[..] {
        [only] => [(0, 0), only],
        [rows, columns] => [rows, columns],
        _ => [(0, 0); 2],
    };
    let options = Convolution2d {
        strides: last_two(&convolution.strides),
        padding,
        dilations: last_two(&convolution.dilations),
        groups: convolution.groups,
    };
    let kernel = lift(convolution.weight.shape().to_vec());
    let map =
        ConvolutionMap::new(options, &lift(x.shape().to_vec()), &kernel).ok_or_else(|| {
            MpcError::Shapes {
                operation: "convolution",
                left: x.shape().to_vec(),
                right: kernel.clone(),
            }
        })?;
    let inner = shape[2..].iter().product();
    let result = bilinear(protocol, &map, x, &weights[0], fixed, shape)?;
    add_bias(
        protocol,
        result,
        convolution.bias.is_some().then(|| &weights[1]),
        inner,
    )
}

/// `scale · x + offset` with constants of more than one element, expanded to a sample.
fn affine<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    weights: &[Weight<W>],
    fixed: Fixed,
) -> Result<Secret<W>, MpcError> {
    let bits = check_product::<W>("affine map", x.fixed(), weights[0].fixed(), fixed)?;
    let share = match &weights[0] {
        Weight::Public { words, .. } => {
            let product = x.share().clone().scale_each(words);
            protocol.truncate(&product, bits)?
        }
        Weight::Shared(scale) => {
            let repeated = scale.share().map_parts(x.len(), |part| {
                part.iter().copied().cycle().take(x.len()).collect()
            });
            protocol.multiply_truncate(x.share(), &repeated, bits)?
        }
    };
    add_bias(protocol, x.with_share(fixed, share), Some(&weights[1]), 1)
}
