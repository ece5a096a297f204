//! Signed tokens, in the form that the original gives them.

use std::fmt;

use chrono::DateTime;
use conda_store_core::{
    Error, Result,
    auth::{Entity, RoleBindings},
    clock::Timestamp,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::configuration::JwtAlgorithm;

/// The claims of a token, named as the original names them.
#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(default = "crate::configuration::default_namespace")]
    primary_namespace: String,
    #[serde(default)]
    role_bindings: RoleBindings,
    /// Seconds since 1970; from then on the token is not accepted (RFC 7519, section 4.1.4).
    exp: i64,
    /// Makes two tokens differ that say the same, so that one can be revoked alone (RFC 7519, section 4.1.7).
    #[serde(default)]
    jti: Option<String>,
}

/// Signs and reads JSON Web Tokens.
pub(crate) struct Signature {
    algorithm: Algorithm,
    signing: EncodingKey,
    reading: DecodingKey,
}

impl Signature {
    /// Signs with `secret`, or with a random one where there is none.
    ///
    /// # Errors
    /// [`Invalid`](conda_store_core::ErrorKind::Invalid) where the secret is shorter than what RFC 7518, section 3.2,
    /// demands.
    pub(crate) fn new(secret: Option<SecretString>, algorithm: JwtAlgorithm) -> Result<Self> {
        let secret = match secret {
            Some(secret) => checked(secret, algorithm)?,
            None => random_secret(),
        };
        Ok(Self {
            algorithm: strength(algorithm).0,
            signing: EncodingKey::from_secret(secret.expose_secret().as_bytes()),
            reading: DecodingKey::from_secret(secret.expose_secret().as_bytes()),
        })
    }

    /// A token that stands for `entity` until `expires`, cut to whole seconds.
    ///
    /// # Errors
    /// [`Unexpected`](conda_store_core::ErrorKind::Unexpected) where signing fails.
    pub(crate) fn sign(&self, entity: &Entity, expires: Timestamp) -> Result<SecretString> {
        let claims = Claims {
            primary_namespace: entity.primary_namespace.clone(),
            role_bindings: entity.role_bindings.clone(),
            exp: expires.unix_seconds(),
            jti: Some(random_text(22)),
        };
        let token = jsonwebtoken::encode(&Header::new(self.algorithm), &claims, &self.signing)
            .map_err(|error| Error::unexpected("issue token", "the token could not be signed").with_source(error))?;
        Ok(SecretString::from(token))
    }

