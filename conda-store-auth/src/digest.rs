//! Comparison of secrets that takes the same time wherever they differ.

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// Stands for a secret; comparing digests also hides the secret's length.
#[derive(Clone)]
pub(crate) struct SecretDigest([u8; 32]);

impl SecretDigest {
    /// The digest of `secret`.
    pub(crate) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// Whether both stand for the same secret.
    pub(crate) fn matches(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }

    /// The digest in hexadecimal digits.
    pub(crate) fn hexadecimal(&self) -> String {
        hex::encode(self.0)
    }
}
