//! Values that a client or a server either borrows or has a part in.

use std::ops::Deref;
use std::sync::Arc;

/// A borrowed value, or a shared one that lives as long as whoever holds it. Made from either by `into`.
pub enum Held<'a, T> {
    /// Somebody else's.
    Borrowed(&'a T),
    /// One's own as well.
    Shared(Arc<T>),
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        match self {
            Self::Borrowed(value) => value,
            Self::Shared(value) => value,
        }
    }
}

impl<'a, T> From<&'a T> for Held<'a, T> {
    fn from(value: &'a T) -> Self {
        Self::Borrowed(value)
    }
}

impl<T> From<Arc<T>> for Held<'_, T> {
    fn from(value: Arc<T>) -> Self {
        Self::Shared(value)
    }
}
