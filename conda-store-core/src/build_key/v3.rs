//! Version 3: a hash, always equally short.

use sha2::{Digest, Sha256};

use super::{BuildKeyFormat, BuildKeyParts, BuildKeyReference, checked_sha256, is_hexadecimal};
use crate::Result;

/// The length of a key in hexadecimal digits.
const DIGITS: usize = 32;

/// The first 32 hexadecimal digits of the SHA-256 of namespace, specification's sha256, unix time in whole seconds and
/// build id, in this order with nothing between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildKeyV3;

impl BuildKeyFormat for BuildKeyV3 {
    fn version(&self) -> i32 {
        3
    }

    fn key(&self, parts: &BuildKeyParts<'_>) -> Result<String> {
        let sha256 = checked_sha256(parts)?;
        let seconds = parts.scheduled_on.unix_seconds();
        let text = format!("{}{sha256}{seconds}{}", parts.namespace, parts.build_id);
        let mut key = hex::encode(Sha256::digest(text));
        key.truncate(DIGITS);
        Ok(key)
    }

    fn parse(&self, key: &str) -> Option<BuildKeyReference> {
        is_hexadecimal(key, DIGITS).then(|| BuildKeyReference::Hash(key.to_owned()))
    }

    fn named_paths(&self) -> bool {
        false
    }
}
