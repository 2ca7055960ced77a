//! Sums, products and scalings, residue by residue.

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::{Modulus, Multiplier};

/// Defines a public function `name(isa, q, out, operands…, constants…)` whose body maps
/// vectors of the operands to the vector written to `out`.
macro_rules! elementwise {
    ($(#[$doc:meta])* $name:ident, $kernel:ident { $($operand:ident),* } { $($constant:ident: $type:ty),* },
     |$lanes:ident, $q:ident, $out:ident| $body:expr) => {
        $(#[$doc])*
        pub fn $name(isa: Isa, q: &Modulus, out: &mut [u64], $($operand: &[u64],)* $($constant: $type),*) {
            $(assert_eq!($operand.len(), out.len(), "operand length");)*
            assert_eq!(out.len() % 8, 0, "length must be a multiple of eight");
            isa.run($kernel { q, out, $($operand,)* $($constant,)* });
        }

        struct $kernel<'a> {
            q: &'a Modulus,
            out: &'a mut [u64],
            $($operand: &'a [u64],)*
            $($constant: $type,)*
        }

        impl Kernel for $kernel<'_> {
            type Output = ();

            #[inline(always)]
            fn run<L: Lanes>(self, $lanes: L) {
                let $q = $lanes.modulus(self.q);
                $(let $constant = $lanes.factor(self.$constant);)*
                $(let mut $operand = self.$operand.chunks_exact(L::WIDTH);)*
                for to in self.out.chunks_exact_mut(L::WIDTH) {
                    #[allow(unused_variables)]
                    let $out = $lanes.load(to);
                    $(let $operand = match $operand.next() {
                        Some(words) => $lanes.load(words),
                        None => return,
                    };)*
                    $lanes.store($body, to);
                }
            }
        }
    };
}

elementwise!(
    /// out += a.
    add_assign, Add { a } {}, |lanes, q, out| lanes.add(out, a, q)
);
elementwise!(
    /// out -= a.
    sub_assign, Sub { a } {}, |lanes, q, out| lanes.sub(out, a, q)
);
elementwise!(
    /// out = -out.
    negate_assign, Negate {} {}, |lanes, q, out| lanes.sub(lanes.splat(0), out, q)
);
elementwise!(
    /// out = out · a.
    multiply_assign, Multiply { a } {}, |lanes, q, out| {
        lanes.finish(lanes.multiply_add(lanes.zero_sum(), out, a, q), q)
    }
);
elementwise!(
    /// out += a · b.
    multiply_add_assign, MultiplyAdd { a, b } {}, |lanes, q, out| {
        lanes.finish(lanes.multiply_add(lanes.sum_from(out), a, b, q), q)
    }
);
elementwise!(
    /// out = factor · out.
    scale_assign, Scale {} { factor: Multiplier }, |lanes, q, out| {
        lanes.canonical(lanes.multiply(out, factor, q), q)
    }
);
elementwise!(
    /// out = factor · a, for words `a` below 2^50 that need not be reduced modulo q.
    scale_into, ScaleInto { a } { factor: Multiplier }, |lanes, q, out| {
        lanes.canonical(lanes.multiply(a, factor, q), q)
    }
);
elementwise!(
    /// out += factor · a, for words `a` below 2^50 that need not be reduced modulo q.
    scale_add_assign, ScaleAdd { a } { factor: Multiplier }, |lanes, q, out| {
        lanes.add(out, lanes.canonical(lanes.multiply(a, factor, q), q), q)
    }
);
elementwise!(
    /// out = factor · (out - a): the last step of a division by a modulus.
    subtract_scale_assign, SubtractScale { a } { factor: Multiplier }, |lanes, q, out| {
        lanes.canonical(lanes.multiply(lanes.sub_lazy(out, a, q), factor, q), q)
    }
);
