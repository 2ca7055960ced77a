//! Making switching keys.

use hush_ckks::{CkksError, EvaluationKeys, GaloisElement, Level, SwitchingKey};
use hush_ring::{Basis, Ntt, Poly};
use hush_wire::{SwitchV1, SwitchingKeyShapeV1};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::sampler::{error, secret_polynomial};
use crate::{KeyRequest, KeysError, SecretKey};

impl SecretKey {
    /// Every key of a request, in memory. To store keys one by one, use
    /// [`KeyRequest::shapes`] and [`SecretKey::switching_key`].
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn evaluation_keys(
        &self,
        request: &KeyRequest,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<EvaluationKeys, KeysError> {
        let mut keys = EvaluationKeys::empty(self.parameters(), self.key_id());
        if let Some(level) = request.relinearization {
            keys = keys.with_relinearization(self.relinearization_key(level, rng)?);
        }
        for (element, level) in request.galois(self.parameters()) {
            keys = keys.with_galois(element, self.galois_key(element, level, rng)?);
        }
        Ok(keys)
    }

    /// The key of one stored shape.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`], [`CkksError::InvalidGaloisElement`].
    pub fn switching_key(
        &self,
        shape: SwitchingKeyShapeV1,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<SwitchingKey, KeysError> {
        let level = Level((shape.limbs as usize).saturating_sub(1));
        match shape.switch {
            SwitchV1::Relinearization => self.relinearization_key(level, rng),
            SwitchV1::Galois { element } => {
                self.galois_key(GaloisElement::new(self.parameters(), element)?, level, rng)
            }
        }
    }

    /// From `s^2` to `s`, for ciphertexts up to `level`.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn relinearization_key(
        &self,
        level: Level,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<SwitchingKey, KeysError> {
        self.parameters().check_level(level)?;
        let secret = self.restricted(Basis::extended(level.limbs()));
        let mut square = self.restricted(Basis::chain(level.limbs()));
        let factor = Zeroizing::new(Poly::clone(&square));
        self.parameters()
            .ring()
            .multiply_assign(&mut square, &factor);
        self.switch(square, &secret, level, rng)
    }

    /// From `s` to `g^-1(s)`, for ciphertexts up to `level`: after the switch, the automorphism
    /// `g` leads back to `s`. This way round, all automorphisms of a ciphertext share its digits.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn galois_key(
        &self,
        element: GaloisElement,
        level: Level,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<SwitchingKey, KeysError> {
        let parameters = self.parameters();
        parameters.check_level(level)?;
        let secret = self.restricted(Basis::extended(level.limbs()));
        let inverse = element.inverse(parameters).value() as usize;
        let moved = Zeroizing::new(parameters.ring().automorphism(&secret, inverse));
        self.switch(
            self.restricted(Basis::chain(level.limbs())),
            &moved,
            level,
            rng,
        )
    }

    /// The key from `from`, over the chain limbs of `level`, to `to`, over the special ones too.
    fn switch(
        &self,
        mut from: Zeroizing<Poly<Ntt>>,
        to: &Poly<Ntt>,
        level: Level,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<SwitchingKey, KeysError> {
        let parameters = self.parameters();
        let ring = parameters.ring();
        ring.scale_assign(&mut from, |modulus| {
            let special = parameters.special_moduli().iter();
            modulus.multiplier(special.fold(1, |product, &p| modulus.mul(product, p)))
        });
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        SwitchingKey::from_seed(parameters, level, seed, |digit, a| {
            let noise = secret_polynomial(ring, a.basis(), &error(ring.degree(), rng));
            let mut product = Zeroizing::new(a.clone());
            ring.multiply_assign(&mut product, to);
            let mut b = Poly::clone(&noise);
            ring.sub_assign(&mut b, &product);
            for limb in parameters.digit(level, digit) {
                let modulus = ring.modulus_of(b.basis(), limb);
                for (sum, &part) in b.limb_mut(limb).iter_mut().zip(from.limb(limb)) {
                    *sum = modulus.add(*sum, part);
                }
            }
            Ok::<_, CkksError>(b)
        })
        .map_err(KeysError::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_testkit::{TestRng, insecure_with};

    /// `b + a s - P g s'` of every digit is one small error, the same in every limb.
    #[test]
    fn keys_follow_their_definition() -> Result<(), KeysError> {
        let mut rng = TestRng::new();
        for (limbs, special, level) in [(5, 2, 4), (5, 2, 2), (3, 1, 2), (4, 5, 3)] {
            let parameters = insecure_with(10, limbs, special);
            let ring = parameters.ring();
            let key = SecretKey::generate(&parameters, &mut rng);
            let element = GaloisElement::rotation(&parameters, 5);
            let level = Level(level);
            let switching = key.galois_key(element, level, &mut rng)?;
            let basis = Basis::extended(level.limbs());
            let from = key.restricted(basis);
            let to = ring.automorphism(&from, element.inverse(&parameters).value() as usize);
            for digit in 0..switching.digits() {
                let mut error = Poly::<Ntt>::zero(ring, basis);
                for limb in 0..ring.limbs(basis) {
                    let modulus = ring.modulus_of(basis, limb);
                    let in_digit = parameters.digit(level, digit).contains(&limb);
                    let special = parameters.special_moduli().iter();
                    let factor = special.fold(u64::from(in_digit), |p, &q| modulus.mul(p, q));
                    let (b, a) = switching.halves(limb, digit);
                    for (i, out) in error.limb_mut(limb).iter_mut().enumerate() {
                        let masked = modulus.add(b[i], modulus.mul(a[i], to.limb(limb)[i]));
                        *out = modulus.sub(masked, modulus.mul(factor, from.limb(limb)[i]));
                    }
                }
                let error = ring.inverse(error);
                let centred = |limb: usize| {
                    let modulus = ring.modulus_of(basis, limb).value() as i64;
                    error.limb(limb).iter().map(move |&residue| {
                        let residue = residue as i64;
                        if residue > modulus / 2 {
                            residue - modulus
                        } else {
                            residue
                        }
                    })
                };
                assert!(centred(0).all(|e| e.abs() <= 21), "digit {digit}");
                assert!((1..ring.limbs(basis)).all(|limb| centred(limb).eq(centred(0))));
            }
        }
        Ok(())
    }
}
