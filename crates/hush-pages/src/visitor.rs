//! Who looks at a page, how, and the token that proves that a form is ours.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, COOKIE, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hush_serving::Identity;
use hush_tracking::Caller;

use crate::address::Parameters;
use crate::answer::{self, Failure};

/// Longest form that is read.
const LONGEST: usize = 256 * 1024;
const TOKEN_COOKIE: &str = "hush_form";
const THEME_COOKIE: &str = "hush_theme";
/// The field of a form, and the header of a script, that carry the token.
pub(crate) const TOKEN_FIELD: &str = "form_token";

/// Somebody who looks at a page.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// Who it is to the store; `None` if the server did not say, which refuses everything.
    pub(crate) caller: Option<Caller>,
    /// Who it is to the models that are served.
    pub(crate) identity: Option<Identity>,
    /// `light` or `dark` if chosen; otherwise the system's.
    pub(crate) theme: Option<&'static str>,
    /// Path and query of the page.
    pub(crate) address: String,
    /// Whether the visitor came in by a session of the pages, which can be ended.
    pub(crate) session: bool,
    token: String,
    token_is_new: bool,
}

impl Visitor {
    /// Who it is, to the store.
    ///
    /// # Errors
    /// The server did not say.
    pub(crate) fn caller(&self) -> answer::Result<&Caller> {
        let caller = self.caller.as_ref();
        caller.ok_or_else(|| Failure::new(StatusCode::UNAUTHORIZED, "sign in first"))
    }

    /// The token for forms.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The cookie that the token is compared with, if the browser has none yet.
    pub(crate) fn new_cookie(&self) -> Option<HeaderValue> {
        if !self.token_is_new {
            return None;
        }
        HeaderValue::try_from(format!(
            "{TOKEN_COOKIE}={}; Path=/; HttpOnly; SameSite=Strict",
            self.token
        ))
        .ok()
    }

    fn new(parts: &Parts) -> Self {
        let known = cookie(&parts.headers, TOKEN_COOKIE).filter(|token| is_token(token));
        let theme = match cookie(&parts.headers, THEME_COOKIE) {
            Some("light") => Some("light"),
            Some("dark") => Some("dark"),
            _ => None,
        };
        let address = parts
            .uri
            .path_and_query()
            .map_or("/", |address| address.as_str());
        Self {
            caller: parts.extensions.get::<Caller>().cloned(),
            identity: parts.extensions.get::<Identity>().cloned(),
            theme,
            address: address.to_owned(),
            session: crate::sign_in::has_session(&parts.headers),
            token_is_new: known.is_none(),
            token: known.map_or_else(new_token, str::to_owned),
        }
    }

    /// A visitor for tests of pages: an administrator of a server without accounts.
    #[cfg(test)]
    pub(crate) fn for_tests() -> Self {
        Self {
            caller: Some(Caller::local()),
            identity: Some(Identity::local()),
            theme: None,
            address: "/".into(),
            session: false,
            token: "t".repeat(43),
            token_is_new: false,
        }
    }
}

fn is_token(text: &str) -> bool {
    text.len() == 43
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// 256 random bits. Without any the token is one that no form is accepted with.
pub(crate) fn new_token() -> String {
    let mut bytes = [0; 32];
    match getrandom::fill(&mut bytes) {
        Ok(()) => URL_SAFE_NO_PAD.encode(bytes),
        Err(_) => String::new(),
    }
}

/// A cookie's value.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(own, _)| *own == name).map(|(_, value)| value)
}

/// Whether a browser says that a request comes from a page of this server, or does not say where from.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return matches!(site.as_bytes(), b"same-origin" | b"none");
    }
    let Some(origin) = headers.get(ORIGIN) else {
        return true;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.parse::<Uri>().ok());
    let authority = origin
        .as_ref()
        .and_then(Uri::authority)
        .map(|authority| authority.as_str());
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    authority.is_some() && authority == host
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(parts))
    }
}

/// A form that a page of ours sent.
pub(crate) struct Submitted {
    pub(crate) visitor: Visitor,
    pub(crate) fields: Parameters,
}

impl<S: Sync> FromRequest<S> for Submitted {
    type Rejection = Response<Body>;

    async fn from_request(request: Request, _: &S) -> Result<Self, Response<Body>> {
        let (parts, body) = request.into_parts();
        let visitor = Visitor::new(&parts);
        let refuse =
            |status, message: &str| answer::failure(&visitor, &Failure::new(status, message));
        let kind = parts
            .headers
            .get(CONTENT_TYPE)
            .map_or(&b""[..], HeaderValue::as_bytes);
        if !kind.starts_with(b"application/x-www-form-urlencoded") {
            return Err(refuse(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "this is not a form",
            ));
        }
        let body: Bytes = axum::body::to_bytes(body, LONGEST).await.map_err(|_| {
            refuse(
                StatusCode::PAYLOAD_TOO_LARGE,
                "the form is too large, or did not arrive whole",
            )
        })?;
        let fields = Parameters::parse(&body);
        let shown = fields.text(TOKEN_FIELD);
        let ours = !visitor.token_is_new && is_token(shown) && same(shown, &visitor.token);
        if !ours || !is_same_origin(&parts.headers) {
            return Err(refuse(
                StatusCode::FORBIDDEN,
                "the form does not come from a page of this server, or your browser has forgotten it; open the page again",
            ));
        }
        Ok(Self { visitor, fields })
    }
}

/// Compares in the same time wherever two texts differ.
fn same(left: &str, right: &str) -> bool {
    blake3::hash(left.as_bytes()) == blake3::hash(right.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |&(name, value)| {
            (
                axum::http::HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let headers = headers(&[("cookie", "a_hush_theme=x; hush_theme=dark;other=1")]);
        assert_eq!(cookie(&headers, "hush_theme"), Some("dark"));
        assert_eq!(cookie(&headers, "theme"), None);
    }

    #[test]
    fn other_sites_are_known() {
        let host = ("host", "here:5000");
        assert!(is_same_origin(&headers(&[host])));
        assert!(is_same_origin(&headers(&[
            host,
            ("origin", "http://here:5000")
        ])));
        assert!(is_same_origin(&headers(&[
            host,
            ("sec-fetch-site", "same-origin")
        ])));
        for other in [
            "http://there:5000",
            "null",
            "http://here:5001",
            "http://here:5000.evil.example",
        ] {
            assert!(
                !is_same_origin(&headers(&[host, ("origin", other)])),
                "{other}"
            );
        }
        assert!(!is_same_origin(&headers(&[
            host,
            ("sec-fetch-site", "same-site")
        ])));
    }

    #[test]
    fn tokens_are_long_and_different() {
        let token = new_token();
        assert!(is_token(&token) && token != new_token());
        assert!(!is_token("") && !is_token("short"));
    }
}
