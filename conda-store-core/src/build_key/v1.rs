//! Version 1: everything in full, readable and long.

use super::{BuildKeyFormat, BuildKeyParts, BuildKeyReference, checked_sha256, is_digits, is_hexadecimal, named};
use crate::Result;

/// `{sha256}-{YYYYmmdd-HHMMSS-microseconds}-{build id}-{environment}`, the time in UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildKeyV1;

impl BuildKeyFormat for BuildKeyV1 {
    fn version(&self) -> i32 {
        1
    }

    fn key(&self, parts: &BuildKeyParts<'_>) -> Result<String> {
        let sha256 = checked_sha256(parts)?;
        let time = parts.scheduled_on.naive().format("%Y%m%d-%H%M%S-%6f");
        Ok(format!("{sha256}-{time}-{}-{}", parts.build_id, parts.environment))
    }

    fn parse(&self, key: &str) -> Option<BuildKeyReference> {
        let mut segments = key.splitn(6, '-');
        let sha256 = segments.next()?;
        let time = [segments.next()?, segments.next()?, segments.next()?];
        let is_time = time.iter().zip([8, 6, 6]).all(|(digits, length)| digits.len() == length && is_digits(digits));
        if !is_time || !is_hexadecimal(sha256, 64) {
            return None;
        }
        named(segments.next()?, segments.next()?)
    }
}
