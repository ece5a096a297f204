//! The tokens that stand for somebody: signed ones, unless they were revoked, and predefined ones.

use std::{fmt, sync::Arc, time::Duration};

use conda_store_core::{
    Error, Result,
    auth::{Entity, IssuedToken, Login, TokenRequest},
    catalogue::{Catalogue, NewToken},
    clock::{Clock, Timestamp},
};
use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConditionallySelectable;

use crate::{
    configuration::{PredefinedToken, TokensConfig},
    digest::SecretDigest,
    presented::{cookie_tokens, presented_tokens},
    signature::Signature,
};

/// How long a token is valid that is issued to somebody whose own time does not end.
const LIFETIME: Duration = Duration::from_hours(24);

/// Issues and recognises tokens. The catalogue knows which were issued on request and which were revoked, and none of them
/// itself: only their hashes.
pub struct Tokens {
    catalogue: Catalogue,
    clock: Arc<dyn Clock>,
    signature: Signature,
    predefined: Vec<(SecretDigest, Entity)>,
}

impl Tokens {
    /// Tokens as `config` says; signed with a random secret, and with a warning, where it has none.
    ///
    /// # Errors
    /// [`Invalid`](conda_store_core::ErrorKind::Invalid) where the secret is shorter than what RFC 7518, section 3.2,
    /// demands, or a predefined token is empty.
    pub fn new(config: TokensConfig, catalogue: Catalogue, clock: Arc<dyn Clock>) -> Result<Self> {
        let TokensConfig { secret, jwt_algorithm, predefined_tokens } = config;
        let signature = Signature::new(secret, jwt_algorithm)?;
        if predefined_tokens.contains_key("") {
            return Err(Error::invalid("read configuration", "a predefined token is empty"));
        }
        let predefined = predefined_tokens.into_iter().map(|(token, whom)| (SecretDigest::of(&token), entity(whom)));
        Ok(Self { catalogue, clock, signature, predefined: predefined.collect() })
    }

    /// The login of `entity`, with a token that lasts until their time is over; for a day, where that does not end.
    ///
    /// # Errors
    /// [`Unexpected`](conda_store_core::ErrorKind::Unexpected) where signing fails.
    pub fn login(&self, mut entity: Entity) -> Result<Login> {
        let expires = self.expires(&entity);
        let token = self.signature.sign(&entity, expires)?;
        entity.expires = Some(expires);
        Ok(Login { entity, token })
    }

    /// A token that the catalogue knows, so that it can be listed, named and revoked; it lasts as long as that of a login.
    ///
    /// # Errors
    /// [`Unexpected`](conda_store_core::ErrorKind::Unexpected) where signing fails; as the catalogue fails.
    pub async fn issue(&self, request: &TokenRequest<'_>) -> Result<IssuedToken> {
        let entity = request.entity;
        let expires_on = self.expires(entity);
        let token = self.signature.sign(entity, expires_on)?;
        let new = NewToken {
            sha256: &hash(&token),
            name: request.name,
            owner: request.owner,
            primary_namespace: &entity.primary_namespace,
            role_bindings: &entity.role_bindings,
            expires_on,
        };
        let id = self.catalogue.add_token(&new).await?;
        Ok(IssuedToken { id, token })
    }

    /// Whom `token` stands for; nobody where it is unknown, tampered with, signed in another way, expired or revoked.
    ///
    /// # Errors
    /// As the catalogue fails.
    pub async fn entity(&self, token: &SecretString) -> Result<Option<Entity>> {
        if let Some(entity) = self.predefined(token) {
            return Ok(self.present(entity));
        }
        let Some(entity) = self.signature.read(token).and_then(|entity| self.present(entity)) else { return Ok(None) };
        let revoked = self.catalogue.is_token_revoked(&hash(token)).await?;
        Ok((!revoked).then_some(entity))
    }

    /// Whoever sends a request with these `headers`: the first token that is good, of the one in the cookie
    /// `cookie_name`, that of `Authorization: Basic` (as password), and that of `Authorization: Bearer`.
    ///
    /// # Errors
    /// As the catalogue fails.
    pub async fn authenticate(&self, headers: &HeaderMap, cookie_name: &str) -> Result<Option<Entity>> {
        for token in presented_tokens(headers, cookie_name) {
            if let Some(entity) = self.entity(&token).await? {
                return Ok(Some(entity));
            }
        }
        Ok(None)
    }

