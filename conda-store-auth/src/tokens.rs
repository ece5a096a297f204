//! Signed tokens, in the form that the original gives them.

use std::{fmt, sync::Arc, time::Duration};

use chrono::DateTime;
use conda_store_core::{
    Error, Result,
    auth::{Entity, RoleBindings},
    clock::{Clock, Timestamp},
};
use http::HeaderMap;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use subtle::ConditionallySelectable;
use tracing::warn;

use crate::{
    configuration::{JwtAlgorithm, PredefinedToken, TokensConfig},
    digest::SecretDigest,
    presented::presented_tokens,
};

/// How long a token is valid that is issued to somebody whose own time does not end.
const LIFETIME: Duration = Duration::from_hours(24);

/// The claims of a token, named as the original names them.
#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(default = "crate::configuration::default_namespace")]
    primary_namespace: String,
    #[serde(default)]
    role_bindings: RoleBindings,
    /// Seconds since 1970; from then on the token is not accepted (RFC 7519, section 4.1.4).
    exp: i64,
}

/// Signs and reads JSON Web Tokens, and knows the predefined ones.
pub struct Tokens {
    clock: Arc<dyn Clock>,
    algorithm: Algorithm,
    signing: EncodingKey,
    reading: DecodingKey,
    predefined: Vec<(SecretDigest, Entity)>,
}

impl Tokens {
    /// Tokens as `config` says; with a random secret, and a warning, where it has none.
    ///
    /// # Errors
    /// [`Invalid`](conda_store_core::ErrorKind::Invalid) where the secret is shorter than what RFC 7518, section 3.2,
    /// demands, or a predefined token is empty.
    pub fn new(config: TokensConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let TokensConfig { secret, jwt_algorithm, predefined_tokens } = config;
        let (algorithm, shortest) = strength(jwt_algorithm);
        let secret = match secret {
            Some(secret) => checked(secret, jwt_algorithm, shortest)?,
            None => random_secret(),
        };
        if predefined_tokens.contains_key("") {
            return Err(Error::invalid("read configuration", "a predefined token is empty"));
        }
        let predefined = predefined_tokens.into_iter().map(|(token, whom)| (SecretDigest::of(&token), entity(whom)));
        Ok(Self {
            clock,
            algorithm,
            signing: EncodingKey::from_secret(secret.expose_secret().as_bytes()),
            reading: DecodingKey::from_secret(secret.expose_secret().as_bytes()),
            predefined: predefined.collect(),
        })
    }

    /// A signed token that stands for `entity` until its time is over; for a day, where that does not end.
    ///
    /// # Errors
    /// [`Unexpected`](conda_store_core::ErrorKind::Unexpected) where signing fails.
    pub fn issue(&self, entity: &Entity) -> Result<SecretString> {
        let expires = entity.expires.unwrap_or_else(|| self.clock.now().after(LIFETIME));
        let claims = Claims {
            primary_namespace: entity.primary_namespace.clone(),
            role_bindings: entity.role_bindings.clone(),
            exp: expires.unix_seconds(),
        };
        let token = jsonwebtoken::encode(&Header::new(self.algorithm), &claims, &self.signing)
            .map_err(|error| Error::unexpected("issue token", "the token could not be signed").with_source(error))?;
        Ok(SecretString::from(token))
    }

    /// Whom `token` stands for; nobody where it is unknown, tampered with, signed in another way, or expired.
    #[must_use]
    pub fn entity(&self, token: &SecretString) -> Option<Entity> {
        let entity = self.predefined(token).or_else(|| self.signed(token))?;
        let now = self.clock.now();
        entity.expires.is_none_or(|expires| now < expires).then_some(entity)
    }

