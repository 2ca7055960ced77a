//! Operations on tensors of shares, written once over [`crate::Protocol`].
//!
//! Each takes the protocol first and gives a tensor whose range follows from those of its operands. Where
//! a range would not fit the ring the operation is refused before anything is sent.

mod approximate;
mod arithmetic;
mod comparison;
mod normal;
mod order;
mod piecewise;
mod pool;
mod product;

pub use approximate::{exp, log_softmax, polynomial, softmax};
pub(crate) use arithmetic::{broadcast, check_product};
pub use arithmetic::{divide_public, multiply, multiply_public, multiply_to, rescale, square};
pub use comparison::{
    absolute, clip, equal, is_negative, leaky_relu, less, maximum, minimum, relu, select, within,
};
pub use normal::{divide, inverse_square_root, logarithm, reciprocal, square_root};
pub use order::{arg_max, largest, max_along, sort, top};
pub use piecewise::{Piece, Piecewise, piecewise, sigmoid_five, sigmoid_three};
pub use pool::{average_pool, gather_along, max_pool, shuffle};
pub(crate) use pool::{pooled, windows};
pub(crate) use product::ConvolutionMap;
pub use product::{Convolution2d, convolve, matrix_product, matrix_product_to};
