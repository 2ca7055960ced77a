//! People who sign in with a browser: by a token, and at an issuer by the code flow of OpenID Connect.

use axum::body::Body;
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::accounts::token;
use crate::issuer::Issuer;
use crate::support::{Answer, Running};

/// A browser: it keeps cookies and goes nowhere by itself.
struct Browser<'a> {
    server: &'a Running,
    cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    fn new(server: &'a Running) -> Self {
        let cookies = Vec::new();
        Self { server, cookies }
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        form: Option<String>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut request = self
            .server
            .request(method, path)
            .header("accept", "text/html")
            .header(COOKIE, cookies.join("; "));
        if let Some(form) = &form {
            let kind = match form.starts_with('{') {
                true => "application/json",
                false => "application/x-www-form-urlencoded",
            };
            request = request.header("content-type", kind);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = self
            .server
            .send(
                request
                    .body(form.map_or_else(Body::empty, Body::from))
                    .unwrap(),
            )
            .await;
        for set in answer.headers.get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            assert!(
                set.contains("HttpOnly") && set.contains("SameSite="),
                "{set}"
            );
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            self.cookies.push((name.into(), value.into()));
        }
        answer
    }

    async fn open(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, &[]).await
    }

    fn cookie(&self, name: &str) -> &str {
        let found = self.cookies.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value)
    }

    /// Sends a form of a page of ours.
    async fn submit(&mut self, path: &str, fields: &str) -> Answer {
        let form = format!("{fields}&form_token={}", self.cookie("hush_form"));
        self.ask(Method::POST, path, Some(form), &[]).await
    }
}

fn location(answer: &Answer) -> &str {
    answer.headers[LOCATION].to_str().unwrap()
}

/// A field of an address.
fn field(address: &str, name: &str) -> String {
    let url: axum::http::Uri = address.parse().unwrap();
    let query = url.query().unwrap_or_default().to_owned();
    let found = query
        .split('&')
        .find_map(|pair| pair.strip_prefix(&format!("{name}=")));
    found
        .unwrap_or_else(|| panic!("no {name} in {address}"))
        .replace("%3A", ":")
        .replace("%2F", "/")
}

fn settings(folder: &tempfile::TempDir) -> (String, String) {
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    (
        format!("sqlite:///{}", place("tracking.db")),
        place("artifacts"),
    )
}

#[tokio::test]
async fn a_token_opens_the_pages_until_it_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.toml");
    let (alice, other) = (
        token(&file, &["create", "alice", "--roles", "track"]),
        token(&file, &["create", "bob", "--roles", "predict"]),
    );
    let (store, artifacts) = settings(&folder);
    let server = Running::start(&[
        ("tokens", file.to_str().unwrap()),
        ("backend-store-uri", &store),
        ("artifacts-destination", &artifacts),
    ])
    .await;
    let mut browser = Browser::new(&server);
    let answer = browser.open("/experiments").await;
    assert_eq!(
        (answer.status, location(&answer)),
        (StatusCode::SEE_OTHER, "/login?next=%2Fexperiments")
    );
    assert_eq!(browser.open("/login").await.status, StatusCode::OK);
    for wrong in ["hush_wrong", other.as_str(), "", "a;b"] {
        let answer = browser.submit("/login", &format!("token={wrong}")).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{wrong}");
        assert_eq!(browser.cookie("hush_session"), "");
    }
    // A page of another site cannot sign somebody in.
    let form = format!("token={alice}");
    let answer = browser.ask(Method::POST, "/login", Some(form), &[]).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = browser
        .submit("/login", &format!("token={alice}&next=//evil.example"))
        .await;
    assert_eq!(
        (answer.status, location(&answer)),
        (StatusCode::SEE_OTHER, "/experiments")
    );
    let answer = browser.open("/experiments").await;
    assert_eq!(answer.status, StatusCode::OK);
    // What changes something and comes from elsewhere has no session.
    let create = "/api/2.0/mlflow/experiments/create";
    for (headers, status) in [
        (
            &[("origin", "https://evil.example")][..],
            StatusCode::FORBIDDEN,
        ),
        (
            &[("sec-fetch-site", "cross-site")][..],
            StatusCode::UNAUTHORIZED,
        ),
        (&[][..], StatusCode::OK),
    ] {
        let answer = browser
            .ask(
                Method::POST,
                create,
                Some(r#"{"name": "made"}"#.into()),
                headers,
            )
            .await;
        assert_eq!(answer.status, status, "{headers:?} {answer:?}");
    }
    let answer = browser.submit("/logout", "").await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{answer:?}");
    assert_eq!(
        browser.open("/experiments").await.status,
        StatusCode::SEE_OTHER
    );
}

