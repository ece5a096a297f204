//! Cookies, and where a browser goes after it logged in or out.

use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use conda_store_core::auth::Login;
use cookie::time::Duration;
use http::{header, request::Parts};
use secrecy::{ExposeSecret, SecretString};
use url::{Position, Url, form_urlencoded};

use crate::{
    error::{Answer, Failure},
    face::Face,
};

/// The cookie that ties the answer of an outside provider to this browser.
const STATE_COOKIE: &str = "conda-store-oauth-state";

/// How long somebody may take to log in at an outside provider.
const STATE_LIFETIME: Duration = Duration::minutes(10);

/// The address of this service as the browser sees it.
fn origin(face: &Face, parts: &Parts) -> Answer<Url> {
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    // Where several proxies are in a row, the first value is what the browser asked for.
    let first = |values| str::split(values, ',').next().map(str::trim);
    let forwarded = |name: &str| header(name).filter(|_| face.options().behind_proxy).and_then(first);
    let scheme = if forwarded("x-forwarded-proto") == Some("https") { "https" } else { "http" };
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = forwarded("x-forwarded-host").or(authority).or_else(|| header(header::HOST.as_str()));
    let url = Url::parse(&format!("{scheme}://{}/", host.unwrap_or("localhost")));
    url.map_err(|_| Failure::type_of("header", "host", "names no host", "value_error"))
}

/// Where an outside provider sends the browser back to.
pub(crate) fn callback(face: &Face, parts: &Parts) -> Answer<Url> {
    let mut url = origin(face, parts)?;
    url.set_path(&format!("{}/oauth_callback/", face.prefix()));
    Ok(url)
}

/// The path on this host that the query's `next` names; what leads elsewhere is replaced by the start page.
pub(crate) fn next(face: &Face, parts: &Parts) -> Answer<String> {
    let origin = origin(face, parts)?;
    let query = parts.uri.query().unwrap_or_default();
    let asked = form_urlencoded::parse(query.as_bytes()).find(|(name, value)| name == "next" && !value.is_empty());
    let url = asked.and_then(|(_, value)| origin.join(&value).ok()).filter(|url| url.origin() == origin.origin());
    let path = url.map(|url| url[Position::BeforePath..].to_owned());
    // A browser takes a path that begins with two slashes for another host.
    Ok(path.filter(|path| !path.starts_with("//")).unwrap_or_else(|| format!("{}/", face.prefix())))
}

/// A cookie that scripts cannot read and other sites cannot send along with a change.
fn cookie_of(parts: &Parts, face: &Face, name: String, value: String, lifetime: Duration) -> Answer<Cookie<'static>> {
    let cookie = Cookie::build((name, value)).path("/").http_only(true).same_site(SameSite::Lax).max_age(lifetime);
    Ok(cookie.secure(origin(face, parts)?.scheme() == "https").build())
}

fn token_cookie(face: &Face, parts: &Parts, value: &str, lifetime: Duration) -> Answer<CookieJar> {
    let authenticator = face.authenticator();
    let name = authenticator.cookie_name().to_owned();
    let mut cookie = cookie_of(parts, face, name, value.to_owned(), lifetime)?;
    if let Some(domain) = authenticator.cookie_domain() {
        cookie.set_domain(domain.to_owned());
    }
    Ok(CookieJar::new().add(cookie))
}

/// The cookie that recognises whoever logged in, as long as their token lasts.
pub(crate) fn cookie(face: &Face, parts: &Parts, login: &Login) -> Answer<CookieJar> {
    let now = face.store().clock().now();
    let lifetime = login
        .entity
        .expires
        .map_or(Duration::DAY, |expires| Duration::try_from(expires.since(now)).unwrap_or(Duration::DAY));
    token_cookie(face, parts, login.token.expose_secret(), lifetime)
}

/// The cookie that makes a browser forget.
pub(crate) fn expired_cookie(face: &Face, parts: &Parts) -> Answer<CookieJar> {
    token_cookie(face, parts, "", Duration::ZERO)
}

/// The cookie that an outside provider's answer is compared with.
pub(crate) fn state_cookie(face: &Face, parts: &Parts, state: &SecretString) -> Answer<CookieJar> {
    let value = state.expose_secret().to_owned();
    Ok(CookieJar::new().add(cookie_of(parts, face, STATE_COOKIE.to_owned(), value, STATE_LIFETIME)?))
}
