//! What is wrong with a configuration, said so that it can be put right.

use std::{fmt, path::PathBuf};

/// Where an option was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1; 0 where it is not known.
        line: u64,
    },
    /// In this environment variable.
    Environment(String),
    /// Nowhere: it is the default, or it is missing.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: 0 } => write!(formatter, "{}", path.display()),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Environment(variable) => write!(formatter, "environment variable {variable}"),
            Self::Default => formatter.write_str("default"),
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it was set.
    pub origin: Origin,
    /// `Section.key`, as far as it applies.
    pub subject: String,
    /// What was found, what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subject.as_str() {
            "" => write!(formatter, "{}: {}", self.origin, self.message),
            subject => write!(formatter, "{}: {subject}: {}", self.origin, self.message),
        }
    }
}

/// Everything that is wrong with a configuration, one line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the configuration cannot be used")?;
        self.0.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

/// "did you mean …" for the known name nearest to `name`, else all known names.
pub(super) fn suggestion<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<_> = known.into_iter().collect();
    let name = name.to_lowercase();
    let nearness = |candidate: &str| {
        let candidate = candidate.to_lowercase();
        // A part of a name, such as `namespace` for `primary_namespace`, is near enough.
        let part = name.len() > 3 && candidate.contains(&name);
        strsim::jaro_winkler(&candidate, &name).max(if part { 0.81 } else { 0.0 })
    };
    let nearest = known.iter().max_by(|left, right| nearness(left).total_cmp(&nearness(right)));
    match nearest {
        Some(nearest) if nearness(nearest) > 0.8 => format!("did you mean {nearest}?"),
        _ => format!("known are {}", known.join(", ")),
    }
}

/// The message of serde's `error` in the words of this configuration: what was got, what is taken. The value itself is
/// left out where it is `secret`.
pub(super) fn explain(error: &str, secret: bool) -> String {
    let error = error.trim_end();
    let wrong = error.strip_prefix("invalid type: ").or_else(|| error.strip_prefix("invalid value: "));
    if let Some((got, takes)) = wrong.and_then(|rest| rest.rsplit_once(", expected ")) {
        let got = if secret { got.split(['"', '`']).next().unwrap_or_default().trim_end() } else { got };
        return format!("got {got}, takes {}", words(takes));
    }
    if secret {
        return "the value is not of the right form (it may be a secret, so it is not shown)".into();
    }
    if let Some((name, known)) = unknown(error, "unknown field `") {
        return format!("unknown key {name}; {}", suggestion(name, known));
    }
    if let Some((name, known)) = unknown(error, "unknown variant `") {
        return format!("got {name:?}, takes {}", known.join(", "));
    }
    error.to_owned()
}

/// The name and the known names in serde's messages of the form "unknown … `a`, expected `b` or `c`".
fn unknown<'a>(error: &'a str, prefix: &str) -> Option<(&'a str, Vec<&'a str>)> {
    let (name, rest) = error.strip_prefix(prefix)?.split_once("`, expected ")?;
    Some((name, rest.split('`').skip(1).step_by(2).collect()))
}

/// What serde calls a type, in words for an administrator.
fn words(takes: &str) -> String {
    let whole = |from: i64, to: u64| format!("a whole number from {from} to {to}");
    match takes {
        "a boolean" => "true or false".into(),
        "a string" => "text".into(),
        "a sequence" => "a list".into(),
        "path string" => "a path".into(),
        "u8" => whole(0, u8::MAX.into()),
        "u16" => whole(0, u16::MAX.into()),
        "u32" => whole(0, u32::MAX.into()),
        "u64" | "usize" => whole(0, u64::MAX),
        "a nonzero u32" => whole(1, u32::MAX.into()),
        "a nonzero usize" => whole(1, u64::MAX),
        _ => match takes.strip_prefix("struct ") {
            Some(_) => "a map".into(),
            None => takes.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_got_and_what_is_taken() {
        for (error, said) in [
            (
                r#"invalid type: string "abc", expected u16"#,
                r#"got string "abc", takes a whole number from 0 to 65535"#,
            ),
            (
                "invalid value: integer `70000`, expected u16",
                "got integer `70000`, takes a whole number from 0 to 65535",
            ),
            ("unknown variant `A`, expected one of `B`, `C`", r#"got "A", takes B, C"#),
            (
                "unknown field `namespace`, expected `primary_namespace` or `exp`",
                "unknown key namespace; did you mean primary_namespace?",
            ),
            ("takes 1, 2 or 3", "takes 1, 2 or 3"),
        ] {
            assert_eq!(explain(error, false), said);
        }
    }

    #[test]
    fn never_shows_a_secret() {
        for error in [
            r#"invalid type: string "hunter2", expected a map"#,
            "unknown field `hunter2`, expected `exp`",
            "hunter2 is bad",
        ] {
            assert!(!explain(error, true).contains("hunter2"));
        }
        assert_eq!(explain("invalid type: integer `1234`, expected a string", true), "got integer, takes text");
    }

    #[test]
    fn suggests_the_nearest_name_or_lists_them_all() {
        assert_eq!(suggestion("databse_url", ["database_url", "redis_url"]), "did you mean database_url?");
        assert_eq!(suggestion("zzz", ["database_url", "redis_url"]), "known are database_url, redis_url");
    }
}
