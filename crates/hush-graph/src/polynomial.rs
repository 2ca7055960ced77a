//! Univariate polynomials in the power basis.

use std::fmt;

/// `coefficients[0] + coefficients[1] x + …`, without leading zeros (the zero polynomial has one
/// coefficient).
#[derive(Debug, Clone, PartialEq)]
pub struct Polynomial {
    coefficients: Vec<f64>,
}

impl Polynomial {
    /// Drops leading zeros.
    pub fn new(mut coefficients: Vec<f64>) -> Polynomial {
        while coefficients.len() > 1 && coefficients.last() == Some(&0.0) {
            coefficients.pop();
        }
        if coefficients.is_empty() {
            coefficients.push(0.0);
        }
        Polynomial { coefficients }
    }

    /// `scale · x + offset`.
    pub fn affine(scale: f64, offset: f64) -> Polynomial {
        Polynomial::new(vec![offset, scale])
    }

    /// `x`.
    pub fn identity() -> Polynomial {
        Polynomial::affine(1.0, 0.0)
    }

    /// `x^exponent`.
    pub fn monomial(exponent: usize) -> Polynomial {
        let mut coefficients = vec![0.0; exponent + 1];
        coefficients[exponent] = 1.0;
        Polynomial { coefficients }
    }

    /// The coefficients, lowest power first.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// The highest power; zero for constants.
    pub fn degree(&self) -> usize {
        self.coefficients.len() - 1
    }

    /// The value at `x`, by Horner's rule.
    pub fn evaluate(&self, x: f64) -> f64 {
        self.coefficients
            .iter()
            .rev()
            .fold(0.0, |sum, coefficient| sum * x + coefficient)
    }

    /// Whether this is the zero polynomial.
    pub fn is_zero(&self) -> bool {
        self.coefficients == [0.0]
    }

    /// The sum.
    pub fn add(&self, other: &Polynomial) -> Polynomial {
        let length = self.coefficients.len().max(other.coefficients.len());
        let at = |polynomial: &Polynomial, power: usize| {
            polynomial.coefficients.get(power).copied().unwrap_or(0.0)
        };
        Polynomial::new(
            (0..length)
                .map(|power| at(self, power) + at(other, power))
                .collect(),
        )
    }

    /// Each coefficient times `factor`.
    pub fn scale(&self, factor: f64) -> Polynomial {
        Polynomial::new(
            self.coefficients
                .iter()
                .map(|coefficient| coefficient * factor)
                .collect(),
        )
    }

    /// The product.
    pub fn multiply(&self, other: &Polynomial) -> Polynomial {
        let mut product = vec![0.0; self.coefficients.len() + other.coefficients.len() - 1];
        for (i, a) in self.coefficients.iter().enumerate() {
            for (j, b) in other.coefficients.iter().enumerate() {
                product[i + j] += a * b;
            }
        }
        Polynomial::new(product)
    }

    /// `self(inner(x))`.
    pub fn compose(&self, inner: &Polynomial) -> Polynomial {
        let zero = Polynomial::new(vec![]);
        self.coefficients
            .iter()
            .rev()
            .fold(zero, |sum, &coefficient| {
                sum.multiply(inner).add(&Polynomial::new(vec![coefficient]))
            })
    }
}

impl fmt::Display for Polynomial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (power, &coefficient) in self.coefficients.iter().enumerate() {
            if coefficient == 0.0 && self.coefficients.len() > 1 {
                continue;
            }
            let magnitude = coefficient.abs();
            match (first, coefficient < 0.0) {
                (true, false) => {}
                (true, true) => formatter.write_str("-")?,
                (false, false) => formatter.write_str(" + ")?,
                (false, true) => formatter.write_str(" - ")?,
            }
            first = false;
            match power {
                0 => write!(formatter, "{magnitude}")?,
                1 => write!(formatter, "{magnitude}·x")?,
                _ => write!(formatter, "{magnitude}·x^{power}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_on_coefficients() {
        let p = Polynomial::affine(2.0, 1.0);
        assert_eq!(p.multiply(&p).coefficients(), &[1.0, 4.0, 4.0]);
        assert_eq!(Polynomial::monomial(2).compose(&p), p.multiply(&p));
        assert!(p.add(&p.scale(-1.0)).is_zero());
        assert_eq!(p.evaluate(3.0), 7.0);
        assert_eq!(Polynomial::monomial(0).degree(), 0);
    }

    #[test]
    fn prints_terms_lowest_first() {
        assert_eq!(
            Polynomial::new(vec![0.5, 0.25, 0.0, -2.0]).to_string(),
            "0.5 + 0.25·x - 2·x^3"
        );
        assert_eq!(Polynomial::new(vec![0.0]).to_string(), "0");
        assert_eq!(Polynomial::new(vec![0.0, -1.0]).to_string(), "-1·x");
    }
}
