//! Version 2: the readable parts, shortened. The default.

use super::{BuildKeyFormat, BuildKeyParts, BuildKeyReference, checked_sha256, is_digits, is_hexadecimal, named};
use crate::Result;

/// How much of the specification's hash is kept, in hexadecimal digits.
const DIGITS: usize = 8;

/// `{first 8 digits of the sha256}-{unix time in seconds}-{build id}-{environment}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildKeyV2;

impl BuildKeyFormat for BuildKeyV2 {
    fn version(&self) -> i32 {
        2
    }

    fn key(&self, parts: &BuildKeyParts<'_>) -> Result<String> {
        let sha256 = &checked_sha256(parts)?[..DIGITS];
        let seconds = parts.scheduled_on.unix_seconds();
        Ok(format!("{sha256}-{seconds}-{}-{}", parts.build_id, parts.environment))
    }

    fn parse(&self, key: &str) -> Option<BuildKeyReference> {
        let mut segments = key.splitn(4, '-');
        if !is_hexadecimal(segments.next()?, DIGITS) || !is_digits(segments.next()?) {
            return None;
        }
        named(segments.next()?, segments.next()?)
    }
}
