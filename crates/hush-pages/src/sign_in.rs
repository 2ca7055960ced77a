//! Signing in and out: a session is a cookie that holds the token, which the server checks at each request as it checks
//! one that a program sends. So a token that is revoked ends its sessions, on every replica.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, COOKIE, HOST, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use maud::{Markup, html};
use ring::digest::{SHA256, digest};

use crate::address::{Parameters, is_local, link};
use crate::answer::{self, Failure, see};
use crate::document::{Frame, code_block, document, token};
use crate::pages::Pages;
use crate::visitor::{Submitted, Visitor, cookie, is_same_origin, new_token};

/// The cookie of a session. Over TLS its name begins with `__Host-`, which keeps it to this host.
pub const SESSION_COOKIE: &str = "hush_session";
const SECURE_COOKIE: &str = "__Host-hush_session";
const FLOW_COOKIE: &str = "hush_sign_in";
/// Longest token that is taken.
const LONGEST: usize = 3500;

/// The token of a session of the pages, to be checked like one that a program sends. None for a request that changes
/// something and does not come from a page of this server.
#[must_use]
pub fn session_token<'a>(method: &Method, headers: &'a HeaderMap) -> Option<&'a str> {
    headers.get(COOKIE)?;
    if !method.is_safe() && !is_same_origin(headers) {
        return None;
    }
    let found = cookie(headers, SECURE_COOKIE).or_else(|| cookie(headers, SESSION_COOKIE))?;
    (!found.is_empty()).then_some(found)
}

