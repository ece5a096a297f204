//! The scripts of an archive, and what is written into them.

use std::{collections::BTreeMap, os::unix::ffi::OsStrExt, path::Path};

use super::{placeholder::Held, portable::Repair};

/// `bin/activate` for shells like bash, and `bin/activate.fish`, before the variables that they set.
const ACTIVATE: &str = include_str!("scripts/activate");
const ACTIVATE_FISH: &str = include_str!("scripts/activate.fish");

/// The line that the variables take the place of.
const VARIABLES: &str = "@VARIABLES@\n";

/// `bin/deactivate` for shells like bash.
pub(super) const DEACTIVATE: &str = include_str!("scripts/deactivate");

/// `bin/conda-unpack` before the list of what it has to do.
const CONDA_UNPACK: &str = include_str!("scripts/conda-unpack");

/// `bin/activate` of an environment that was at `prefix`, with its variables.
pub(super) fn activate(variables: &BTreeMap<String, String>, prefix: &str) -> Vec<u8> {
    let lines = variables.iter().map(|(name, value)| {
        let parts = value.split(prefix).map(|part| format!("'{}'", part.replace('\'', r"'\''")));
        format!("    _conda_store_set {name} {}\n", parts.collect::<Vec<_>>().join("\"$_conda_store_prefix\""))
    });
    ACTIVATE.replace(VARIABLES, &lines.collect::<String>()).into_bytes()
}

/// As [`activate`], for `bin/activate.fish`.
pub(super) fn activate_fish(variables: &BTreeMap<String, String>, prefix: &str) -> Vec<u8> {
    let lines = variables.iter().map(|(name, value)| {
        let parts = value.split(prefix).map(|part| format!("'{}'", part.replace('\\', r"\\").replace('\'', r"\'")));
        format!("_conda_store_set {name} {}\n", parts.collect::<Vec<_>>().join("\"$CONDA_PREFIX\""))
    });
    ACTIVATE_FISH.replace(VARIABLES, &lines.collect::<String>()).into_bytes()
}

/// `bin/conda-unpack`, which does what [`repair`] has written.
pub(super) fn conda_unpack(repairs: &[u8]) -> Vec<u8> {
    let script = CONDA_UNPACK.replace("@VERSION@", env!("CARGO_PKG_VERSION"));
    [script.as_bytes(), repairs].concat()
}

/// Writes the line of `conda-unpack` for one repair of the file at `path`.
pub(super) fn repair(lines: &mut Vec<u8>, path: &Path, repair: &Repair) {
    let path = quoted(path.as_os_str().as_bytes());
    match repair {
        Repair::Text(placeholder) => line(lines, &[b"text", &path, &quoted(pattern(placeholder).as_bytes())]),
        Repair::Interpreter(program) => line(lines, &[b"interpreter", &path, &quoted(program.as_bytes())]),
        Repair::Binary(placeholder, strings) => {
            for Held { offset, length, places } in strings {
                let numbers: Vec<_> = [offset, length].into_iter().chain(places).map(usize::to_string).collect();
                line(lines, &[b"binary", &path, &quoted(placeholder.as_bytes()), numbers.join(" ").as_bytes()]);
            }
        }
    }
}

fn line(lines: &mut Vec<u8>, words: &[&[u8]]) {
    lines.extend_from_slice(&words.join(&b' '));
    lines.push(b'\n');
}

/// One word for a POSIX shell.
fn quoted(text: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for byte in text {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            other => quoted.push(*other),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// A basic regular expression of POSIX that matches `text` alone, between bars.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for character in text.chars() {
        if r"\.*[]^$|".contains(character) {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}
