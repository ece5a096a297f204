//! Time as the crates see it: injected, UTC, in whole microseconds.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A moment in UTC with microsecond precision, the coarsest that every database here keeps.
///
/// Shown and serialised as ISO 8601 without a zone suffix and always with six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NaiveDateTime);

/// How a [`Timestamp`] is written: ISO 8601 with six decimals.
const ISO: &str = "%Y-%m-%dT%H:%M:%S%.6f";

impl Timestamp {
    /// `moment`, cut to whole microseconds.
    #[must_use]
    pub fn new(moment: NaiveDateTime) -> Self {
        let microseconds = moment.nanosecond() / 1_000 * 1_000;
        Self(moment.with_nanosecond(microseconds).unwrap_or(moment))
    }

    /// The date and time in UTC.
    #[must_use]
    pub fn naive(self) -> NaiveDateTime {
        self.0
    }

    /// The same second, without its fraction.
    #[must_use]
    pub fn whole_seconds(self) -> Self {
        self.0.with_nanosecond(0).map_or(self, Self)
    }

    /// Seconds since 1970-01-01T00:00:00Z, rounded down.
    #[must_use]
    pub fn unix_seconds(self) -> i64 {
        self.0.and_utc().timestamp()
    }

    /// The moment `duration` later; the last representable one where that overflows.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        self.0.checked_add_signed(delta).map_or(Self(NaiveDateTime::MAX), Self::new)
    }

    /// The moment `duration` earlier; the first representable one where that overflows.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        let delta = TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        self.0.checked_sub_signed(delta).map_or(Self(NaiveDateTime::MIN), Self::new)
    }

    /// How long after `earlier` this is; zero where it is not after it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        (self.0 - earlier.0).to_std().unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(moment: DateTime<Utc>) -> Self {
        Self::new(moment.naive_utc())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.format(ISO).fmt(formatter)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads date and time in ISO 8601, with `T` or a blank between them; without a zone they are in UTC.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let naive = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
        let naive = naive.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(Self::new);
        let zoned = || DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc().into());
        naive.or_else(zoned).ok_or_else(|| {
            let message = format!("{text:?} is no date and time such as 2024-05-01T10:11:12 or 2024-05-01T10:11:12Z");
            Error::invalid("read time", message)
        })
    }
}

/// Where the time comes from.
///
/// # Contract
/// Two calls never give a moment earlier than 1970, and all parts of one composition use one clock.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that asks the machine for the time")]
    fn now(&self) -> Timestamp {
        Utc::now().into()
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(feature = "sqlite")]
mod sqlite {
    //! `SQLAlchemy`'s text form, so that the original reads what is written here and the other way round.

    use sqlx::{Decode, Encode, Sqlite, Type, encode::IsNull, error::BoxDynError, sqlite};

    use super::{NaiveDateTime, Timestamp};

    impl Type<Sqlite> for Timestamp {
        fn type_info() -> sqlite::SqliteTypeInfo {
            <NaiveDateTime as Type<Sqlite>>::type_info()
        }

        fn compatible(info: &sqlite::SqliteTypeInfo) -> bool {
            <NaiveDateTime as Type<Sqlite>>::compatible(info)
        }
    }

    impl Encode<'_, Sqlite> for Timestamp {
        fn encode_by_ref(&self, buffer: &mut sqlite::SqliteArgumentsBuffer) -> Result<IsNull, BoxDynError> {
            Encode::<Sqlite>::encode(self.0.format("%Y-%m-%d %H:%M:%S%.6f").to_string(), buffer)
        }
    }

    impl<'r> Decode<'r, Sqlite> for Timestamp {
        fn decode(value: sqlite::SqliteValueRef<'r>) -> Result<Self, BoxDynError> {
            <NaiveDateTime as Decode<'_, Sqlite>>::decode(value).map(Self::new)
        }
    }
}

#[cfg(feature = "postgres")]
mod postgres {
    //! `timestamp without time zone`.

    use sqlx::{Decode, Encode, Postgres, Type, encode::IsNull, error::BoxDynError, postgres};

    use super::{NaiveDateTime, Timestamp};

    impl Type<Postgres> for Timestamp {
        fn type_info() -> postgres::PgTypeInfo {
            <NaiveDateTime as Type<Postgres>>::type_info()
        }
    }

    impl Encode<'_, Postgres> for Timestamp {
        fn encode_by_ref(&self, buffer: &mut postgres::PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
            Encode::<Postgres>::encode_by_ref(&self.0, buffer)
        }
    }

    impl<'r> Decode<'r, Postgres> for Timestamp {
        fn decode(value: postgres::PgValueRef<'r>) -> Result<Self, BoxDynError> {
            <NaiveDateTime as Decode<'_, Postgres>>::decode(value).map(Self::new)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_microseconds_and_writes_six_decimals() {
        let moment: Timestamp = serde_json::from_str("\"2024-05-01T10:11:12.345678912\"").unwrap();
        assert_eq!(moment.to_string(), "2024-05-01T10:11:12.345678");
        let whole: Timestamp = serde_json::from_str("\"2024-05-01T10:11:12\"").unwrap();
        assert_eq!(serde_json::to_string(&whole).unwrap(), "\"2024-05-01T10:11:12.000000\"");
    }

    #[test]
    fn reads_the_forms_that_clients_write() {
        for text in [
            "2026-11-21T17:34:04.442476",
            "2026-11-21 17:34:04.442476",
            "2026-11-21 17:34:04.442476+00:00",
            "2026-11-21T17:34:04.442476Z",
            "2026-11-21T19:34:04.442476+02:00",
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), "2026-11-21T17:34:04.442476", "{text}");
        }
        for text in ["", "tomorrow", "2026-11-21", "2026-13-21T17:34:04", "1764000000"] {
            assert!(text.parse::<Timestamp>().unwrap_err().to_string().contains("such as"), "{text}");
        }
    }
}
