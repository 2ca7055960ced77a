//! Tensors to encrypted files and back, through the bytes.

use std::collections::{BTreeMap, BTreeSet};

use hush_ckks::primes::ntt_primes;
use hush_client::passphrase::Passphrase;
use hush_client::{
    ClientError, Tensor, decrypt, encrypt, generate_secret_key, read_secret_key,
    write_evaluation_keys, write_secret_key,
};
use hush_keys::{SecretKey, SecureRng};
use hush_program::{
    ClientSpec, ExchangeError, KeyManifest, Packing, PackingKind, ParameterSpec, Place, TensorSpec,
};
use hush_wire::{
    CiphertextsReader, CiphertextsWriter, DirectionV1, EvaluationKeysReader, WireError,
};

/// The identity model: two inputs of 3 and 1 elements, outputs the same, 4 samples a group.
fn spec() -> ClientSpec {
    let mut primes = ntt_primes(12, 34, 3, &BTreeSet::new()).unwrap();
    primes.sort_unstable();
    let special_moduli = primes.split_off(2);
    let tensor = |name: &str, elements: usize| TensorSpec {
        name: name.to_owned(),
        shape: vec![elements],
        ciphertexts: 1,
        places: (0..elements)
            .map(|slot| {
                vec![Place {
                    ciphertext: 0,
                    slot,
                }]
            })
            .collect(),
        range: None,
    };
    ClientSpec {
        program_id: [7; 32],
        name: "identity".to_owned(),
        parameters: ParameterSpec {
            log_degree: 12,
            moduli: primes,
            special_moduli,
        },
        slots: 16,
        input_level: 1,
        input_scale: 2f64.powi(30),
        output_level: 1,
        output_scale: 2f64.powi(30),
        inputs: vec![tensor("a", 3), tensor("b", 1)],
        outputs: vec![tensor("a", 3), tensor("b", 1)],
        packing: Packing {
            kind: PackingKind::Latency,
            samples: 4,
            sample_stride: 4,
        },
        keys: KeyManifest {
            relinearization: Some(1),
            rotations: BTreeMap::from([(1, 0), (3, 1)]),
        },
        post: Vec::new(),
    }
}

fn tensors(samples: usize) -> Vec<Tensor> {
    let tensor = |elements: usize, first: f64| {
        let data = (0..samples * elements).map(|index| first + index as f64 / 7.0);
        Tensor::new(vec![samples, elements], data.collect()).unwrap()
    };
    vec![tensor(3, -2.0), tensor(1, 5.0)]
}

fn rng() -> SecureRng {
    SecureRng::from_os().unwrap()
}

fn key(spec: &ClientSpec) -> SecretKey {
    generate_secret_key(spec, &mut rng()).unwrap()
}

fn encrypted(spec: &ClientSpec, key: &SecretKey, samples: usize) -> Vec<u8> {
    let inputs = tensors(samples);
    let (bytes, encrypted) =
        encrypt(spec, &inputs, key, &mut rng(), Vec::new(), &mut |_, _| ()).unwrap();
    assert_eq!(encrypted.samples, samples);
    assert_eq!(encrypted.ciphertexts, samples.div_ceil(4) * 2);
    bytes
}

/// What a server that runs the identity sends back.
fn echoed(input: &[u8]) -> Vec<u8> {
    let mut reader = CiphertextsReader::open(input).unwrap();
    let mut header = reader.header().clone();
    header.direction = DirectionV1::Output;
    let mut writer = CiphertextsWriter::new(Vec::new(), header).unwrap();
    while let Some(ciphertext) = reader.next_ciphertext().unwrap() {
        writer.write(&ciphertext).unwrap();
    }
    reader.finish().unwrap();
    writer.finish().unwrap()
}

#[test]
fn tensors_come_back_through_files() {
    let spec = spec();
    let key = key(&spec);
    for samples in [1, 4, 9] {
        let output = echoed(&encrypted(&spec, &key, samples));
        let mut calls = 0;
        let back = decrypt(&spec, &key, &output[..], &mut |_, _| calls += 1).unwrap();
        assert!(calls > 1);
        for (wanted, tensor) in tensors(samples).iter().zip(&back) {
            assert_eq!(wanted.shape(), tensor.shape());
            for (a, b) in wanted.data().iter().zip(tensor.data()) {
                assert!((a - b).abs() < 1e-4, "{a} against {b}");
            }
        }
    }
}

#[test]
fn another_key_model_or_direction_is_refused() {
    let spec = spec();
    let key = key(&spec);
    let input = encrypted(&spec, &key, 1);
    let output = echoed(&input);
    let open = |spec: &ClientSpec, key: &SecretKey, bytes: &[u8]| {
        decrypt(spec, key, bytes, &mut |_, _| ()).unwrap_err()
    };
    assert!(matches!(
        open(&spec, &self::key(&spec), &output),
        ClientError::OtherKey { .. }
    ));
    assert!(matches!(
        open(&spec, &key, &input),
        ClientError::Exchange(ExchangeError::Direction { .. })
    ));
    let mut other = spec.clone();
    other.program_id[0] ^= 1;
    assert!(matches!(
        open(&other, &key, &output),
        ClientError::Exchange(ExchangeError::Program { .. })
    ));
    assert!(matches!(
        open(&spec, &key, &output[..output.len() - 1]),
        ClientError::Wire(WireError::Truncated { .. })
    ));
}

#[test]
fn secret_keys_come_back_with_their_passphrase() {
    let spec = spec();
    let key = key(&spec);
    let passphrase =
        |text: &str| Passphrase::new(zeroize::Zeroizing::new(text.to_owned())).unwrap();
    let words = passphrase("correct horse");
    let output = echoed(&encrypted(&spec, &key, 1));
    for protection in [None, Some(&words)] {
        let mut file = Vec::new();
        write_secret_key(&key, protection, &mut rng(), &mut file).unwrap();
        let back = read_secret_key(&spec, protection, &file[..]).unwrap();
        assert_eq!(back.key_id(), key.key_id());
        decrypt(&spec, &back, &output[..], &mut |_, _| ()).unwrap();
        let wrong = passphrase("battery staple");
        let without = read_secret_key(&spec, None, &file[..]).err();
        let with_wrong = read_secret_key(&spec, Some(&wrong), &file[..]).err();
        if protection.is_some() {
            assert!(matches!(without, Some(ClientError::PassphraseNeeded)));
            assert!(matches!(with_wrong, Some(ClientError::WrongPassphrase)));
        } else {
            assert!(without.is_none() && with_wrong.is_none());
        }
    }
}

#[test]
fn evaluation_keys_are_those_of_the_manifest() {
    let spec = spec();
    let key = key(&spec);
    let file = write_evaluation_keys(&spec, &key, &mut rng(), Vec::new(), &mut |_, _| ()).unwrap();
    let mut reader = EvaluationKeysReader::open(&file[..]).unwrap();
    assert_eq!(reader.header().key_id, key.key_id().0);
    let limbs: Vec<u32> = reader.header().keys.iter().map(|key| key.limbs).collect();
    assert_eq!(limbs.len(), 3);
    assert_eq!(limbs.iter().sum::<u32>(), 2 + 1 + 2);
    while reader.next_key().unwrap().is_some() {}
    reader.finish().unwrap();
}