#[tokio::test]
async fn an_issuer_lets_people_in_by_a_code() {
    let (issuer, folder) = (Issuer::start().await, tempfile::tempdir().unwrap());
    let (store, artifacts) = settings(&folder);
    let server = Running::start(&[
        ("oidc-issuer", issuer.url.as_str()),
        ("oidc-audience", "hush"),
        ("oidc-roles", "track"),
        ("backend-store-uri", &store),
        ("artifacts-destination", &artifacts),
    ])
    .await;
    for (scheme, key) in [("RS256", "rsa"), ("ES256", "elliptic"), ("EdDSA", "1")] {
        let mut browser = Browser::new(&server);
        browser.open("/login?next=%2Fmodels").await;
        let answer = browser.submit("/login/issuer", "next=%2Fmodels").await;
        let address = location(&answer).to_owned();
        assert!(
            address.starts_with(&format!("{}/authorize?", issuer.url)),
            "{address}"
        );
        assert_eq!(
            (
                field(&address, "response_type"),
                field(&address, "client_id")
            ),
            ("code".into(), "hush".into())
        );
        assert_eq!(field(&address, "code_challenge_method"), "S256");
        assert_eq!(
            field(&address, "redirect_uri"),
            format!("http://{}/login/return", server.http)
        );
        let (state, challenge) = (field(&address, "state"), field(&address, "code_challenge"));
        let identity = issuer.sign(&json!({"alg": scheme, "kid": key}), &issuer.claims());
        let back = |code: &str, state: &str| format!("/login/return?code={code}&state={state}");

        // The answer to another's sign-in, one that nobody asked for, and codes that the issuer does not know.
        issuer.give_code("good", &challenge, &identity);
        let mut stranger = Browser::new(&server);
        stranger.open("/login").await;
        assert_eq!(
            stranger.open(&back("good", &state)).await.status,
            StatusCode::UNAUTHORIZED
        );
        stranger.submit("/login/issuer", "").await;
        assert_eq!(
            stranger.open(&back("good", &state)).await.status,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(
            browser.open(&back("good", "other")).await.status,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(
            browser.open(&back("bad", &state)).await.status,
            StatusCode::UNAUTHORIZED
        );
        let refused = format!("/login/return?error=access_denied&state={state}");
        assert_eq!(
            browser.open(&refused).await.status,
            StatusCode::UNAUTHORIZED
        );
        // One that was made for the challenge of another, as by somebody who stole it on the way.
        issuer.give_code("stolen", "another", &identity);
        assert_eq!(
            browser.open(&back("stolen", &state)).await.status,
            StatusCode::UNAUTHORIZED
        );
        // A token that is for somebody else's service.
        let mut claims = issuer.claims();
        claims["aud"] = json!("other");
        let foreign = issuer.sign(&json!({"alg": scheme, "kid": key}), &claims);
        issuer.give_code("foreign", &challenge, &foreign);
        assert_eq!(
            browser.open(&back("foreign", &state)).await.status,
            StatusCode::UNAUTHORIZED
        );
        assert_eq!(browser.cookie("hush_session"), "");

        let answer = browser.open(&back("good", &state)).await;
        assert_eq!(
            (answer.status, location(&answer)),
            (StatusCode::SEE_OTHER, "/models"),
            "{answer:?}"
        );
        assert_eq!(browser.cookie("hush_session"), identity);
        assert_eq!(browser.open("/models").await.status, StatusCode::OK);
        // A code is good for once.
        let mut again = Browser::new(&server);
        again.cookies = browser
            .cookies
            .iter()
            .filter(|(name, _)| name != "hush_session")
            .cloned()
            .collect();
        assert_eq!(
            again.open(&back("good", &state)).await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    let mut browser = Browser::new(&server);
    browser
        .cookies
        .push(("hush_session".into(), "a.b.c".into()));
    assert_eq!(browser.open("/models").await.status, StatusCode::SEE_OTHER);
}