    /// Whom `token` stands for, also when its time is over; nobody where it is tampered with or signed in another way.
    pub(crate) fn read(&self, token: &SecretString) -> Option<Entity> {
        let mut validation = Validation::new(self.algorithm);
        // The library reads the machine's clock; whoever asks checks the time.
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

impl fmt::Debug for Signature {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Signature").field("algorithm", &self.algorithm).finish_non_exhaustive()
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

fn checked(secret: SecretString, algorithm: JwtAlgorithm) -> Result<SecretString> {
    let (length, (_, shortest)) = (secret.expose_secret().len(), strength(algorithm));
    if length < shortest {
        let message = format!("the secret has {length} bytes, {algorithm:?} takes at least {shortest}");
        return Err(Error::invalid("read configuration", message).with("key", "AuthenticationBackend.secret"));
    }
    Ok(secret)
}

fn random_secret() -> SecretString {
    warn!("no secret is configured: a random one is used, and everybody has to log in again after a restart");
    random_text(64).into()
}

fn random_text(characters: usize) -> String {
    let mut random = rand::rng();
    (0..characters).map(|_| char::from(random.sample(rand::distr::Alphanumeric))).collect()
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use conda_store_core::{ErrorKind, clock::Clock, testing::ManualClock};
    use serde_json::json;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    /// 2024-05-01T00:00:00Z, where the manual clock starts.
    const NOW: i64 = 1_714_521_600;

    fn signed(algorithm: JwtAlgorithm) -> Signature {
        Signature::new(Some(SECRET.into()), algorithm).unwrap()
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
    fn reads_the_claims_of_the_original() {
        let signature = signed(JwtAlgorithm::HS256);
        let header = json!({"alg": "HS256", "typ": "JWT"});
        let original = json!({"exp": NOW + 1, "primary_namespace": "", "role_bindings": {"a-*/b": ["editor"]}});
        let entity = signature.read(&forge(Algorithm::HS256, &header, &original, SECRET)).unwrap();
        assert_eq!(entity.primary_namespace, "");
        assert_eq!(serde_json::to_value(entity.role_bindings).unwrap(), json!({"a-*/b": ["developer"]}));
        let least = forge(Algorithm::HS256, &header, &json!({"exp": NOW + 1}), SECRET);
        assert_eq!(signature.read(&least).unwrap().primary_namespace, "default");
    }

    #[test]
    fn refuses_other_algorithms_also_none() {
        let signature = signed(JwtAlgorithm::HS256);
        let good = forge(Algorithm::HS256, &json!({"alg": "HS256"}), &claims(), SECRET);
        assert!(signature.read(&good).is_some(), "the forgery itself is sound");
        for algorithm in ["none", "None", "HS384", "RS256", "ES256", "EdDSA", ""] {
            let header = json!({"alg": algorithm});
            let forged = forge(Algorithm::HS256, &header, &claims(), SECRET);
            let unsigned = forged.expose_secret().rsplit_once('.').unwrap().0.to_owned() + ".";
            assert_eq!(signature.read(&forged), None, "{algorithm}");
            assert_eq!(signature.read(&unsigned.into()), None, "{algorithm} without a signature");
        }
        let stronger = forge(Algorithm::HS512, &json!({"alg": "HS512"}), &claims(), SECRET);
        assert_eq!(signature.read(&stronger), None);
        let confused = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": "YQ"}, "kid": "../../dev/null"});
        assert_eq!(signature.read(&forge(Algorithm::HS256, &confused, &claims(), "a")), None);
    }

    #[test]
    fn refuses_what_was_tampered_with_or_signed_by_another() {
        let signature = signed(JwtAlgorithm::HS256);
        let header = json!({"alg": "HS256"});
        assert_eq!(signature.read(&forge(Algorithm::HS256, &header, &claims(), &SECRET.replace('0', "1"))), None);
        let good = forge(Algorithm::HS256, &header, &claims(), SECRET);
        let parts: Vec<&str> = good.expose_secret().split('.').collect();
        let mut richer = claims();
        richer["primary_namespace"] = "root".into();
        let other = URL_SAFE_NO_PAD.encode(richer.to_string());
        assert_eq!(signature.read(&format!("{}.{other}.{}", parts[0], parts[2]).into()), None);
        for text in ["", ".", "..", "a.b.c", good.expose_secret().trim_end_matches(char::is_alphanumeric), parts[1]] {
            assert_eq!(signature.read(&text.to_owned().into()), None, "{text}");
        }
    }

    #[test]
    fn refuses_claims_without_a_sound_end_or_with_unknown_roles() {
        let signature = signed(JwtAlgorithm::HS256);
        for wrong in [
            json!({"primary_namespace": "alice"}),
            json!({"exp": null}),
            json!({"exp": "tomorrow"}),
            json!({"exp": i64::MAX}),
            json!({"exp": u64::MAX}),
            json!({"exp": NOW + 60, "role_bindings": {"*/*": ["owner"]}}),
            json!({"exp": NOW + 60, "role_bindings": {"*": ["admin"]}}),
            json!({"exp": NOW + 60, "aud": "another service"}),
        ] {
            assert_eq!(
                signature.read(&forge(Algorithm::HS256, &json!({"alg": "HS256"}), &wrong, SECRET)),
                None,
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_short_secret_is_refused_and_a_missing_one_is_random() {
        for (algorithm, shortest) in [(JwtAlgorithm::HS256, 32), (JwtAlgorithm::HS384, 48), (JwtAlgorithm::HS512, 64)] {
            let new = |length: usize| Signature::new(Some("x".repeat(length).into()), algorithm);
            assert!(new(shortest).is_ok());
            let error = new(shortest - 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(&format!("takes at least {shortest}")), "{error}");
        }
        let random = || Signature::new(None, JwtAlgorithm::HS256).unwrap();
        let token = random().sign(&alice(), ManualClock::new().now()).unwrap();
        assert_eq!(random().read(&token), None);
    }

    #[test]
    fn two_tokens_that_say_the_same_differ() {
        let signature = signed(JwtAlgorithm::HS256);
        let sign = || signature.sign(&alice(), ManualClock::new().now()).unwrap();
        assert_ne!(sign().expose_secret(), sign().expose_secret());
    }
}
