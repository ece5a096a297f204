//! Tokens that were issued, without the tokens themselves: their hashes.

use sqlx::{FromRow, types::Json};

use super::{Catalogue, Cursor, Order, Page, PageRequest, page, query::Query};
use crate::{Error, Result, auth::RoleBindings, clock::Timestamp, model::TokenId};

/// A token that is valid: neither revoked nor expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// What its owner calls it.
    pub name: Option<String>,
    /// The own namespace of whoever asked for it.
    pub owner: String,
    /// The namespace that its bearer has as their own.
    pub primary_namespace: String,
    /// The roles that it brings.
    pub role_bindings: RoleBindings,
    /// When it was issued.
    pub created_on: Timestamp,
    /// When it stops being valid.
    pub expires_on: Timestamp,
}

/// A token to write down.
#[derive(Clone, Copy, Debug)]
pub struct NewToken<'a> {
    /// Its SHA-256 in hexadecimal.
    pub sha256: &'a str,
    /// What its owner calls it.
    pub name: Option<&'a str>,
    /// The own namespace of whoever asks for it.
    pub owner: &'a str,
    /// The namespace that its bearer has as their own.
    pub primary_namespace: &'a str,
    /// The roles that it brings.
    pub role_bindings: &'a RoleBindings,
    /// When it stops being valid.
    pub expires_on: Timestamp,
}

#[derive(FromRow)]
struct TokenRow {
    id: i32,
    name: Option<String>,
    owner: String,
    primary_namespace: String,
    role_bindings: Json<RoleBindings>,
    created_on: Timestamp,
    expires_on: Timestamp,
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            id: TokenId(row.id),
            name: row.name,
            owner: row.owner,
            primary_namespace: row.primary_namespace,
            role_bindings: row.role_bindings.0,
            created_on: row.created_on,
            expires_on: row.expires_on,
        }
    }
}

/// The last moment that SQLite, which keeps moments as text, puts in order.
const LAST: &str = "9999-12-31T23:59:59";

/// `expires`, or the last moment before it that can be compared with others.
fn comparable(expires: Timestamp) -> Timestamp {
    LAST.parse().map_or(expires, |last: Timestamp| last.min(expires))
}

const COLUMNS: &str = "select t.id, t.name, t.owner, t.primary_namespace, t.role_bindings, t.created_on, t.expires_on";
const VALID: &str = " from cs_token t where t.revoked_on is null and t.expires_on > ";

impl Catalogue {
    fn valid_tokens(&self, operation: &'static str, columns: &'static str) -> Query<'_> {
        self.database.query(operation, columns).push(VALID).bind(self.clock.now())
    }

    /// Writes a token down.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) where the same one was written down before.
    pub async fn add_token(&self, new: &NewToken<'_>) -> Result<TokenId> {
        const OPERATION: &str = "write token down";
        const INSERT: &str = "insert into cs_token \
            (sha256, name, owner, primary_namespace, role_bindings, created_on, expires_on) \
            values ($1, $2, $3, $4, $5, $6, $7) returning id";
        let now = self.clock.now();
        // What is over is of no use to anybody, revoked or not.
        self.database.query(OPERATION, "delete from cs_token where expires_on <= $1").value(now).run().await?;
        let insert = self.database.query(OPERATION, INSERT).value(new.sha256).value(new.name.map(str::to_owned));
        let insert = insert.value(new.owner).value(new.primary_namespace).value(Json(new.role_bindings.clone()));
        let (id,) = insert.value(now).value(comparable(new.expires_on)).one().await?;
        Ok(TokenId(id))
    }

    /// Whether the token with this hash was revoked.
    pub async fn is_token_revoked(&self, sha256: &str) -> Result<bool> {
        const SELECT: &str = "select count(*) from cs_token where sha256 = $1 and revoked_on is not null";
        let (revoked,): (i64,) = self.database.query("check token", SELECT).value(sha256).one().await?;
        Ok(revoked > 0)
    }

    /// The valid tokens that `owner` asked for, or all of them where it is none, the newest first.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a cursor of another list.
    pub async fn tokens(&self, owner: Option<&str>, request: &PageRequest) -> Result<Page<Token>> {
        const OPERATION: &str = "list tokens";
        let count = owned(self.valid_tokens(OPERATION, "select count(*)"), owner);
        let (total,): (i64,) = count.one().await?;
        let list = owned(self.valid_tokens(OPERATION, COLUMNS), owner);
        let window = request.window(Order::Descending, total);
        let list = page::sort(list, &["t.id"], window.order, request.cursor(0)?);
        let rows: Vec<TokenRow> = window.cut(list).all().await?;
        let items = rows.into_iter().map(Token::from).collect();
        Ok(request.page(&window, items, total, |item: &Token| Cursor { keys: Vec::new(), id: item.id.0 }))
    }

    /// The token, if it is valid.
    pub async fn token(&self, id: TokenId) -> Result<Option<Token>> {
        let query = self.valid_tokens("read token", COLUMNS).push(" and t.id = ").bind(id);
        let row: Option<TokenRow> = query.first().await?;
        Ok(row.map(Token::from))
    }

    /// Calls the token `name`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is no such valid token.
    pub async fn rename_token(&self, id: TokenId, name: Option<&str>) -> Result<()> {
        const OPERATION: &str = "rename token";
        const UPDATE: &str = "update cs_token set name = $1 where id = $2 and revoked_on is null and expires_on > $3";
        let update = self.database.query(OPERATION, UPDATE).value(name.map(str::to_owned)).value(id);
        found(OPERATION, update.value(self.clock.now()).run().await?)
    }

    /// Revokes the token: from now on it is refused.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) where there is no such valid token.
    pub async fn revoke_token(&self, id: TokenId) -> Result<()> {
        const OPERATION: &str = "revoke token";
        const UPDATE: &str =
            "update cs_token set revoked_on = $1 where id = $2 and revoked_on is null and expires_on > $1";
        let update = self.database.query(OPERATION, UPDATE).value(self.clock.now()).value(id);
        found(OPERATION, update.run().await?)
    }

    /// Revokes a token that may not be written down yet, as that of a login is not.
    pub async fn revoke_unknown_token(&self, token: &NewToken<'_>) -> Result<()> {
        const OPERATION: &str = "revoke token";
        const UPSERT: &str = "insert into cs_token \
            (sha256, name, owner, primary_namespace, role_bindings, created_on, expires_on, revoked_on) \
            values ($1, $2, $3, $4, $5, $6, $7, $6) \
            on conflict (sha256) do update set revoked_on = excluded.revoked_on";
        let upsert = self.database.query(OPERATION, UPSERT).value(token.sha256).value(token.name.map(str::to_owned));
        let upsert = upsert.value(token.owner).value(token.primary_namespace);
        let upsert = upsert.value(Json(token.role_bindings.clone())).value(self.clock.now());
        upsert.value(comparable(token.expires_on)).run().await?;
        Ok(())
    }
}

fn owned<'t>(query: Query<'t>, owner: Option<&str>) -> Query<'t> {
    match owner {
        Some(owner) => query.push(" and t.owner = ").bind(owner),
        None => query,
    }
}

fn found(operation: &'static str, rows: u64) -> Result<()> {
    if rows > 0 { Ok(()) } else { Err(Error::not_found(operation, "token does not exist")) }
}
