//! Keys as paths. opendal takes white space away from the ends of what it is given; so there, and only there, it is written
//! percent-encoded, and therefore the percent sign too.

use std::borrow::Cow;

use conda_store_core::storage::StorageKey;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The path of a key, or of a directory of keys.
pub(super) fn path(key: &str) -> String {
    let segments: Vec<_> = key.split('/').map(segment).collect();
    segments.join("/")
}

fn segment(text: &str) -> String {
    let middle = text.trim();
    let start = text.len() - text.trim_start().len();
    let (before, after) = (&text[..start], &text[start + middle.len()..]);
    let middle = middle.replace('%', "%25");
    let edge = |space| utf8_percent_encode(space, NON_ALPHANUMERIC);
    format!("{}{middle}{}", edge(before), edge(after))
}

/// Whether a path stands in a URL as it is. Not every service of opendal's encodes what it signs: what follows a question mark
/// would not belong to the path any more.
pub(super) fn is_plain(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte))
}

/// The key of a path, where it is one of ours.
pub(super) fn key(path: &str) -> Option<StorageKey> {
    let text: Cow<'_, str> = percent_decode_str(path).decode_utf8().ok()?;
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_opendal_would_change_is_encoded() {
        for (text, expected) in [
            ("logs/1-a b.log", "logs/1-a b.log"),
            ("ü/日本/🦀", "ü/日本/🦀"),
            ("a b/ c ", "a b/%20c%20"),
            ("\u{3000}x", "%E3%80%80x"),
            ("%2e%2e/%2f", "%252e%252e/%252f"),
            (" ", "%20"),
        ] {
            assert_eq!(path(text), expected);
            assert_eq!(key(expected).unwrap().as_str(), text);
        }
    }
}