    /// Whoever sends a request with these `headers`: the first token that is good, of the one in the cookie
    /// `cookie_name`, that of `Authorization: Basic` (as password), and that of `Authorization: Bearer`.
    #[must_use]
    pub fn authenticate(&self, headers: &HeaderMap, cookie_name: &str) -> Option<Entity> {
        presented_tokens(headers, cookie_name).iter().find_map(|token| self.entity(token))
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

    fn signed(&self, token: &SecretString) -> Option<Entity> {
        let mut validation = Validation::new(self.algorithm);
        // The library reads the machine's clock; the time is checked against ours instead.
        validation.validate_exp = false;
        let read = jsonwebtoken::decode::<Claims>(token.expose_secret(), &self.reading, &validation);
        let claims = read.ok()?.claims;
        Some(Entity {
            primary_namespace: claims.primary_namespace,
            role_bindings: claims.role_bindings,
            expires: Some(Timestamp::from(DateTime::from_timestamp(claims.exp, 0)?)),
        })
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Tokens")
            .field("algorithm", &self.algorithm)
            .field("predefined", &self.predefined.len())
            .finish_non_exhaustive()
    }
}

/// The algorithm and the bytes of its shortest secret.
fn strength(algorithm: JwtAlgorithm) -> (Algorithm, usize) {
    match algorithm {
        JwtAlgorithm::HS256 => (Algorithm::HS256, 32),
        JwtAlgorithm::HS384 => (Algorithm::HS384, 48),
        JwtAlgorithm::HS512 => (Algorithm::HS512, 64),
    }
}

fn checked(secret: SecretString, algorithm: JwtAlgorithm, shortest: usize) -> Result<SecretString> {
    let length = secret.expose_secret().len();
    if length < shortest {
        let message = format!("the secret has {length} bytes, {algorithm:?} takes at least {shortest}");
        return Err(Error::invalid("read configuration", message).with("key", "AuthenticationBackend.secret"));
    }
    Ok(secret)
}

fn random_secret() -> SecretString {
    warn!("no secret is configured: a random one is used, and everybody has to log in again after a restart");
    let mut random = rand::rng();
    (0..64).map(|_| char::from(random.sample(rand::distr::Alphanumeric))).collect::<String>().into()
}

fn entity(predefined: PredefinedToken) -> Entity {
    let PredefinedToken { primary_namespace, role_bindings, exp } = predefined;
    Entity { primary_namespace, role_bindings, expires: exp }
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use conda_store_core::{ErrorKind, testing::ManualClock};
    use serde_json::json;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// 2024-05-01T00:00:00Z, where the manual clock starts.
    const NOW: i64 = 1_714_521_600;

    fn config(algorithm: JwtAlgorithm) -> TokensConfig {
        TokensConfig { secret: Some(SECRET.into()), jwt_algorithm: algorithm, ..TokensConfig::default() }
    }

    fn tokens(config: TokensConfig) -> (Tokens, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new());
        (Tokens::new(config, Arc::<ManualClock>::clone(&clock)).unwrap(), clock)
    }

    fn alice() -> Entity {
        let role_bindings = serde_json::from_value(json!({"alice/*": ["admin"], "*/web-*": ["viewer"]})).unwrap();
        Entity { primary_namespace: "alice".into(), role_bindings, expires: None }
    }

    /// A token with any header and claims, signed with `secret` as `algorithm` says.
    fn forge(
        algorithm: Algorithm,
        header: &serde_json::Value,
        claims: &serde_json::Value,
        secret: &str,
    ) -> SecretString {
        let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let key = EncodingKey::from_secret(secret.as_bytes());
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
        format!("{message}.{signature}").into()
    }

    fn claims() -> serde_json::Value {
        json!({"primary_namespace": "alice", "role_bindings": {"*/*": ["admin"]}, "exp": NOW + 60})
    }

