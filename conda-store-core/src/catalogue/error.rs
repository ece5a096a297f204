//! What a failure of the database means to whoever called.

use std::fmt::Display;

use sqlx::Error as SqlError;

use crate::{Error, ErrorKind};

/// A failure while `operation` ran on `database` (a description without secrets).
pub(super) fn failed(operation: &'static str, database: &str, cause: SqlError) -> Error {
    let kind = kind(&cause);
    Error::new(kind, operation, sentence(kind)).with("database", database).with_source(cause)
}

/// A failure to connect.
pub(super) fn unreachable(operation: &'static str, database: &str, cause: SqlError) -> Error {
    let kind = match kind(&cause) {
        ErrorKind::Unexpected => ErrorKind::Unavailable,
        kind => kind,
    };
    let message = match kind {
        ErrorKind::Invalid => "the database refuses the connection: check its name, the user and the password",
        kind => sentence(kind),
    };
    Error::new(kind, operation, message).with("database", database).with_source(cause)
}

/// A row that holds what it must not.
pub(super) fn corrupt(table: &str, column: &str, id: impl Display, problem: impl Display) -> Error {
    Error::new(ErrorKind::Corrupt, "read the database", format!("a row of the database makes no sense: {problem}"))
        .with("table", table)
        .with("column", column)
        .with("id", id)
}

fn sentence(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Unavailable => "the database cannot be reached or is too busy",
        ErrorKind::Full => "the database has no room left",
        ErrorKind::Conflict => "the database holds such a row already, or one that forbids it",
        ErrorKind::Corrupt => "the database is damaged, or holds what it must not",
        ErrorKind::Invalid => "the database refuses a value",
        _ => "the database failed",
    }
}

fn kind(cause: &SqlError) -> ErrorKind {
    match cause {
        SqlError::Io(_)
        | SqlError::Tls(_)
        | SqlError::PoolTimedOut
        | SqlError::PoolClosed
        | SqlError::WorkerCrashed
        | SqlError::BeginFailed => ErrorKind::Unavailable,
        SqlError::ColumnDecode { .. } | SqlError::Decode(_) => ErrorKind::Corrupt,
        SqlError::Database(cause) => {
            let code = cause.code().unwrap_or_default();
            if code.len() == 5 { postgres_kind(&code) } else { sqlite_kind(&code) }
        }
        _ => ErrorKind::Unexpected,
    }
}

/// By SQLSTATE: PostgreSQL's documentation, appendix A.
fn postgres_kind(code: &str) -> ErrorKind {
    match code {
        "53100" => ErrorKind::Full,
        // Deadlock, serialization failure, and the ways in which a server goes away.
        "40001" | "40P01" | "57P01" | "57P02" | "57P03" => ErrorKind::Unavailable,
        // No such database.
        "3D000" => ErrorKind::Invalid,
        _ => match &code[..2] {
            "08" | "53" => ErrorKind::Unavailable,
            "22" | "28" => ErrorKind::Invalid,
            "23" => ErrorKind::Conflict,
            "XX" => ErrorKind::Corrupt,
            _ => ErrorKind::Unexpected,
        },
    }
}

/// By result code, whose lowest byte is the primary one: <https://www.sqlite.org/rescode.html>.
fn sqlite_kind(code: &str) -> ErrorKind {
    match code.parse::<u32>().unwrap_or_default() & 0xff {
        // SQLITE_BUSY, SQLITE_LOCKED, SQLITE_IOERR, SQLITE_CANTOPEN, SQLITE_PROTOCOL
        5 | 6 | 10 | 14 | 15 => ErrorKind::Unavailable,
        11 | 26 => ErrorKind::Corrupt,
        13 => ErrorKind::Full,
        19 => ErrorKind::Conflict,
        _ => ErrorKind::Unexpected,
    }
}
