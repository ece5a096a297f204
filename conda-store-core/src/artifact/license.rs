//! What packages say of their licence, as SPDX has it.

use std::collections::BTreeMap;

use spdx::{Expression, LicenseItem};

/// The licences of a document that SPDX has no identifier for: what they are called in it, and what the packages say.
#[derive(Debug, Default)]
pub(super) struct Licenses {
    pub(super) extracted: BTreeMap<String, String>,
}

impl Licenses {
    /// The licence expression
    /// (<https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/>) for what a package says.
    pub(super) fn expression(&mut self, said: &str) -> String {
        let canonical = || Expression::canonicalize(said).ok().flatten();
        let expression = Expression::parse(said).ok().map(|_| said.to_owned()).or_else(canonical);
        let parsed = expression.as_deref().and_then(|text| Expression::parse(text).ok());
        let own = parsed.as_ref().and_then(references);
        let (Some(expression), Some(own)) = (expression, own) else { return self.reference(said) };
        self.extracted.extend(own.into_iter().map(|name| (name.clone(), name)));
        expression
    }

    /// A name of this document for a licence that nobody could tell.
    fn reference(&mut self, said: &str) -> String {
        let allowed =
            |character: char| if character.is_ascii_alphanumeric() || character == '.' { character } else { '-' };
        let base = format!("LicenseRef-{}", said.chars().map(allowed).collect::<String>());
        let mut name = base.clone();
        let mut number = 1;
        while self.extracted.get(&name).is_some_and(|text| text != said) {
            number += 1;
            name = format!("{base}-{number}");
        }
        self.extracted.insert(name.clone(), said.to_owned());
        name
    }
}

/// The names in an expression that are not of the list of licences; none where it names another document, which there is not.
fn references(expression: &Expression) -> Option<Vec<String>> {
    let mut names = Vec::new();
    for requirement in expression.requirements() {
        if let LicenseItem::Other(reference) = &requirement.req.license {
            let name = reference.to_string();
            if !name.starts_with("LicenseRef-") {
                return None;
            }
            names.push(name);
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_packages_say_becomes_an_expression() {
        let mut licenses = Licenses::default();
        for (said, expected) in [
            ("MIT", "MIT"),
            ("GPL-3.0-only WITH GCC-exception-3.1", "GPL-3.0-only WITH GCC-exception-3.1"),
            ("Apache 2.0", "Apache-2.0"),
            ("LicenseRef-Public-Domain", "LicenseRef-Public-Domain"),
            ("DocumentRef-x:LicenseRef-y", "LicenseRef-DocumentRef-x-LicenseRef-y"),
            ("Our own, ask us", "LicenseRef-Our-own--ask-us"),
            ("Our own; ask us", "LicenseRef-Our-own--ask-us-2"),
            ("Our own, ask us", "LicenseRef-Our-own--ask-us"),
        ] {
            assert_eq!(licenses.expression(said), expected, "{said}");
        }
        let texts: Vec<&str> = licenses.extracted.values().map(String::as_str).collect();
        assert_eq!(
            texts,
            ["DocumentRef-x:LicenseRef-y", "Our own, ask us", "Our own; ask us", "LicenseRef-Public-Domain"]
        );
    }
}
