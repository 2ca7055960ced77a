//! Tensors of shared fixed-point numbers, and what is linear in them: free of rounds and bytes.

use hush_simd::words::Word;

use crate::fixed::bits_of_count;
use crate::{Fixed, MpcError, Parties, Protocol, Share};

/// A tensor that no party knows. Shape and range are public.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<W> {
    shape: Vec<usize>,
    fixed: Fixed,
    share: Share<W>,
}

impl<W: Word> Secret<W> {
    /// A share as a tensor of numbers of this range.
    pub fn new(shape: Vec<usize>, fixed: Fixed, share: Share<W>) -> Result<Self, MpcError> {
        fixed.check::<W>("tensor")?;
        let expected = shape.iter().product();
        if share.len() != expected {
            let found = share.len();
            return Err(MpcError::Count {
                what: "elements of a tensor",
                expected,
                found,
            });
        }
        Ok(Self {
            shape,
            fixed,
            share,
        })
    }

    /// Shares the numbers of party `owner`, which is the only one to give `values`; the range and
    /// NaN are checked there before anything is sent. Costs [`Protocol::input`].
    pub fn input(
        protocol: &mut dyn Protocol<W>,
        owner: usize,
        shape: &[usize],
        fixed: Fixed,
        values: Option<&[f64]>,
    ) -> Result<Self, MpcError> {
        let count = shape.iter().product();
        let words = values
            .map(|values| fixed.encode_all::<W>(values))
            .transpose()?;
        let share = protocol.input(owner, words.as_deref(), count)?;
        Self::new(shape.to_vec(), fixed, share)
    }

    /// Numbers that everybody knows, as shares.
    pub fn public(
        protocol: &dyn Protocol<W>,
        shape: &[usize],
        fixed: Fixed,
        values: &[f64],
    ) -> Result<Self, MpcError> {
        let words = fixed.encode_all::<W>(values)?;
        let zeros = Share::zeros(words.len(), protocol.share_parts());
        Self::new(
            shape.to_vec(),
            fixed,
            zeros.add_public(protocol.constant_part(), &words),
        )
    }

    /// Opens the numbers to the `receivers` and nobody else; gives them there. Costs
    /// [`Protocol::reveal`].
    pub fn reveal(
        &self,
        protocol: &mut dyn Protocol<W>,
        receivers: Parties,
    ) -> Result<Option<Vec<f64>>, MpcError> {
        let words = protocol.reveal(receivers, &self.share)?;
        Ok(words.map(|words| self.fixed.decode_all(&words)))
    }

