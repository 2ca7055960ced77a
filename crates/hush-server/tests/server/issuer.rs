//! Tokens of an OpenID Connect issuer, which runs on loopback here.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{Answer, Running};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

struct Issuer {
    url: String,
    key: Ed25519KeyPair,
}

impl Issuer {
    async fn start() -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&ring::rand::SystemRandom::new()).unwrap();
        let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let description = json!({"issuer": url, "jwks_uri": format!("{url}/keys")}).to_string();
        let keys = json!({"keys": [{
            "kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA", "use": "sig",
            "x": URL_SAFE_NO_PAD.encode(key.public_key()),
        }]})
        .to_string();
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(|| async { description }),
            )
            .route("/keys", get(|| async { keys }));
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, key }
    }

    fn claims(&self) -> Value {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        json!({"iss": self.url, "aud": "hush", "sub": "carol", "exp": now + 300})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.key.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

async fn models(server: &Running, token: &str) -> Answer {
    let request = server
        .request(Method::GET, "/v2/models")
        .header("authorization", format!("Bearer {token}"))
        .body(Body::empty());
    server.send(request.unwrap()).await
}

#[tokio::test]
async fn an_issuer_vouches_for_its_accounts() {
    let issuer = Issuer::start().await;
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.toml");
    let account = "[[account]]\nname = 'oidc:carol'\nroles = ['predict']\nmodels = ['simple']\n";
    std::fs::write(&tokens, account).unwrap();
    let settings = [
        ("oidc-issuer", issuer.url.as_str()),
        ("oidc-audience", "hush"),
        ("tokens", tokens.to_str().unwrap()),
    ];
    let server = Running::start(&settings).await;
    let header = json!({"alg": "EdDSA", "kid": "1", "typ": "JWT"});
    let answer = models(&server, &issuer.sign(&header, &issuer.claims())).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(answer.json()["models"], json!(["simple"]));

    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims();
        claims[name] = value;
        issuer.sign(&header, &claims)
    };
    let mut without_audience = issuer.claims();
    without_audience.as_object_mut().unwrap().remove("aud");
    let valid = issuer.sign(&header, &issuer.claims());
    let other = Issuer::start().await;
    for (what, token) in [
        ("expired", with("exp", json!(1_000_000_000))),
        ("expires never", with("exp", json!("never"))),
        ("for another", with("aud", json!("other"))),
        ("for nobody", issuer.sign(&header, &without_audience)),
        ("of another", with("iss", json!("http://localhost"))),
        ("not yet", with("nbf", json!(4_000_000_000_u64))),
        ("unknown account", with("sub", json!("mallory"))),
        ("no account", with("sub", json!(7))),
        ("another's key", other.sign(&header, &issuer.claims())),
        (
            "no signature",
            issuer.sign(&json!({"alg": "none", "kid": "1"}), &issuer.claims()),
        ),
        (
            "a shared secret",
            issuer.sign(&json!({"alg": "HS256", "kid": "1"}), &issuer.claims()),
        ),
        (
            "another scheme",
            issuer.sign(&json!({"alg": "RS256", "kid": "1"}), &issuer.claims()),
        ),
        (
            "an unknown key",
            issuer.sign(&json!({"alg": "EdDSA", "kid": "2"}), &issuer.claims()),
        ),
        (
            "no key",
            issuer.sign(&json!({"alg": "EdDSA"}), &issuer.claims()),
        ),
        ("changed", valid.replacen('.', ".e", 1)),
        ("nonsense", "a.b.c".into()),
        ("empty", String::new()),
    ] {
        let answer = models(&server, &token).await;
        assert_eq!(
            answer.status,
            StatusCode::UNAUTHORIZED,
            "{what}: {answer:?}"
        );
        answer.error();
    }
}
