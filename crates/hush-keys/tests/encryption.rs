//! Encryption and decryption: noise within its bounds, and errors for what does not belong.

use hush_ckks::encoder::{decode_real, encode_constant, encode_real};
use hush_ckks::{Ciphertext, CkksError, Level, Parameters, Plaintext, Scale};
use hush_keys::{ERROR_DEVIATION, Flooding, KeysError, SecretKey, SecureRng};
use hush_testkit::{
    ParameterSet, TestRng, insecure_small, insecure_with, largest_error, random_reals,
};

const SCALE_BITS: i32 = 40;

fn message(parameters: &Parameters, level: Level, rng: &mut TestRng) -> (Vec<f64>, Plaintext) {
    let slots = parameters.max_slots();
    let values = random_reals(rng, slots, 1.0);
    let scale = Scale::power_of_two(SCALE_BITS);
    let plaintext = encode_real(parameters, &values, slots, scale, level).expect("it fits");
    (values, plaintext)
}

/// The difference of two plaintexts, as centred coefficients.
fn noise(left: &Plaintext, right: &Plaintext) -> Vec<i64> {
    let parameters = left.parameters();
    let mut poly = left.poly().clone();
    parameters.ring().sub_assign(&mut poly, right.poly());
    let poly = parameters.ring().inverse(poly);
    let centred: Vec<Vec<i64>> = poly
        .limbs()
        .zip(parameters.moduli())
        .map(|(limb, &modulus)| {
            let centre = |&residue: &u64| {
                if residue > modulus / 2 {
                    residue as i64 - modulus as i64
                } else {
                    residue as i64
                }
            };
            limb.iter().map(centre).collect()
        })
        .collect();
    // Small in one limb means the same small number in every limb.
    assert!(
        centred.iter().all(|limb| *limb == centred[0]),
        "noise differs between limbs"
    );
    centred.into_iter().next().expect("a limb")
}

fn deviation(noise: &[i64]) -> f64 {
    (noise.iter().map(|&x| (x as f64).powi(2)).sum::<f64>() / noise.len() as f64).sqrt()
}

#[test]
fn symmetric_encryption_has_the_binomial_error() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let key = SecretKey::generate(&parameters, &mut rng);
    for level in (0..=parameters.max_level().0).map(Level) {
        let (values, plaintext) = message(&parameters, level, &mut rng);
        let ciphertext = key.encrypt_symmetric(&plaintext, &mut rng)?.expand();
        assert_eq!(ciphertext.level(), level);
        let decrypted = key.decrypt(&ciphertext)?;
        let noise = noise(&decrypted, &plaintext);
        assert!(noise.iter().all(|x| x.abs() <= 21));
        // Six standard deviations of the root mean square of 1024 samples.
        assert!((deviation(&noise) / ERROR_DEVIATION - 1.0).abs() < 6.0 / (2.0 * 1024f64).sqrt());
        assert!(largest_error(&decode_real(&decrypted), &values) < 2f64.powi(-30));
    }
    Ok(())
}

#[test]
fn public_encryption_has_its_stated_error() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_with(12, 3, 1);
    let key = SecretKey::generate(&parameters, &mut rng);
    let public = key.public_key(&mut rng);
    assert_eq!(public.key_id(), key.key_id());
    for level in [Level(2), Level(0)] {
        let (values, plaintext) = message(&parameters, level, &mut rng);
        let decrypted = key.decrypt(&public.encrypt(&plaintext, &mut rng)?)?;
        let expected = ERROR_DEVIATION * (4.0 * 4096.0 / 3.0f64).sqrt();
        let ratio = deviation(&noise(&decrypted, &plaintext)) / expected;
        assert!((0.8..1.2).contains(&ratio), "{ratio}");
        assert!(largest_error(&decode_real(&decrypted), &values) < 2f64.powi(-22));
    }
    Ok(())
}

#[test]
fn secure_parameters_and_the_system_generator() -> Result<(), KeysError> {
    let mut rng = SecureRng::from_os()?;
    let parameters = ParameterSet::N13_7_1.parameters();
    let key = SecretKey::generate(&parameters, &mut rng);
    let values = [0.5, -1.25, 3.0, 0.0];
    let scale = Scale::power_of_two(25);
    let plaintext = encode_real(&parameters, &values, 4, scale, parameters.max_level())?;
    let symmetric = key.encrypt_symmetric(&plaintext, &mut rng)?.expand();
    let public = key.public_key(&mut rng).encrypt(&plaintext, &mut rng)?;
    assert!(largest_error(&decode_real(&key.decrypt(&symmetric)?), &values) < 1e-5);
    assert!(largest_error(&decode_real(&key.decrypt(&public)?), &values) < 1e-3);
    Ok(())
}

