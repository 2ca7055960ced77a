//! Signatures of tokens, checked by the same library that encrypts connections.

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind};
use ring::signature as schemes;

/// What a token may be signed with: public keys only.
pub(super) const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory: |&algorithm, key| Ok(Box::new(Check::new(algorithm, key)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes these the signatures of the process. A second call changes nothing.
pub(super) fn install() {
    let _ = PROVIDER.install_default();
}

struct Check {
    algorithm: Algorithm,
    key: DecodingKeyKind,
}

impl Check {
    fn new(algorithm: Algorithm, key: &DecodingKey) -> Result<Self, Error> {
        let family = match algorithm {
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512 => AlgorithmFamily::Rsa,
            Algorithm::ES256 | Algorithm::ES384 => AlgorithmFamily::Ec,
            Algorithm::EdDSA => AlgorithmFamily::Ed,
            _ => return Err(ErrorKind::InvalidAlgorithm.into()),
        };
        if key.family() != family {
            return Err(ErrorKind::InvalidKeyFormat.into());
        }
        Ok(Self {
            algorithm,
            key: key.kind().clone(),
        })
    }
}

impl Verifier<Vec<u8>> for Check {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let verified = match &self.key {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let scheme = match self.algorithm {
                    Algorithm::RS256 => &schemes::RSA_PKCS1_2048_8192_SHA256,
                    Algorithm::RS384 => &schemes::RSA_PKCS1_2048_8192_SHA384,
                    Algorithm::RS512 => &schemes::RSA_PKCS1_2048_8192_SHA512,
                    Algorithm::PS256 => &schemes::RSA_PSS_2048_8192_SHA256,
                    Algorithm::PS384 => &schemes::RSA_PSS_2048_8192_SHA384,
                    Algorithm::PS512 => &schemes::RSA_PSS_2048_8192_SHA512,
                    _ => return Err(signature::Error::new()),
                };
                schemes::RsaPublicKeyComponents { n, e }.verify(scheme, message, signature)
            }
            DecodingKeyKind::SecretOrDer(key) => {
                let scheme: &'static dyn schemes::VerificationAlgorithm = match self.algorithm {
                    Algorithm::ES256 => &schemes::ECDSA_P256_SHA256_FIXED,
                    Algorithm::ES384 => &schemes::ECDSA_P384_SHA384_FIXED,
                    Algorithm::EdDSA => &schemes::ED25519,
                    _ => return Err(signature::Error::new()),
                };
                schemes::UnparsedPublicKey::new(scheme, key).verify(message, signature)
            }
        };
        verified.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for Check {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