    #[test]
    fn what_was_issued_is_recognised_until_its_time_is_over() {
        for algorithm in [JwtAlgorithm::HS256, JwtAlgorithm::HS384, JwtAlgorithm::HS512] {
            let (tokens, clock) = tokens(config(algorithm));
            let token = tokens.issue(&alice()).unwrap();
            let expires = Some(clock.now().after(LIFETIME));
            assert_eq!(tokens.entity(&token), Some(Entity { expires, ..alice() }));
            clock.advance(Duration::from_micros(86_399_999_999));
            assert!(tokens.entity(&token).is_some());
            clock.advance(Duration::from_micros(1));
            assert_eq!(tokens.entity(&token), None);
        }
    }

    #[test]
    fn an_issued_token_lives_no_longer_than_whom_it_stands_for() {
        let (tokens, clock) = tokens(config(JwtAlgorithm::HS256));
        let expires = Some(clock.now().after(Duration::from_mins(5)));
        let token = tokens.issue(&Entity { expires, ..alice() }).unwrap();
        assert_eq!(tokens.entity(&token).unwrap().expires, expires);
    }

    #[test]
    fn reads_the_claims_of_the_original() {
        let (tokens, _clock) = tokens(config(JwtAlgorithm::HS256));
        let header = json!({"alg": "HS256", "typ": "JWT"});
        let original = json!({"exp": NOW + 1, "primary_namespace": "", "role_bindings": {"a-*/b": ["editor"]}});
        let entity = tokens.entity(&forge(Algorithm::HS256, &header, &original, SECRET)).unwrap();
        assert_eq!(entity.primary_namespace, "");
        assert_eq!(serde_json::to_value(entity.role_bindings).unwrap(), json!({"a-*/b": ["developer"]}));
        let least = forge(Algorithm::HS256, &header, &json!({"exp": NOW + 1}), SECRET);
        assert_eq!(tokens.entity(&least).unwrap().primary_namespace, "default");
    }