#[test]
fn three_parts_decrypt_with_the_square() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let ring = parameters.ring();
    let key = SecretKey::generate(&parameters, &mut rng);
    let (values, plaintext) = message(&parameters, Level(3), &mut rng);
    let ciphertext = key.encrypt_symmetric(&plaintext, &mut rng)?.expand();
    let [c0, c1] = ciphertext.parts() else {
        panic!("two parts")
    };
    let product = |a: &_, b: &_| {
        let mut product = hush_ring::Poly::clone(a);
        ring.multiply_assign(&mut product, b);
        product
    };
    let mut cross = product(c0, c1);
    let again = cross.clone();
    ring.add_assign(&mut cross, &again);
    let square = Ciphertext::new(
        &parameters,
        vec![product(c0, c0), cross, product(c1, c1)],
        ciphertext.scale().times(ciphertext.scale())?,
        ciphertext.slots(),
        key.key_id(),
    )?;
    let expected: Vec<f64> = values.iter().map(|x| x * x).collect();
    let decoded = decode_real(&key.decrypt(&square)?);
    assert!(largest_error(&decoded, &expected) < 2f64.powi(-28));
    Ok(())
}

#[test]
fn what_does_not_belong_is_an_error() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let (parameters, other) = (insecure_small(), insecure_with(10, 5, 2));
    let key = SecretKey::generate(&parameters, &mut rng);
    let stranger = SecretKey::generate(&parameters, &mut rng);
    let foreigner = SecretKey::generate(&other, &mut rng);
    let (_, plaintext) = message(&parameters, Level(2), &mut rng);
    let ciphertext = key.encrypt_symmetric(&plaintext, &mut rng)?.expand();
    assert!(matches!(
        stranger.decrypt(&ciphertext),
        Err(KeysError::Ckks(CkksError::KeyMismatch { expected, actual }))
            if expected == stranger.key_id() && actual == key.key_id()
    ));
    let mismatch = |result: Result<_, KeysError>| {
        matches!(result, Err(KeysError::Ckks(CkksError::ParameterMismatch)))
    };
    assert!(mismatch(foreigner.decrypt(&ciphertext).map(drop)));
    assert!(mismatch(
        foreigner.encrypt_symmetric(&plaintext, &mut rng).map(drop)
    ));
    let public = foreigner.public_key(&mut rng);
    assert!(mismatch(public.encrypt(&plaintext, &mut rng).map(drop)));
    Ok(())
}

#[test]
fn the_wrong_key_decrypts_to_noise() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let key = SecretKey::generate(&parameters, &mut rng);
    let stranger = SecretKey::generate(&parameters, &mut rng);
    // The stranger lies about its name.
    let liar = SecretKey::unpack_secret(&parameters, key.key_id(), &stranger.pack_secret()?)?;
    let (values, plaintext) = message(&parameters, Level(2), &mut rng);
    let ciphertext = key.encrypt_symmetric(&plaintext, &mut rng)?.expand();
    assert!(largest_error(&decode_real(&liar.decrypt(&ciphertext)?), &values) > 1e6);
    Ok(())
}

#[test]
fn secret_keys_survive_packing() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let key = SecretKey::generate(&parameters, &mut rng);
    let packed = key.pack_secret()?;
    assert_eq!(packed.len(), parameters.degree() / 4);
    let again = SecretKey::unpack_secret(&parameters, key.key_id(), &packed)?;
    let (values, plaintext) = message(&parameters, Level(1), &mut rng);
    let ciphertext = key.encrypt_symmetric(&plaintext, &mut rng)?.expand();
    assert!(largest_error(&decode_real(&again.decrypt(&ciphertext)?), &values) < 2f64.powi(-30));
    assert!(SecretKey::unpack_secret(&parameters, key.key_id(), &packed[1..]).is_err());
    assert!(SecretKey::unpack_secret(&parameters, key.key_id(), &[0xff; 256]).is_err());
    Ok(())
}

