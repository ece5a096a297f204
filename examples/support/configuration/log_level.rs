//! What is logged.

use std::{fmt, str::FromStr};

use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// A level (`DEBUG`, `INFO`, `WARNING`, `ERROR`, `CRITICAL`, or a number of Python's logging), or levels per module such
/// as `info,conda_store_core=debug`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct LogLevel(String);

/// What a file may hold.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a level such as INFO, or levels per module such as info,conda_store_core=debug")]
enum Written {
    Number(u32),
    Text(String),
}

impl LogLevel {
    /// The filter for `tracing`.
    #[must_use]
    pub fn filter(&self) -> EnvFilter {
        // Checked when it was read.
        EnvFilter::new(&self.0)
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        // rattler tells of each file that it writes while it indexes a channel.
        Self("info,rattler_index=warn".into())
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let level = match text.to_ascii_lowercase().as_str() {
            "warning" => "warn".into(),
            "critical" | "fatal" => "error".into(),
            "notset" => "trace".into(),
            _ => text.to_owned(),
        };
        // A bare word that is no level would be taken for the name of a module.
        let bare = level.split(',').any(|part| !part.contains('=') && part.trim().parse::<tracing::Level>().is_err());
        if bare && !level.eq_ignore_ascii_case("off") || EnvFilter::try_new(&level).is_err() {
            return Err(format!(
                "got {text:?}, takes DEBUG, INFO, WARNING, ERROR, CRITICAL or levels per module such as \
                 info,conda_store_core=debug"
            ));
        }
        Ok(Self(level))
    }
}

impl TryFrom<Written> for LogLevel {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Text(text) => text.parse(),
            Written::Number(0..=9) => Ok(Self("trace".into())),
            Written::Number(10..=19) => Ok(Self("debug".into())),
            Written::Number(20..=29) => Ok(Self("info".into())),
            Written::Number(30..=39) => Ok(Self("warn".into())),
            Written::Number(_) => Ok(Self("error".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_levels_of_python_and_of_tracing() {
        for (written, level) in [
            (json!("INFO"), "INFO"),
            (json!("WARNING"), "warn"),
            (json!("critical"), "error"),
            (json!(10), "debug"),
            (json!("info,conda_store_core=debug"), "info,conda_store_core=debug"),
        ] {
            assert_eq!(serde_json::from_value::<LogLevel>(written).unwrap().to_string(), level);
        }
    }

    #[test]
    fn refuses_what_is_no_level() {
        for written in [json!("verbose"), json!("info,loud"), json!("conda_store_core=loud"), json!(true), json!("")] {
            let error = serde_json::from_value::<LogLevel>(written).unwrap_err().to_string();
            assert!(error.contains("info,conda_store_core=debug"), "{error}");
        }
    }
}