    #[test]
    fn refuses_other_algorithms_also_none() {
        let (tokens, _clock) = tokens(config(JwtAlgorithm::HS256));
        let good = forge(Algorithm::HS256, &json!({"alg": "HS256"}), &claims(), SECRET);
        assert!(tokens.entity(&good).is_some(), "the forgery itself is sound");
        for algorithm in ["none", "None", "HS384", "RS256", "ES256", "EdDSA", ""] {
            let header = json!({"alg": algorithm});
            let forged = forge(Algorithm::HS256, &header, &claims(), SECRET);
            let unsigned = forged.expose_secret().rsplit_once('.').unwrap().0.to_owned() + ".";
            assert_eq!(tokens.entity(&forged), None, "{algorithm}");
            assert_eq!(tokens.entity(&unsigned.into()), None, "{algorithm} without a signature");
        }
        let stronger = forge(Algorithm::HS512, &json!({"alg": "HS512"}), &claims(), SECRET);
        assert_eq!(tokens.entity(&stronger), None);
        let confused = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}, "kid": "../../dev/null"});
        assert_eq!(tokens.entity(&forge(Algorithm::HS256, &confused, &claims(), "a")), None);
    }

    #[test]
    fn refuses_what_was_tampered_with_or_signed_by_another() {
        let (tokens, _clock) = tokens(config(JwtAlgorithm::HS256));
        let header = json!({"alg": "HS256"});
        assert_eq!(tokens.entity(&forge(Algorithm::HS256, &header, &claims(), &SECRET.replace('0', "1"))), None);
        let good = forge(Algorithm::HS256, &header, &claims(), SECRET);
        let parts: Vec<&str> = good.expose_secret().split('.').collect();
        let mut richer = claims();
        richer["primary_namespace"] = "root".into();
        let other = URL_SAFE_NO_PAD.encode(richer.to_string());
        assert_eq!(tokens.entity(&format!("{}.{other}.{}", parts[0], parts[2]).into()), None);
        for text in ["", ".", "..", "a.b.c", good.expose_secret().trim_end_matches(char::is_alphanumeric), parts[1]] {
            assert_eq!(tokens.entity(&text.to_owned().into()), None, "{text}");
        }
    }

    #[test]
    fn refuses_claims_without_a_sound_end_or_with_unknown_roles() {
        let (tokens, _clock) = tokens(config(JwtAlgorithm::HS256));
        for wrong in [
            json!({"primary_namespace": "alice"}),
            json!({"exp": null}),
            json!({"exp": "tomorrow"}),
            json!({"exp": NOW}),
            json!({"exp": -1}),
            json!({"exp": i64::MAX}),
            json!({"exp": u64::MAX}),
            json!({"exp": NOW + 60, "role_bindings": {"*/*": ["owner"]}}),
            json!({"exp": NOW + 60, "role_bindings": {"*": ["admin"]}}),
            json!({"exp": NOW + 60, "aud": "another service"}),
        ] {
            assert_eq!(
                tokens.entity(&forge(Algorithm::HS256, &json!({"alg": "HS256"}), &wrong, SECRET)),
                None,
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_short_secret_is_refused_and_a_missing_one_is_random() {
        for (algorithm, shortest) in [(JwtAlgorithm::HS256, 32), (JwtAlgorithm::HS384, 48), (JwtAlgorithm::HS512, 64)] {
            let new = |length: usize| {
                let config = TokensConfig { secret: Some("x".repeat(length).into()), ..config(algorithm) };
                Tokens::new(config, Arc::new(ManualClock::new()))
            };
            assert!(new(shortest).is_ok());
            let error = new(shortest - 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(&format!("takes at least {shortest}")), "{error}");
        }
        let (one, _clock) = tokens(TokensConfig::default());
        let (other, _clock) = tokens(TokensConfig::default());
        assert_eq!(other.entity(&one.issue(&alice()).unwrap()), None);
    }

    #[test]
    fn predefined_tokens_stand_for_whom_the_configuration_says() {
        let predefined = json!({
            "secret": SECRET,
            "predefined_tokens": {
                "first": {"primary_namespace": "", "role_bindings": {"*/*": ["viewer"]}},
                "second": {},
                "third": {"exp": "2024-05-01T00:01:00"},
            },
        });
        let (tokens, clock) = tokens(serde_json::from_value(predefined).unwrap());
        let namespace = |token: &str| tokens.entity(&token.to_owned().into()).map(|entity| entity.primary_namespace);
        assert_eq!(namespace("first"), Some(String::new()));
        assert_eq!(namespace("second"), Some("default".into()));
        assert_eq!(namespace("third"), Some("default".into()));
        assert_eq!(namespace("firs"), None);
        clock.advance(Duration::from_mins(1));
        assert_eq!((namespace("third"), namespace("second")), (None, Some("default".into())));
        let empty = TokensConfig {
            predefined_tokens: [(String::new(), serde_json::from_value(json!({})).unwrap())].into(),
            ..config(JwtAlgorithm::HS256)
        };
        assert_eq!(Tokens::new(empty, clock).unwrap_err().kind(), ErrorKind::Invalid);
    }

    #[test]
    fn the_first_good_token_of_a_request_counts() {
        let (tokens, _clock) = tokens(config(JwtAlgorithm::HS256));
        let good = tokens.issue(&alice()).unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("cookie", "auth=outdated".parse().unwrap());
        assert_eq!(tokens.authenticate(&headers, "auth"), None);
        headers.insert("authorization", format!("Bearer {}", good.expose_secret()).parse().unwrap());
        assert_eq!(tokens.authenticate(&headers, "auth").unwrap().primary_namespace, "alice");
    }

    #[test]
    fn debug_shows_no_secret() {
        let predefined = [("hunter2".into(), serde_json::from_value(json!({})).unwrap())].into();
        let config = TokensConfig { predefined_tokens: predefined, ..config(JwtAlgorithm::HS256) };
        let shown = format!("{config:?} {:?}", tokens(config.clone()).0);
        assert!(!shown.contains(SECRET) && !shown.contains("hunter2"), "{shown}");
    }
}