    /// Revokes the signed tokens that these `headers` present in the cookie `cookie_name`; those that come another way belong
    /// to programs, which log nobody out.
    ///
    /// # Errors
    /// As the catalogue fails.
    pub async fn logout(&self, headers: &HeaderMap, cookie_name: &str) -> Result<()> {
        for token in cookie_tokens(headers, cookie_name) {
            let Some(entity) = self.signature.read(&token).and_then(|entity| self.present(entity)) else { continue };
            let revoked = NewToken {
                sha256: &hash(&token),
                name: None,
                owner: &entity.primary_namespace,
                primary_namespace: &entity.primary_namespace,
                role_bindings: &entity.role_bindings,
                expires_on: self.expires(&entity),
            };
            self.catalogue.revoke_unknown_token(&revoked).await?;
        }
        Ok(())
    }

    /// When a token for `entity` ends, in whole seconds as tokens say it.
    fn expires(&self, entity: &Entity) -> Timestamp {
        let expires = entity.expires.unwrap_or_else(|| self.clock.now().after(LIFETIME));
        expires.whole_seconds()
    }

    /// `entity`, unless their time is over.
    fn present(&self, entity: Entity) -> Option<Entity> {
        let now = self.clock.now();
        entity.expires.is_none_or(|expires| now < expires).then_some(entity)
    }

    fn predefined(&self, token: &SecretString) -> Option<Entity> {
        let presented = SecretDigest::of(token.expose_secret());
        // All are compared, also after a match, so that the time tells nothing of where it was.
        let position = self.predefined.iter().zip(1_u64..).fold(0_u64, |found, ((digest, _), index)| {
            u64::conditional_select(&found, &index, digest.matches(&presented))
        });
        let index = usize::try_from(position).ok()?.checked_sub(1)?;
        self.predefined.get(index).map(|(_, entity)| entity.clone())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tokens")
            .field("signature", &self.signature)
            .field("predefined", &self.predefined.len())
            .finish_non_exhaustive()
    }
}

/// Under which the catalogue knows a signed token: the hash of what was signed, since a signature may be written in more than
/// one way.
fn hash(token: &SecretString) -> String {
    let token = token.expose_secret();
    SecretDigest::of(token.rsplit_once('.').map_or(token, |(signed, _)| signed)).hexadecimal()
}

fn entity(predefined: PredefinedToken) -> Entity {
    let PredefinedToken { primary_namespace, role_bindings, exp } = predefined;
    Entity { primary_namespace, role_bindings, expires: exp }
}

#[cfg(test)]
mod tests {
    use conda_store_core::{
        ErrorKind,
        catalogue::{Database, PageRequest},
        testing::ManualClock,
    };
    use serde_json::json;

    use super::*;
    use crate::JwtAlgorithm;

    const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn config(algorithm: JwtAlgorithm) -> TokensConfig {
        TokensConfig { secret: Some(SECRET.into()), jwt_algorithm: algorithm, ..TokensConfig::default() }
    }