/// For somebody who is not known and looks at a page: the way to sign in, and back. None for programs.
#[must_use]
pub fn to_sign_in(method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<Response<Body>> {
    let wants = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if !wants || method != Method::GET {
        return None;
    }
    let here = uri.path_and_query().map_or("/", |here| here.as_str());
    Some(see(&link("/login", [("next", here)])))
}

pub(crate) fn has_session(headers: &HeaderMap) -> bool {
    cookie(headers, SECURE_COOKIE)
        .or_else(|| cookie(headers, SESSION_COOKIE))
        .is_some()
}

fn session_cookie(secure: bool, value: &str, lifetime: &str) -> HeaderValue {
    let (name, flag) = if secure {
        (SECURE_COOKIE, "; Secure")
    } else {
        (SESSION_COOKIE, "")
    };
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{flag}{lifetime}");
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// Where to go after signing in.
fn wanted(next: &str) -> &str {
    if is_local(next) && !next.starts_with("/login") {
        next
    } else {
        "/experiments"
    }
}

/// The page to sign in.
pub(crate) async fn form(State(pages): State<Pages>, visitor: Visitor) -> Response<Body> {
    let query = Parameters::of(&visitor.address);
    show(&pages, &visitor, wanted(query.text("next")), None)
}

fn show(pages: &Pages, visitor: &Visitor, next: &str, problem: Option<&str>) -> Response<Body> {
    let status = if problem.is_some() {
        StatusCode::UNAUTHORIZED
    } else {
        StatusCode::OK
    };
    let issuer = pages.door().and_then(|door| door.issuer());
    let body = content(
        visitor,
        pages.door().is_some(),
        issuer.as_ref().map(|issuer| issuer.name.as_str()),
        next,
        problem,
    );
    answer::page(
        visitor,
        status,
        document(visitor, &Frame::new("Sign in"), body),
    )
}

fn content(
    visitor: &Visitor,
    accounts: bool,
    issuer: Option<&str>,
    next: &str,
    problem: Option<&str>,
) -> Markup {
    html! {
        div.sign-in {
            h1 { "Sign in" }
            @if !accounts {
                p { "This server has no accounts: whoever can reach it from this machine may use it. "
                    a href="/experiments" { "Go on" } "." }
            } @else {
                @if let Some(problem) = problem { p.problem role="alert" { (problem) } }
                @if let Some(issuer) = issuer {
                    form method="post" action="/login/issuer" {
                        (token(visitor))
                        input type="hidden" name="next" value=(next);
                        button.primary.block type="submit" { "Sign in with " (issuer) }
                    }
                    p.or { span { "or" } }
                }
                form.stack method="post" action="/login" {
                    (token(visitor))
                    input type="hidden" name="next" value=(next);
                    label for="token" { "Token" }
                    input #token name="token" type="password" autocomplete="current-password" required
                        autofocus spellcheck="false" aria-describedby="token-note";
                    p #token-note .note { "The token that programs send as " code { "MLFLOW_TRACKING_TOKEN" } ", or the password." }
                    button.primary.block type="submit" { "Sign in" }
                }
                details {
                    summary { "How do I get a token?" }
                    p.note { "Whoever runs the server makes one for you:" }
                    (code_block("hush token create NAME --tokens tokens.toml --expires 90d"))
                }
            }
        }
    }
}

/// Takes a token.
pub(crate) async fn submit(State(pages): State<Pages>, form: Submitted) -> Response<Body> {
    let next = wanted(form.fields.text("next")).to_owned();
    let Some(door) = pages.door() else {
        return see(&next);
    };
    let shown = form.fields.text("token").trim();
    let plain = !shown.is_empty()
        && shown
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b";,\"\\".contains(&byte));
    if !plain || shown.len() > LONGEST {
        return show(&pages, &form.visitor, &next, Some("This is no token."));
    }
    match door.known(shown).await {
        Ok(_) => open(&pages, shown, &next),
        Err(problem) => show(&pages, &form.visitor, &next, Some(&problem)),
    }
}

fn open(pages: &Pages, token: &str, next: &str) -> Response<Body> {
    let mut response = see(next);
    let cookie = session_cookie(pages.is_secure(), token, "; Max-Age=1209600");
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// Ends the session.
pub(crate) async fn leave(State(pages): State<Pages>, _: Submitted) -> Response<Body> {
    let mut response = see("/login");
    let cookie = session_cookie(pages.is_secure(), "", "; Max-Age=0");
    response.headers_mut().append(SET_COOKIE, cookie);
    response
}

/// The address that the issuer sends the browser back to.
fn return_to(pages: &Pages, headers: &HeaderMap) -> Option<String> {
    let host = headers.get(HOST)?.to_str().ok()?;
    let scheme = if pages.is_secure() { "https" } else { "http" };
    Some(format!("{scheme}://{host}/login/return"))
}

/// Sends the browser to the issuer.
pub(crate) async fn to_issuer(
    State(pages): State<Pages>,
    headers: HeaderMap,
    form: Submitted,
) -> Response<Body> {
    let next = wanted(form.fields.text("next")).to_owned();
    let issuer = pages.door().and_then(|door| door.issuer());
    let (Some(door), Some(issuer), Some(back)) =
        (pages.door(), issuer, return_to(&pages, &headers))
    else {
        return see("/login");
    };
    let (state, verifier) = (new_token(), new_token());
    if state.is_empty() || verifier.is_empty() {
        let failure = Failure::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "there are no random numbers",
        );
        return answer::failure(&form.visitor, &failure);
    }
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    match door.authorization().await {
        Err(problem) => show(&pages, &form.visitor, &next, Some(&problem)),
        Ok(page) => {
            let mut response = see(&authorization(
                &page,
                &issuer.client,
                &back,
                &state,
                &challenge,
            ));
            let kept = format!("{state}.{verifier}.{}", URL_SAFE_NO_PAD.encode(&next));
            let flag = if pages.is_secure() { "; Secure" } else { "" };
            let cookie = format!(
                "{FLOW_COOKIE}={kept}; Path=/login; HttpOnly; SameSite=Lax; Max-Age=600{flag}"
            );
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            response
        }
    }
}

/// The issuer's page with everything that it has to know.
fn authorization(page: &str, client: &str, back: &str, state: &str, challenge: &str) -> String {
    let query = link(
        "",
        [
            ("response_type", "code"),
            ("client_id", client),
            ("redirect_uri", back),
            ("scope", "openid profile email"),
            ("state", state),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256"),
        ],
    );
    let query = query.trim_start_matches('?');
    format!(
        "{page}{}{query}",
        if page.contains('?') { '&' } else { '?' }
    )
}

/// The browser comes back from the issuer.
pub(crate) async fn from_issuer(
    State(pages): State<Pages>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response<Body> {
    let query = Parameters::of(&visitor.address);
    let kept = cookie(&headers, FLOW_COOKIE).unwrap_or_default();
    let mut kept = kept.splitn(3, '.');
    let (state, verifier) = (
        kept.next().unwrap_or_default(),
        kept.next().unwrap_or_default(),
    );
    let next = kept
        .next()
        .and_then(|next| String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok());
    let next = wanted(next.as_deref().unwrap_or_default()).to_owned();
    let issuer = pages.door().and_then(|door| door.issuer());
    let (Some(door), Some(issuer), Some(back)) =
        (pages.door(), issuer, return_to(&pages, &headers))
    else {
        return see("/login");
    };
    let problem = if state.is_empty() || query.text("state") != state {
        "The answer does not belong to a sign-in of this browser; try again.".to_owned()
    } else if query.text("code").is_empty() {
        let reason = query.text("error");
        let reason = if reason.is_empty() { "no code" } else { reason };
        format!(
            "The issuer refused: {}",
            crate::format::shorten(reason, 100)
        )
    } else {
        let form = link(
            "",
            [
                ("grant_type", "authorization_code"),
                ("code", query.text("code")),
                ("redirect_uri", &back),
                ("client_id", &issuer.client),
                ("code_verifier", verifier),
            ],
        );
        match door.redeem(form.trim_start_matches('?').to_owned()).await {
            Err(problem) => problem,
            Ok(token) => match door.known(&token).await {
                Ok(_) if token.len() <= LONGEST => return open(&pages, &token, &next),
                Ok(_) => "The issuer's token is too long for a cookie.".to_owned(),
                Err(problem) => problem,
            },
        }
    };
    show(&pages, &visitor, &next, Some(&problem))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_change_nothing_for_other_sites() {
        let mut headers = HeaderMap::new();
        assert_eq!(session_token(&Method::GET, &headers), None);
        headers.insert(COOKIE, HeaderValue::from_static("hush_session=abc"));
        assert_eq!(session_token(&Method::GET, &headers), Some("abc"));
        assert_eq!(session_token(&Method::POST, &headers), Some("abc"));
        headers.insert("sec-fetch-site", HeaderValue::from_static("cross-site"));
        assert_eq!(session_token(&Method::POST, &headers), None);
        assert_eq!(session_token(&Method::GET, &headers), Some("abc"));
    }

    #[test]
    fn the_issuer_is_asked_with_a_proof() {
        let address = authorization(
            "https://id.example/auth?x=1",
            "hush",
            "https://a.example/login/return",
            "S",
            "C",
        );
        assert!(address.starts_with("https://id.example/auth?x=1&response_type=code&client_id=hush&redirect_uri=https%3A%2F%2Fa"));
        assert!(address.ends_with("&state=S&code_challenge=C&code_challenge_method=S256"));
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(wanted("/runs/1"), "/runs/1");
        for other in [
            "//evil.example",
            "https://evil.example/",
            "/login?next=/login",
            "",
        ] {
            assert_eq!(wanted(other), "/experiments");
        }
    }

    #[test]
    fn the_form_says_what_is_wrong_as_text() {
        let page = content(
            &Visitor::for_tests(),
            true,
            Some("<issuer>"),
            "/x\"y",
            Some("<b>no</b>"),
        )
        .into_string();
        assert!(
            page.contains("&lt;b&gt;no&lt;/b&gt;") && page.contains("Sign in with &lt;issuer&gt;")
        );
        assert!(page.contains("value=\"/x&quot;y\""));
    }
}