#[test]
fn ciphertexts_survive_storage() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_small();
    let key = SecretKey::generate(&parameters, &mut rng);
    let (values, plaintext) = message(&parameters, Level(2), &mut rng);
    let seeded = key.encrypt_symmetric(&plaintext, &mut rng)?;
    let stored = seeded.to_wire();
    let ciphertext = seeded.expand();
    for stored in [stored.clone(), ciphertext.to_wire()] {
        let read = Ciphertext::from_wire(&parameters, key.key_id(), &stored)?;
        assert!(read.parts() == ciphertext.parts());
        assert_eq!(
            (read.scale(), read.slots()),
            (ciphertext.scale(), ciphertext.slots())
        );
        assert!(largest_error(&decode_real(&key.decrypt(&read)?), &values) < 2f64.powi(-30));
    }
    let refused = |change: fn(&mut hush_wire::CiphertextV1)| {
        let mut stored = stored.clone();
        change(&mut stored);
        Ciphertext::from_wire(&parameters, key.key_id(), &stored).is_err()
    };
    assert!(refused(|stored| stored.shape.limbs = 0));
    assert!(refused(|stored| stored.shape.limbs = 2));
    assert!(refused(|stored| stored.shape.limbs = 7));
    assert!(refused(|stored| stored.shape.log_slots = 10));
    assert!(refused(|stored| stored.shape.log_slots = 99));
    assert!(refused(|stored| stored.shape.scale = f64::NAN));
    assert!(refused(|stored| stored.parts.truncate(1)));
    assert!(refused(|stored| stored.parts.clear()));
    assert!(refused(|stored| {
        if let hush_wire::PartV1::Residues(words) = &mut stored.parts[0] {
            words[0] = u64::MAX;
        }
    }));
    Ok(())
}

#[test]
fn flooding_adds_what_it_says() -> Result<(), KeysError> {
    let mut rng = TestRng::new();
    let parameters = insecure_with(12, 3, 1);
    let key = SecretKey::generate(&parameters, &mut rng);
    let (_, plaintext) = message(&parameters, Level(1), &mut rng);
    let ciphertext = key.encrypt_symmetric(&plaintext, &mut rng)?.expand();
    let flooding = Flooding::new(ERROR_DEVIATION, 30, 1024)?;
    let flooded = key.decrypt_flooded(&ciphertext, &flooding, &mut rng)?;
    let ratio = deviation(&noise(&flooded, &plaintext)) / flooding.deviation();
    assert!((0.9..1.1).contains(&ratio), "{ratio}");
    let too_much = Flooding::new(1e8, 60, 1024)?;
    assert!(matches!(
        key.decrypt_flooded(&ciphertext, &too_much, &mut rng),
        Err(KeysError::FloodingTooLarge { .. })
    ));
    Ok(())
}

#[test]
fn same_seed_same_bytes() -> Result<(), KeysError> {
    let parameters = insecure_small();
    let run = || {
        let mut rng = TestRng::from_seed(5);
        let key = SecretKey::generate(&parameters, &mut rng);
        let (_, plaintext) = message(&parameters, Level(1), &mut rng);
        let public = key.public_key(&mut rng).encrypt(&plaintext, &mut rng)?;
        Ok::<_, KeysError>((
            key.encrypt_symmetric(&plaintext, &mut rng)?.to_wire(),
            public.to_wire(),
        ))
    };
    assert!(run()? == run()?);
    Ok(())
}

/// Everything that a fixed seed makes, folded into one number: the same under every instruction
/// set, number of threads and release. The message is a constant, since sines and cosines are the
/// platform's.
#[test]
fn known_answer() -> Result<(), KeysError> {
    let parameters = insecure_small();
    let mut rng = TestRng::from_seed(2024);
    let key = SecretKey::generate(&parameters, &mut rng);
    let scale = Scale::power_of_two(SCALE_BITS);
    let plaintext = encode_constant(&parameters, 0.75, 8, scale, Level(3))?;
    let symmetric = key.encrypt_symmetric(&plaintext, &mut rng)?.expand();
    let public = key.public_key(&mut rng).encrypt(&plaintext, &mut rng)?;
    let switching = key.relinearization_key(Level(3), &mut rng)?;
    let limbs: Vec<u64> = (0..6)
        .flat_map(|limb| (0..switching.digits()).map(move |digit| (limb, digit)))
        .flat_map(|(limb, digit)| {
            let (b, a) = switching.halves(limb, digit);
            [b, a].concat()
        })
        .collect();
    let fold = |sum: u64, word: &u64| (sum ^ word).wrapping_mul(0x100_0000_01b3).rotate_left(23);
    let parts = symmetric.parts().iter().chain(public.parts());
    let sum = parts
        .flat_map(|part| part.words())
        .chain(&limbs)
        .fold(0, fold);
    assert_eq!(sum, 12_520_832_873_407_601_676);
    Ok(())
}
