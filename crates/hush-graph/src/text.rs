//! The text form of a graph: one line per input, node and output, the same for the same model.

use crate::{ElementType, Graph, Node, Operator, Tensor};
use std::fmt;

impl fmt::Display for Graph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "graph {}", self.name())?;
        for &input in self.inputs() {
            let value = self.value(input);
            writeln!(
                formatter,
                "  %{} = input {} : {}",
                input.index(),
                value.name,
                value.shape
            )?;
        }
        for node in self.nodes() {
            self.write_node(formatter, node)?;
        }
        for output in self.outputs() {
            let (name, value) = (&output.name, output.value.index());
            write!(formatter, "  output {name} = %{value}")?;
            match output.classes.as_slice() {
                [] => writeln!(formatter)?,
                classes => writeln!(formatter, " of {}", classes.join(", "))?,
            }
        }
        for note in self.notes() {
            writeln!(formatter, "  note: {note}")?;
        }
        Ok(())
    }
}

impl Graph {
    fn write_node(&self, formatter: &mut fmt::Formatter<'_>, node: &Node) -> fmt::Result {
        write!(
            formatter,
            "  %{} = {}",
            node.output.index(),
            OperatorText(&node.operator)
        )?;
        for input in &node.inputs {
            write!(formatter, " %{}", input.index())?;
        }
        let value = self.value(node.output);
        write!(formatter, " : {}", value.shape)?;
        if value.element == ElementType::Index {
            formatter.write_str(" index")?;
        }
        writeln!(formatter, "  # {}", node.label())
    }
}

struct OperatorText<'a>(&'a Operator);

impl fmt::Display for OperatorText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Operator::Linear { weight, bias } => {
                let plus = if bias.is_some() { " + bias" } else { "" };
                write!(formatter, "linear(weight {:?}{plus})", weight.shape())
            }
            Operator::Affine { scale, offset } => {
                write!(
                    formatter,
                    "affine(scale {}, offset {})",
                    ConstantText(scale),
                    ConstantText(offset)
                )
            }
            Operator::Convolution(convolution) => write!(formatter, "{convolution}"),
            Operator::Sparse(sparse) => {
                let plus = if sparse.bias.is_some() { " + bias" } else { "" };
                let entries = sparse.matrix.len();
                write!(formatter, "{}({entries} entries{plus})", sparse.name)
            }
            Operator::Elementwise(function) => write!(formatter, "{function}"),
            Operator::Movement(movement) => write!(formatter, "{movement}"),
            Operator::Softmax { axis }
            | Operator::LogSoftmax { axis }
            | Operator::Concatenate { axis } => {
                write!(formatter, "{}(axis {axis})", self.0.name())
            }
            Operator::ArgMax {
                axis,
                keep_dimension,
                last,
            } => {
                let keep = if *keep_dimension {
                    ", keep dimension"
                } else {
                    ""
                };
                let last = if *last { ", last" } else { "" };
                write!(formatter, "arg_max(axis {axis}{keep}{last})")
            }
            Operator::Binary(_) => formatter.write_str(self.0.name()),
        }
    }
}

/// Scalars by value, others by shape.
struct ConstantText<'a>(&'a Tensor);

impl fmt::Display for ConstantText<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_scalar() {
            Some(value) => write!(formatter, "{value}"),
            None => write!(formatter, "{:?}", self.0.shape()),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        Convolution, Function, GraphBuilder, Operator, Polynomial, Shape, SparseLinear,
        SparseMatrix, Tensor,
    };

    #[test]
    fn dump_of_an_image() {
        let mut builder = GraphBuilder::new("image");
        let x = builder.input("x", Shape::new(vec![2, 4, 4]).unwrap());
        let convolution = Convolution {
            weight: Tensor::new(vec![2, 1, 3, 3], vec![1.0; 18]).unwrap(),
            bias: Some(Tensor::new(vec![2], vec![0.0; 2]).unwrap()),
            strides: vec![2, 2],
            padding: vec![(1, 0), (1, 1)],
            dilations: vec![1, 1],
            groups: 2,
        };
        let convolution = Operator::Convolution(convolution);
        let y = builder
            .node(vec!["conv".into()], convolution, &[x], "y")
            .unwrap();
        let mean = SparseLinear {
            name: "reduce_mean",
            trained: false,
            matrix: SparseMatrix::from_rows(8, vec![vec![(0, 0.5), (1, 0.5)]]),
            bias: None,
            shape: Shape::new(vec![1, 1, 1]).unwrap(),
        };
        let mean = builder
            .node(vec!["mean".into()], Operator::Sparse(mean), &[y], "m")
            .unwrap();
        let join = Operator::Concatenate { axis: 1 };
        let z = builder
            .node(vec!["join".into()], join, &[mean, mean], "z")
            .unwrap();
        builder.output("z", z).unwrap();
        assert_eq!(
            builder.build().unwrap().to_string(),
            "graph image\n  \
             %0 = input x : [batch, 2, 4, 4]\n  \
             %1 = convolution(weight [2, 1, 3, 3] + bias, strides [2, 2], padding [(1, 0), (1, 1)], groups 2) %0 : [batch, 2, 2, 2]  # conv\n  \
             %2 = reduce_mean(2 entries) %1 : [batch, 1, 1, 1]  # mean\n  \
             %3 = concatenate(axis 1) %2 %2 : [batch, 1, 2, 1]  # join\n  \
             output z = %3\n"
        );
    }

    #[test]
    fn dump_is_readable() {
        let mut builder = GraphBuilder::new("demo");
        let x = builder.input("x", Shape::new(vec![3]).unwrap());
        let weight = Tensor::new(vec![2, 3], vec![1.0; 6]).unwrap();
        let linear = Operator::Linear { weight, bias: None };
        let y = builder.node(vec!["fc".into()], linear, &[x], "y").unwrap();
        let square = Operator::Elementwise(Function::Polynomial(Polynomial::monomial(2)));
        let z = builder.node(vec!["pow".into()], square, &[y], "z").unwrap();
        let w = builder
            .node(
                vec!["a".into(), "b".into()],
                Operator::affine(2.0, -1.0),
                &[z],
                "w",
            )
            .unwrap();
        builder.output("w", w).unwrap();
        assert_eq!(
            builder.build().unwrap().to_string(),
            "graph demo\n  \
             %0 = input x : [batch, 3]\n  \
             %1 = linear(weight [2, 3]) %0 : [batch, 2]  # fc\n  \
             %2 = polynomial(1·x^2) %1 : [batch, 2]  # pow\n  \
             %3 = affine(scale 2, offset -1) %2 : [batch, 2]  # a + b\n  \
             output w = %3\n"
        );
    }
}
