//! What files of the data owner hold, in words, from their headers. Tells no secret.

use hush_ckks::security;
use hush_wire::{
    CiphertextsHeaderV1, DirectionV1, EvaluationKeysHeaderV1, FormV1, ParametersV1, ProtectionV1,
    SecretKeyHeaderV1, SwitchV1,
};

/// log2 of the product of all moduli, and the security level in bits that it has for this ring; 0 for none.
pub fn security_of(parameters: &ParametersV1) -> (f64, u32) {
    let moduli = parameters.moduli.iter().chain(&parameters.special_moduli);
    let log_q_p: f64 = moduli.map(|&modulus| (modulus as f64).log2()).sum();
    let rows = [256, 192, 128].into_iter();
    let bits = rows.filter(|&bits| {
        security::max_log_q_p(parameters.log_degree, bits)
            .is_some_and(|limit| log_q_p <= f64::from(limit))
    });
    (log_q_p, bits.max().unwrap_or(0))
}

/// Degree, moduli and security.
pub fn parameters(parameters: &ParametersV1) -> String {
    let (log_q_p, security) = security_of(parameters);
    format!(
        "N = 2^{}, {} + {} moduli of {log_q_p:.1} bits in all, {security}-bit security",
        parameters.log_degree,
        parameters.moduli.len(),
        parameters.special_moduli.len(),
    )
}

/// Which key it is, and whether a passphrase protects it.
pub fn secret_key(header: &SecretKeyHeaderV1) -> String {
    let protection = match header.protection {
        ProtectionV1::None => "not protected with a passphrase",
        ProtectionV1::Argon2id { .. } => "protected with a passphrase",
    };
    format!(
        "key {}, {protection}\n{}",
        hexadecimal(&header.key_id),
        parameters(&header.parameters)
    )
}

/// Which keys there are, a line each.
pub fn evaluation_keys(header: &EvaluationKeysHeaderV1) -> String {
    let mut lines = vec![
        format!("key {}", hexadecimal(&header.key_id)),
        parameters(&header.parameters),
        counted(header.keys.len(), "switching key"),
    ];
    for key in &header.keys {
        let name = switch(key.switch);
        lines.push(format!("  {name:<22} up to level {}", key.limbs - 1));
    }
    lines.join("\n")
}

/// What a switching key is for.
pub fn switch(switch: SwitchV1) -> String {
    match switch {
        SwitchV1::Relinearization => "relinearization".to_owned(),
        SwitchV1::Galois { element } => format!("automorphism {element}"),
    }
}

/// Of which program and key they are, how many, and what each looks like.
pub fn ciphertexts(header: &CiphertextsHeaderV1) -> String {
    let direction = match header.direction {
        DirectionV1::Input => "inputs",
        DirectionV1::Output => "outputs",
    };
    let first = header.shapes.first().map_or_else(String::new, |shape| {
        let form = match shape.form {
            FormV1::Seeded => "one polynomial and a seed".to_owned(),
            FormV1::Full { parts } => format!("{parts} polynomials"),
        };
        format!(
            "\neach at level {}, scale 2^{:.3}, {} slots, {form}",
            shape.limbs - 1,
            shape.scale.log2(),
            1u64 << shape.log_slots,
        )
    });
    format!(
        "encrypted {direction} of program {}\nunder key {}\n{}\n{} in {}{first}",
        hexadecimal(&header.program_id),
        hexadecimal(&header.key_id),
        parameters(&header.parameters),
        counted(header.samples as usize, "sample"),
        counted(header.shapes.len(), "ciphertext"),
    )
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    }
}
