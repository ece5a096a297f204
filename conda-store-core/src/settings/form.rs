//! How settings are written, in a configuration file as in the API.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Error as _, Unexpected, Visitor},
};
use url::Url;

use crate::channel::ChannelAlias;

/// A whole number of seconds.
pub(super) mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(in super::super) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(time.as_secs())
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_secs)
    }
}

/// Mode bits in octal digits, or nothing.
pub(super) mod permissions {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Mode;

    #[expect(clippy::ref_option, clippy::trivially_copy_pass_by_ref, reason = "serde hands a field over like this")]
    pub(in super::super) fn serialize<S: Serializer>(mode: &Option<u32>, serializer: S) -> Result<S::Ok, S::Error> {
        match mode {
            Some(bits) => serializer.collect_str(&format_args!("{bits:03o}")),
            None => serializer.serialize_none(),
        }
    }

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
        Ok(Option::<Mode>::deserialize(deserializer)?.map(|Mode(bits)| bits))
    }
}

/// Mode bits written in octal digits: `"775"`, or the bare number `775`.
struct Mode(u32);

struct ModeVisitor;

impl Visitor<'_> for ModeVisitor {
    type Value = Mode;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("three or four octal digits such as \"775\"")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Mode, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Mode, E> {
        let digits = matches!(text.len(), 3 | 4) && text.bytes().all(|byte| byte.is_ascii_digit());
        let bits = u32::from_str_radix(text, 8).ok().filter(|_| digits);
        bits.map(Mode).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModeVisitor)
    }
}

/// The URL of a [`ChannelAlias`], without a slash at its end.
pub(super) fn channel_alias<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.parse::<Url>().is_err() {
        return Err(D::Error::invalid_value(Unexpected::Str(&text), &"a URL such as https://example.org/"));
    }
    ChannelAlias::new(&text).map_err(D::Error::custom)?;
    Ok(text.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modes_are_octal_however_they_are_written() {
        for (value, bits) in [(json!("775"), 0o775), (json!(775), 0o775), (json!("2770"), 0o2770), (json!("000"), 0)] {
            assert_eq!(serde_json::from_value::<Mode>(value).unwrap().0, bits);
        }
        for value in [json!("789"), json!("rwx"), json!("+77"), json!("0o775"), json!(""), json!(75), json!(true)] {
            let Err(error) = serde_json::from_value::<Mode>(value) else { unreachable!("these are no modes") };
            assert!(error.to_string().contains("octal digits"), "{error}");
        }
    }
}
