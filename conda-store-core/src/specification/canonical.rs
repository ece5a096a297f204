//! The one text of JSON data that is hashed: sorted throughout, and written as Python's `json.dumps` writes it, since the
//! hashes have to agree with those of databases that a Python program made.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Serializer, Value, ser::Formatter};
use sha2::{Digest, Sha256};

/// SHA-256 of the canonical text, in hexadecimal.
pub(super) fn sha256(value: &Value) -> String {
    hex::encode(Sha256::digest(canonical_json(value)))
}

/// The canonical text.
fn canonical_json(value: &Value) -> Vec<u8> {
    let mut text = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut text, PythonFormatter);
    // A `Value` has text as keys and a `Vec` takes every byte, so nothing can fail.
    let written = sorted(value).serialize(&mut serializer);
    debug_assert!(written.is_ok(), "{written:?}");
    text
}

/// `value` with every mapping sorted by key and every list by [`sort_key`], from the inside out.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(elements) => {
            let mut elements: Vec<_> = elements.iter().map(sorted).collect();
            elements.sort_by_cached_key(sort_key);
            Value::Array(elements)
        }
        Value::Object(entries) => {
            let mut entries: Vec<_> = entries.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            Value::Object(entries.into_iter().collect::<Map<_, _>>())
        }
        scalar => scalar.clone(),
    }
}

/// The name of the element's type in Python and, for a scalar, its value as `str()` gives it.
fn sort_key(value: &Value) -> String {
    match value {
        Value::Null => "<class 'NoneType'>".into(),
        Value::Array(_) => "<class 'list'>".into(),
        Value::Object(_) => "<class 'dict'>".into(),
        Value::Bool(true) => "<class 'bool'>-True".into(),
        Value::Bool(false) => "<class 'bool'>-False".into(),
        Value::String(text) => format!("<class 'str'>-{text}"),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => format!("<class 'float'>-{}", python_float(float)),
            None => format!("<class 'int'>-{number}"),
        },
    }
}

/// `repr()` of a float: the shortest digits that read back as the same number, with an exponent of at least two digits
/// below 1e-4 and from 1e16 on.
fn python_float(float: f64) -> String {
    let scientific = format!("{float:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else {
        return scientific;
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        return format!("{float:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `json.dumps` with its defaults: a space after `,` and `:`, and nothing but ASCII.
struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    fn write_f64<W: ?Sized + Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(python_float(value).as_bytes())
    }

    /// `fragment` has nothing that JSON itself would escape.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            match character {
                ' '..='~' => writer.write_all(&[character as u8])?,
                other => {
                    for unit in other.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(value: &Value) -> String {
        String::from_utf8(canonical_json(value)).unwrap()
    }

    #[test]
    fn agrees_with_every_vector_of_the_original() {
        let vectors: Vec<Value> =
            serde_json::from_str(include_str!("../../tests/data/specification-hash.json")).unwrap();
        for vector in vectors {
            assert_eq!(canonical(&vector["dumped"]), vector["canonical_json"]);
        }
    }

    #[test]
    fn sorts_as_the_texts_of_types_and_values_do() {
        let value =
            json!([null, "b", "B", 10, 9, -1, true, false, 1.5, {"b": 1, "a": [2, 1]}, [], "ü", "\u{ffff}", "😀"]);
        assert_eq!(
            canonical(&value),
            r#"[null, false, true, {"a": [1, 2], "b": 1}, 1.5, -1, 10, 9, [], "B", "b", "\u00fc", "\uffff", "\ud83d\ude00"]"#
        );
    }

    #[test]
    fn writes_text_as_python_does() {
        let value = json!("\" \\ / \n \r \t \u{8} \u{c} \0 \u{1f} \u{7f} \u{80} \u{2028} 𝄞");
        assert_eq!(canonical(&value), r#""\" \\ / \n \r \t \b \f \u0000 \u001f \u007f \u0080 \u2028 \ud834\udd1e""#);
    }

    #[test]
    fn writes_floats_as_python_does() {
        for (float, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.000_012_5, "1.25e-05"),
            (123_456_789.125, "123456789.125"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (-1.5e300, "-1.5e+300"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(canonical(&json!(float)), text);
        }
    }
}