    async fn tokens(config: TokensConfig) -> (Tokens, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new());
        let catalogue =
            Catalogue::new(Database::connect("sqlite::memory:").await.unwrap(), Arc::<ManualClock>::clone(&clock));
        catalogue.migrate().await.unwrap();
        (Tokens::new(config, catalogue, Arc::<ManualClock>::clone(&clock)).unwrap(), clock)
    }

    fn alice() -> Entity {
        let role_bindings = serde_json::from_value(json!({"alice/*": ["admin"], "*/web-*": ["viewer"]})).unwrap();
        Entity { primary_namespace: "alice".into(), role_bindings, expires: None }
    }

    fn request<'a>(entity: &'a Entity, name: Option<&'a str>) -> TokenRequest<'a> {
        TokenRequest { entity, owner: "alice", name }
    }

    #[tokio::test]
    async fn what_was_issued_is_recognised_until_its_time_is_over() {
        for algorithm in [JwtAlgorithm::HS256, JwtAlgorithm::HS384, JwtAlgorithm::HS512] {
            let (tokens, clock) = tokens(config(algorithm)).await;
            let login = tokens.login(alice()).unwrap();
            let issued = tokens.issue(&request(&alice(), None)).await.unwrap();
            let expires = Some(clock.now().after(LIFETIME));
            for token in [&login.token, &issued.token] {
                assert_eq!(tokens.entity(token).await.unwrap(), Some(Entity { expires, ..alice() }));
            }
            clock.advance(Duration::from_micros(86_399_999_999));
            assert!(tokens.entity(&issued.token).await.unwrap().is_some());
            clock.advance(Duration::from_micros(1));
            for token in [&login.token, &issued.token] {
                assert_eq!(tokens.entity(token).await.unwrap(), None);
            }
        }
    }

    #[tokio::test]
    async fn an_issued_token_lives_no_longer_than_whom_it_stands_for() {
        let (tokens, clock) = tokens(config(JwtAlgorithm::HS256)).await;
        let expires = Some(clock.now().after(Duration::from_mins(5)));
        let token = tokens.login(Entity { expires, ..alice() }).unwrap().token;
        assert_eq!(tokens.entity(&token).await.unwrap().unwrap().expires, expires);
        let past = Entity { expires: Some(clock.now()), ..alice() };
        let token = tokens.issue(&request(&past, None)).await.unwrap().token;
        assert_eq!(tokens.entity(&token).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_revoked_token_is_refused_and_no_other_one() {
        let (tokens, _clock) = tokens(config(JwtAlgorithm::HS256)).await;
        let (alice, catalogue) = (alice(), tokens.catalogue.clone());
        let one = tokens.issue(&request(&alice, Some("laptop"))).await.unwrap();
        let other = tokens.issue(&request(&alice, None)).await.unwrap();
        catalogue.revoke_token(one.id).await.unwrap();
        assert_eq!(tokens.entity(&one.token).await.unwrap(), None);
        assert!(tokens.entity(&other.token).await.unwrap().is_some());
        let padded = format!("{}=", one.token.expose_secret());
        assert_eq!(tokens.entity(&padded.into()).await.unwrap(), None);
        let known = catalogue.tokens(Some("alice"), &PageRequest::first(9)).await.unwrap();
        assert_eq!(known.items.iter().map(|token| token.id).collect::<Vec<_>>(), [other.id]);
    }

    #[tokio::test]
    async fn a_logout_ends_the_login_of_the_cookie_alone() {
        let (tokens, _clock) = tokens(config(JwtAlgorithm::HS256)).await;
        let cookie = tokens.login(alice()).unwrap().token;
        let bearer = tokens.login(alice()).unwrap().token;
        let mut headers = HeaderMap::new();
        headers.insert("cookie", format!("auth={}", cookie.expose_secret()).parse().unwrap());
        headers.insert("authorization", format!("Bearer {}", bearer.expose_secret()).parse().unwrap());
        for _again in 0..2 {
            tokens.logout(&headers, "auth").await.unwrap();
            assert_eq!(tokens.entity(&cookie).await.unwrap(), None);
            assert!(tokens.entity(&bearer).await.unwrap().is_some());
        }
        assert_eq!(tokens.catalogue.tokens(None, &PageRequest::first(9)).await.unwrap().total, 0);
    }

    #[tokio::test]
    async fn predefined_tokens_stand_for_whom_the_configuration_says() {
        let predefined = json!({
            "secret": SECRET,
            "predefined_tokens": {
                "first": {"primary_namespace": "", "role_bindings": {"*/*": ["viewer"]}},
                "second": {},
                "third": {"exp": "2024-05-01T00:01:00"},
            },
        });
        let (tokens, clock) = tokens(serde_json::from_value(predefined).unwrap()).await;
        let namespace = async |token: &str| {
            let entity = tokens.entity(&token.to_owned().into()).await.unwrap();
            entity.map(|entity| entity.primary_namespace)
        };
        assert_eq!(namespace("first").await, Some(String::new()));
        assert_eq!(namespace("second").await, Some("default".into()));
        assert_eq!(namespace("third").await, Some("default".into()));
        assert_eq!(namespace("firs").await, None);
        clock.advance(Duration::from_mins(1));
        assert_eq!((namespace("third").await, namespace("second").await), (None, Some("default".into())));
        let empty = TokensConfig {
            predefined_tokens: [(String::new(), serde_json::from_value(json!({})).unwrap())].into(),
            ..config(JwtAlgorithm::HS256)
        };
        let error = Tokens::new(empty, tokens.catalogue.clone(), clock).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }

    #[tokio::test]
    async fn the_first_good_token_of_a_request_counts() {
        let (tokens, _clock) = tokens(config(JwtAlgorithm::HS256)).await;
        let good = tokens.login(alice()).unwrap().token;
        let mut headers = HeaderMap::new();
        headers.insert("cookie", "auth=outdated".parse().unwrap());
        assert_eq!(tokens.authenticate(&headers, "auth").await.unwrap(), None);
        headers.insert("authorization", format!("Bearer {}", good.expose_secret()).parse().unwrap());
        assert_eq!(tokens.authenticate(&headers, "auth").await.unwrap().unwrap().primary_namespace, "alice");
    }

    #[tokio::test]
    async fn debug_shows_no_secret() {
        let predefined = [("hunter2".into(), serde_json::from_value(json!({})).unwrap())].into();
        let config = TokensConfig { predefined_tokens: predefined, ..config(JwtAlgorithm::HS256) };
        let shown = format!("{config:?} {:?}", tokens(config.clone()).await.0);
        assert!(!shown.contains(SECRET) && !shown.contains("hunter2"), "{shown}");
    }
}
