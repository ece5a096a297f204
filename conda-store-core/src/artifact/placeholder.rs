//! The prefix of an environment in its files, and the placeholder that packages have in its place
//! (<https://docs.conda.io/projects/conda-build/en/stable/resources/make-relocatable.html>).

use memchr::memmem;

/// A string in a program that holds the placeholder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// Where it begins.
    pub(super) offset: usize,
    /// Its bytes up to the zero byte that ends it.
    pub(super) length: usize,
    /// Where the placeholder is in it.
    pub(super) places: Vec<usize>,
}

/// `data` with every `from` replaced.
pub(super) fn replace(data: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut replaced = Vec::with_capacity(data.len());
    let mut at = 0;
    for place in memmem::find_iter(data, from) {
        replaced.extend_from_slice(&data[at..place]);
        replaced.extend_from_slice(to);
        at = place + from.len();
    }
    replaced.extend_from_slice(&data[at..]);
    replaced
}

/// A program with the placeholder in place of the prefix: the opposite of what linking did, which filled every string that
/// became shorter up with zero bytes.
pub(super) fn restore_binary(data: &[u8], prefix: &[u8], placeholder: &[u8]) -> Vec<u8> {
    let difference = placeholder.len().saturating_sub(prefix.len());
    let mut restored = Vec::with_capacity(data.len());
    let mut at = 0;
    while let Some(place) = memmem::find(&data[at..], prefix).map(|place| at + place) {
        let end = memchr::memchr(0, &data[place..]).map_or(data.len(), |length| place + length);
        restored.extend_from_slice(&data[at..place]);
        restored.extend_from_slice(&replace(&data[place..end], prefix, placeholder));
        let filled = memmem::find_iter(&data[place..end], prefix).count() * difference;
        let zeros = data[end..].iter().take(filled).take_while(|byte| **byte == 0).count();
        at = end + zeros;
    }
    restored.extend_from_slice(&data[at..]);
    restored
}

/// The strings of a program that hold `placeholder`.
pub(super) fn held(data: &[u8], placeholder: &[u8]) -> Vec<Held> {
    let mut found: Vec<Held> = Vec::new();
    for place in memmem::find_iter(data, placeholder) {
        match found.last_mut() {
            Some(last) if place < last.offset + last.length => last.places.push(place - last.offset),
            _ => {
                let length = memchr::memchr(0, &data[place..]).unwrap_or(data.len() - place);
                found.push(Held { offset: place, length, places: vec![0] });
            }
        }
    }
    found
}

/// A script without the path of its interpreter, which `/usr/bin/env` then looks for, and that path relative to `prefix`.
///
/// None where it has no interpreter in `prefix`, or arguments for it: with those, `env` is not portable.
pub(super) fn without_interpreter(script: &[u8], prefix: &[u8]) -> Option<(Vec<u8>, String)> {
    let (command, body) = interpreter(script)?;
    let path = command.strip_prefix(prefix)?.strip_prefix(b"/")?;
    let path = std::str::from_utf8(path).ok()?;
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut rewritten = format!("#!/usr/bin/env {name}\n").into_bytes();
    rewritten.extend_from_slice(body);
    Some((rewritten, path.to_owned()))
}

/// The program that runs `script`, where it does so without arguments, and what follows of the script.
fn interpreter(script: &[u8]) -> Option<(&[u8], &[u8])> {
    if let Some((command, arguments, body)) = through_a_shell(script) {
        return arguments.is_empty().then_some((command, body));
    }
    let (line, body) = split_line(script.strip_prefix(b"#!")?);
    let command = line.trim_ascii();
    (!command.contains(&b' ') && !command.contains(&b'\t')).then_some((command, body))
}

/// The program, its arguments, and what follows of a script whose first lines have a shell start the program, in words that
/// Python takes for a string: so pip and conda do where a path is too long for a first line.
fn through_a_shell(script: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    const BEGIN: &[u8] = b"#!/bin/sh\n'''exec' ";
    const SCRIPT: &[u8] = b" \"$0\" \"$@\"";
    let (line, body) = split_line(script.strip_prefix(BEGIN)?);
    let (line, body) = match line.strip_suffix(b" #'''") {
        Some(line) => (line, body),
        None => (line, body.strip_prefix(b"' '''\n")?),
    };
    let line = line.strip_suffix(SCRIPT)?;
    let (command, arguments) = match line.strip_prefix(b"\"") {
        Some(line) => line.split_at(memchr::memchr(b'"', line)?),
        None => line.split_at(memchr::memchr(b' ', line).unwrap_or(line.len())),
    };
    Some((command, arguments.strip_prefix(b"\"").unwrap_or(arguments), body))
}

fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', text) {
        Some(end) => (&text[..end], &text[end + 1..]),
        None => (text, &[]),
    }
}

/// `script` as its package has it, where linking gave it other first lines because the path of the prefix is long.
pub(super) fn restore_interpreter(script: &[u8], placeholder: &str) -> Option<Vec<u8>> {
    if let Some((command, arguments, body)) = through_a_shell(script) {
        return Some([b"#!", command, arguments, b"\n", body].concat());
    }
    let rest = script.strip_prefix(b"#!/usr/bin/env ")?;
    Some([format!("#!{placeholder}/bin/").as_bytes(), rest].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACEHOLDER: &[u8] = b"/placeholder_placeholder";

    #[test]
    fn a_program_gets_its_placeholder_back_exactly() {
        for original in [
            &b"\x7fELF/placeholder_placeholder/lib\0\0next\0"[..],
            b"a:/placeholder_placeholder/a:/placeholder_placeholder/b\0tail/placeholder_placeholder\0",
            b"nothing",
            b"/placeholder_placeholder",
        ] {
            let linked = link(original, b"/srv/web");
            assert_eq!(linked.len(), original.len());
            assert_eq!(restore_binary(&linked, b"/srv/web", PLACEHOLDER), original);
        }
    }

    /// As conda replaces the placeholder in a program.
    fn link(original: &[u8], prefix: &[u8]) -> Vec<u8> {
        let mut linked = original.to_vec();
        for Held { offset, length, .. } in held(original, PLACEHOLDER) {
            let mut text = replace(&original[offset..offset + length], PLACEHOLDER, prefix);
            text.resize(length, 0);
            linked[offset..offset + length].copy_from_slice(&text);
        }
        linked
    }

    #[test]
    fn finds_the_strings_that_hold_a_placeholder() {
        let data = b"a:/placeholder_placeholder/a:/placeholder_placeholder/b\0/placeholder_placeholder\0";
        let found =
            [Held { offset: 2, length: 53, places: vec![0, 27] }, Held { offset: 56, length: 24, places: vec![0] }];
        assert_eq!(held(data, PLACEHOLDER), found);
    }

    #[test]
    fn every_form_of_first_line_becomes_the_same() {
        let expected = (b"#!/usr/bin/env python3.11\nimport re\n".to_vec(), "bin/python3.11".to_owned());
        for script in [
            "#!/srv/web/bin/python3.11\nimport re\n",
            "#!/bin/sh\n'''exec' \"/srv/web/bin/python3.11\" \"$0\" \"$@\" #'''\nimport re\n",
            "#!/bin/sh\n'''exec' \"/srv/web/bin/python3.11\" \"$0\" \"$@\"\n' '''\nimport re\n",
            "#!/bin/sh\n'''exec' /srv/web/bin/python3.11 \"$0\" \"$@\"\n' '''\nimport re\n",
        ] {
            assert_eq!(without_interpreter(script.as_bytes(), b"/srv/web"), Some(expected.clone()), "{script}");
        }
        let with_argument = "#!/bin/sh\n'''exec' \"/srv/web/bin/python\" -E \"$0\" \"$@\" #'''\n";
        for script in
            [with_argument, "#!/srv/web/bin/perl -w\n", "#!/bin/sh\n", "#!/srv/webs/bin/python\n", "import re\n"]
        {
            assert_eq!(without_interpreter(script.as_bytes(), b"/srv/web"), None, "{script}");
        }
    }
    #[test]
    fn first_lines_for_long_paths_are_undone() {
        for (linked, original) in [
            (
                "#!/bin/sh\n'''exec' \"/ph/bin/python\" -E -s \"$0\" \"$@\" #'''\nbody\n",
                "#!/ph/bin/python -E -s\nbody\n",
            ),
            ("#!/usr/bin/env perl -w\nbody\n", "#!/ph/bin/perl -w\nbody\n"),
        ] {
            assert_eq!(restore_interpreter(linked.as_bytes(), "/ph"), Some(original.into()));
        }
        assert_eq!(restore_interpreter(b"body\n", "/ph"), None);
    }
}
