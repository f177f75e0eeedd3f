//! Signatures of tokens by ring, which TLS brings anyway. Only what is public is ever held: nothing is signed here, and a
//! secret that both sides know is no signature.

use std::sync::OnceLock;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{self, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature as by_ring;

static PROVIDER: CryptoProvider =
    CryptoProvider { signer_factory: no_signer, verifier_factory: verifier, key_utils: KeyUtils::new_unimplemented() };

/// Algorithms that are taken: each with a key of which the provider alone has the other half.
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

/// Makes it the one that is used, in the whole process.
pub(super) fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    // Nobody else installs one: a second call would only say so.
    INSTALLED.get_or_init(|| {
        let _ = PROVIDER.install_default();
    });
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the package asks for it so")]
fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(ErrorKind::UnsupportedAlgorithm.into())
}

/// How ring checks an algorithm.
enum Checks {
    Rsa(&'static by_ring::RsaParameters),
    Plain(&'static dyn by_ring::VerificationAlgorithm),
}

struct ByRing {
    algorithm: Algorithm,
    checks: Checks,
    key: DecodingKey,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the package asks for it so")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let checks = match algorithm {
        Algorithm::RS256 => Checks::Rsa(&by_ring::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Checks::Rsa(&by_ring::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Checks::Rsa(&by_ring::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Checks::Rsa(&by_ring::RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Checks::Rsa(&by_ring::RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Checks::Rsa(&by_ring::RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 => Checks::Plain(&by_ring::ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Checks::Plain(&by_ring::ECDSA_P384_SHA384_FIXED),
        Algorithm::EdDSA => Checks::Plain(&by_ring::ED25519),
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    // A key of another kind verifies nothing.
    if !ALGORITHMS.contains(algorithm) || !key.family().algorithms().contains(algorithm) {
        return Err(ErrorKind::InvalidKeyFormat.into());
    }
    Ok(Box::new(ByRing { algorithm: *algorithm, checks, key: key.clone() }))
}

impl Verifier<Vec<u8>> for ByRing {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let checked = match (&self.checks, self.key.kind()) {
            (Checks::Rsa(parameters), DecodingKeyKind::RsaModulusExponent { n, e }) => {
                by_ring::RsaPublicKeyComponents { n, e }.verify(parameters, message, signed)
            }
            (Checks::Plain(algorithm), DecodingKeyKind::SecretOrDer(key)) => {
                by_ring::UnparsedPublicKey::new(*algorithm, key).verify(message, signed)
            }
            _ => return Err(signature::Error::new()),
        };
        checked.map_err(|_| signature::Error::new())
    }
}

impl JwtVerifier for ByRing {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