    /// All dimensions.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.share.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.share.is_empty()
    }

    /// The range of each element.
    pub fn fixed(&self) -> Fixed {
        self.fixed
    }

    /// The shared words, row-major.
    pub fn share(&self) -> &Share<W> {
        &self.share
    }

    /// The same under another share of as many elements.
    pub(crate) fn with_share(&self, fixed: Fixed, share: Share<W>) -> Self {
        debug_assert_eq!(share.len(), self.share.len());
        Self {
            shape: self.shape.clone(),
            fixed,
            share,
        }
    }

    /// Declares that magnitudes are below 2^`integer_bits`. Nothing checks it here: what follows is
    /// wrong for numbers outside. See [`crate::operations::within`] for a check on shares.
    pub fn declare(mut self, integer_bits: u32) -> Self {
        self.fixed.integer_bits = integer_bits;
        self
    }

    /// [`Secret::declare`], but never a wider range than is known already.
    pub fn declare_at_most(self, integer_bits: u32) -> Self {
        let known = self.fixed.integer_bits;
        self.declare(integer_bits.min(known))
    }

    /// The same elements under another shape of the same size.
    pub fn reshape(mut self, shape: Vec<usize>) -> Result<Self, MpcError> {
        if shape.iter().product::<usize>() != self.len() {
            return Err(MpcError::Shapes {
                operation: "reshape",
                left: self.shape,
                right: shape,
            });
        }
        self.shape = shape;
        Ok(self)
    }

    fn check_same(&self, operation: &'static str, other: &Self) -> Result<(), MpcError> {
        if self.shape != other.shape {
            let (left, right) = (self.shape.clone(), other.shape.clone());
            return Err(MpcError::Shapes {
                operation,
                left,
                right,
            });
        }
        if self.fixed.fraction_bits != other.fixed.fraction_bits {
            let (left, right) = (self.fixed.fraction_bits, other.fixed.fraction_bits);
            return Err(MpcError::Fractions {
                operation,
                left,
                right,
            });
        }
        Ok(())
    }

    fn wider(&self, other: &Self) -> Fixed {
        let integer_bits = self.fixed.integer_bits.max(other.fixed.integer_bits) + 1;
        Fixed {
            integer_bits,
            ..self.fixed
        }
    }

    /// The sum; one bit wider.
    pub fn add(&self, other: &Self) -> Result<Self, MpcError> {
        self.check_same("sum", other)?;
        let fixed = self.wider(other).check::<W>("sum")?;
        Ok(self.with_share(fixed, self.share.clone().add(&other.share)))
    }

    /// The difference; one bit wider.
    pub fn sub(&self, other: &Self) -> Result<Self, MpcError> {
        self.check_same("difference", other)?;
        let fixed = self.wider(other).check::<W>("difference")?;
        Ok(self.with_share(fixed, self.share.clone().sub(&other.share)))
    }

    /// Minus this.
    pub fn negate(&self) -> Self {
        let share = self.share.clone().scale(W::ZERO.minus(W::ONE));
        self.with_share(self.fixed, share)
    }

    /// Plus public numbers, which repeat along the leading dimensions if there are fewer.
    pub fn add_public(&self, protocol: &dyn Protocol<W>, values: &[f64]) -> Result<Self, MpcError> {
        let most = values
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()));
        let mut fixed = self.fixed;
        if most > 0.0 {
            fixed.integer_bits = fixed.integer_bits.max(integer_bits(most)) + 1;
        }
        let words = fixed.check::<W>("sum")?.encode_all::<W>(values)?;
        if words.is_empty() || !self.len().is_multiple_of(words.len()) {
            let (left, right) = (self.shape.clone(), vec![words.len()]);
            return Err(MpcError::Shapes {
                operation: "sum",
                left,
                right,
            });
        }
        Ok(self.with_share(
            fixed,
            self.share
                .clone()
                .add_public(protocol.constant_part(), &words),
        ))
    }

    /// Each element times a whole number.
    pub fn times_whole(&self, factor: i64) -> Result<Self, MpcError> {
        let bits = 64 - factor.unsigned_abs().saturating_sub(1).leading_zeros();
        let integer_bits = self.fixed.integer_bits + bits;
        let fixed = Fixed {
            integer_bits,
            ..self.fixed
        }
        .check::<W>("product")?;
        Ok(self.with_share(
            fixed,
            self.share.clone().scale(W::from_signed(factor.into())),
        ))
    }

    /// Each element times 2^`power`, without a change of the words: only the point moves.
    pub fn move_point(&self, power: i32) -> Result<Self, MpcError> {
        let move_by = |bits: u32, by: i32| bits.checked_add_signed(by);
        let moved =
            move_by(self.fixed.integer_bits, power).zip(move_by(self.fixed.fraction_bits, -power));
        let (integer_bits, fraction_bits) = moved.ok_or(MpcError::Range {
            operation: "move of the point",
            integer_bits: self.fixed.integer_bits,
            fraction_bits: self.fixed.fraction_bits,
            available: W::BITS - 1,
        })?;
        Ok(self.with_share(Fixed::new(integer_bits, fraction_bits), self.share.clone()))
    }

    /// The elements at public places of the row-major order, under a new shape.
    pub fn gather(&self, shape: Vec<usize>, sources: &[usize]) -> Result<Self, MpcError> {
        if let Some(&outside) = sources.iter().find(|&&source| source >= self.len()) {
            let reason = format!("there is no element {outside}");
            return Err(MpcError::Shape {
                operation: "gather",
                shape: self.shape.clone(),
                reason,
            });
        }
        Self::new(shape, self.fixed, self.share.gather(sources))
    }

    /// The elements at public places of the row-major order, or zero, under a new shape.
    pub fn gather_or_zero(
        &self,
        shape: Vec<usize>,
        sources: &[Option<usize>],
    ) -> Result<Self, MpcError> {
        if sources.iter().flatten().any(|&source| source >= self.len()) {
            let reason = "a source is not an element".to_string();
            return Err(MpcError::Shape {
                operation: "gather",
                shape: self.shape.clone(),
                reason,
            });
        }
        Self::new(shape, self.fixed, self.share.gather_or_zero(sources))
    }

    /// Dimensions in another order.
    pub fn transpose(&self, order: &[usize]) -> Result<Self, MpcError> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..self.shape.len()) {
            let reason = format!("{order:?} is not an order of its dimensions");
            return Err(MpcError::Shape {
                operation: "transpose",
                shape: self.shape.clone(),
                reason,
            });
        }
        let strides = strides(&self.shape);
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let steps: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
        self.gather(shape.clone(), &walk(&shape, &steps))
    }

    /// Elements `range` of `axis`.
    pub fn slice(&self, axis: usize, range: std::ops::Range<usize>) -> Result<Self, MpcError> {
        let (outer, length, inner) = self.around("slice", axis)?;
        if range.start > range.end || range.end > length {
            let reason = format!("dimension {axis} has no elements {range:?}");
            return Err(MpcError::Shape {
                operation: "slice",
                shape: self.shape.clone(),
                reason,
            });
        }
        let mut shape = self.shape.clone();
        shape[axis] = range.len();
        let lines = (0..outer).flat_map(|block| {
            range
                .clone()
                .map(move |line| (block * length + line) * inner)
        });
        let sources: Vec<usize> = lines.flat_map(|start| start..start + inner).collect();
        self.gather(shape, &sources)
    }

    /// Zeros before and after along `axis`.
    pub fn pad(&self, axis: usize, before: usize, after: usize) -> Result<Self, MpcError> {
        let (outer, length, inner) = self.around("pad", axis)?;
        let mut shape = self.shape.clone();
        shape[axis] += before + after;
        let sources = (0..outer).flat_map(|block| {
            let inside = (0..length * inner).map(move |at| Some(block * length * inner + at));
            let zeros = |lines: usize| std::iter::repeat_n(None, lines * inner);
            zeros(before).chain(inside).chain(zeros(after))
        });
        self.gather_or_zero(shape, &sources.collect::<Vec<_>>())
    }

    /// Tensors one after the other along `axis`; the widest range of all.
    pub fn concatenate(axis: usize, tensors: &[&Self]) -> Result<Self, MpcError> {
        let first = *tensors.first().ok_or(MpcError::Count {
            what: "tensors to join",
            expected: 1,
            found: 0,
        })?;
        let (outer, _, inner) = first.around("concatenate", axis)?;
        let mut shape = first.shape.clone();
        shape[axis] = 0;
        let mut fixed = first.fixed;
        for tensor in tensors {
            let mut expected = first.shape.clone();
            expected[axis] = tensor.shape.get(axis).copied().unwrap_or(0);
            if tensor.shape != expected {
                let (left, right) = (first.shape.clone(), tensor.shape.clone());
                return Err(MpcError::Shapes {
                    operation: "concatenate",
                    left,
                    right,
                });
            }
            if tensor.fixed.fraction_bits != fixed.fraction_bits {
                let (left, right) = (fixed.fraction_bits, tensor.fixed.fraction_bits);
                return Err(MpcError::Fractions {
                    operation: "concatenate",
                    left,
                    right,
                });
            }
            shape[axis] += tensor.shape[axis];
            fixed.integer_bits = fixed.integer_bits.max(tensor.fixed.integer_bits);
        }
        let shares: Vec<&Share<W>> = tensors.iter().map(|tensor| &tensor.share).collect();
        let joined = Share::concatenate(&shares);
        if outer == 1 {
            return Self::new(shape, fixed, joined);
        }
        let mut starts = Vec::new();
        let mut start = 0;
        for tensor in tensors {
            starts.push((start, tensor.shape[axis] * inner));
            start += tensor.len();
        }
        let sources = (0..outer).flat_map(|block| {
            let lines = starts.iter();
            lines.flat_map(move |&(start, size)| start + block * size..start + (block + 1) * size)
        });
        let sources: Vec<usize> = sources.collect();
        Self::new(shape, fixed, joined.gather(&sources))
    }

    /// The sum along `axis`, which goes away; wider by the bits of its length.
    pub fn sum(&self, axis: usize) -> Result<Self, MpcError> {
        let (_, length, inner) = self.around("sum", axis)?;
        let integer_bits = self.fixed.integer_bits + bits_of_count(length);
        let fixed = Fixed {
            integer_bits,
            ..self.fixed
        }
        .check::<W>("sum")?;
        let mut shape = self.shape.clone();
        shape.remove(axis);
        Self::new(shape, fixed, self.share.sum_middle(length, inner))
    }

    /// Repeats elements along missing and unit dimensions, as NumPy does.
    pub fn broadcast_to(&self, shape: &[usize]) -> Result<Self, MpcError> {
        if self.shape == shape {
            return Ok(self.clone());
        }
        if hush_graph::broadcast_shape(&self.shape, shape).as_deref() != Some(shape) {
            let (left, right) = (self.shape.clone(), shape.to_vec());
            return Err(MpcError::Shapes {
                operation: "broadcast",
                left,
                right,
            });
        }
        let padding = shape.len() - self.shape.len();
        let mut steps = vec![0; shape.len()];
        for (axis, stride) in strides(&self.shape).into_iter().enumerate() {
            if self.shape[axis] != 1 {
                steps[axis + padding] = stride;
            }
        }
        self.gather(shape.to_vec(), &walk(shape, &steps))
    }

    /// Elements before, along and behind `axis`.
    pub(crate) fn around(
        &self,
        operation: &'static str,
        axis: usize,
    ) -> Result<(usize, usize, usize), MpcError> {
        let Some(&length) = self.shape.get(axis) else {
            let reason = format!("there is no dimension {axis}");
            return Err(MpcError::Shape {
                operation,
                shape: self.shape.clone(),
                reason,
            });
        };
        let outer = self.shape[..axis].iter().product();
        Ok((outer, length, self.shape[axis + 1..].iter().product()))
    }
}

/// The least number of bits before the point that hold a magnitude.
pub(crate) fn integer_bits(magnitude: f64) -> u32 {
    let mut bits = 0;
    while bits < 128 && magnitude >= libm::exp2(f64::from(bits)) {
        bits += 1;
    }
    bits
}

pub(crate) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

/// The offsets that a row-major walk over `shape` visits when axis `a` advances by `steps[a]`.
pub(crate) fn walk(shape: &[usize], steps: &[usize]) -> Vec<usize> {
    let mut offsets = vec![0usize];
    for (&dimension, &step) in shape.iter().zip(steps) {
        let next = offsets.into_iter();
        offsets = next
            .flat_map(|offset| (0..dimension).map(move |index| offset + index * step))
            .collect();
    }
    offsets
}
