//! The tokens that a request presents, in the order in which they are looked at.

use base64::{Engine, engine::general_purpose::STANDARD};
use cookie::Cookie;
use http::{HeaderMap, header};
use secrecy::SecretString;

/// The token in the cookie, the password of `Authorization: Basic` (RFC 7617), and what `Authorization: Bearer`
/// (RFC 6750) carries; header values that are malformed present nothing.
pub(crate) fn presented_tokens(headers: &HeaderMap, cookie_name: &str) -> Vec<SecretString> {
    let mut tokens = cookie_tokens(headers, cookie_name);
    let basic = authorizations(headers, "basic").filter_map(password);
    let bearer = authorizations(headers, "bearer").map(str::to_owned);
    tokens.extend(basic.chain(bearer).filter(|token| !token.is_empty()).map(SecretString::from));
    tokens
}

/// The token in the cookie.
pub(crate) fn cookie_tokens(headers: &HeaderMap, cookie_name: &str) -> Vec<SecretString> {
    cookies(headers, cookie_name).into_iter().filter(|token| !token.is_empty()).map(SecretString::from).collect()
}

fn cookies(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let cookies = values.flat_map(Cookie::split_parse).filter_map(Result::ok);
    // Cookies of other servers write the value in quotes.
    cookies.filter(|cookie| cookie.name() == name).map(|cookie| cookie.value_trimmed().to_owned()).collect()
}

/// What follows the scheme, whose case does not matter (RFC 9110, section 11.1).
fn authorizations<'a>(headers: &'a HeaderMap, scheme: &'static str) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(header::AUTHORIZATION).iter().filter_map(|value| value.to_str().ok());
    values.filter_map(move |value| {
        let (given, credentials) = value.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
    })
}

fn password(credentials: &str) -> Option<String> {
    let decoded = STANDARD.decode(credentials).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_user, password)| password.to_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use secrecy::ExposeSecret;

    use super::*;

    fn tokens(given: &[(header::HeaderName, &str)]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        presented_tokens(&headers, "auth").iter().map(|token| token.expose_secret().to_owned()).collect()
    }

    #[test]
    fn looks_at_the_cookie_then_basic_then_bearer() {
        let basic = format!("Basic {}", STANDARD.encode("user:two:parts"));
        let given = [
            (header::AUTHORIZATION, "bearer three"),
            (header::AUTHORIZATION, basic.as_str()),
            (header::COOKIE, "other=x; auth=one"),
        ];
        assert_eq!(tokens(&given), ["one", "two:parts", "three"]);
        assert_eq!(tokens(&[(header::COOKIE, "auth=\"quoted\"")]), ["quoted"]);
    }

    #[test]
    fn what_is_malformed_presents_nothing() {
        let no_colon = format!("Basic {}", STANDARD.encode("token"));
        for value in ["", "Basic", "Basic %%%", "Basic /w==", &no_colon, "Bearer", "Bearer ", "Digest x", "x"] {
            assert!(tokens(&[(header::AUTHORIZATION, value)]).is_empty(), "{value:?}");
        }
        for value in ["", "auth", "auth=", "=x", ";;;", "authx=1; xauth=2"] {
            assert!(tokens(&[(header::COOKIE, value)]).is_empty(), "{value:?}");
        }
    }
}
