//! Tokens of an OpenID Connect issuer, which runs on loopback here.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{Answer, Running};
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, StatusCode};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents as PublicKeyComponents,
};
use serde_json::{Value, json};

/// An issuer with a key of each kind, which signs whom the test says.
pub(crate) struct Issuer {
    pub(crate) url: String,
    edwards: Ed25519KeyPair,
    elliptic: EcdsaKeyPair,
    rsa: RsaKeyPair,
    codes: Codes,
}

/// What each code is good for: the challenge that its holder must know the answer to, and a token.
type Codes = Arc<Mutex<BTreeMap<String, (String, String)>>>;

/// A key that was made for this test.
const RSA: &[u8] = include_bytes!("rsa.der");

impl Issuer {
    pub(crate) async fn start() -> Self {
        let random = ring::rand::SystemRandom::new();
        let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let edwards = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
        let scheme = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let document = EcdsaKeyPair::generate_pkcs8(scheme, &random).unwrap();
        let elliptic = EcdsaKeyPair::from_pkcs8(scheme, document.as_ref(), &random).unwrap();
        let rsa = RsaKeyPair::from_pkcs8(RSA).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let description = json!({
            "issuer": url, "jwks_uri": format!("{url}/keys"),
            "authorization_endpoint": format!("{url}/authorize"), "token_endpoint": format!("{url}/token"),
        })
        .to_string();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = elliptic.public_key().as_ref();
        let numbers = PublicKeyComponents::<Vec<u8>>::from(rsa.public());
        let keys = json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "kid": "1", "alg": "EdDSA", "use": "sig", "x": encode(edwards.public_key().as_ref())},
            {"kty": "EC", "crv": "P-256", "kid": "elliptic", "use": "sig", "x": encode(&point[1..33]), "y": encode(&point[33..])},
            {"kty": "RSA", "kid": "rsa", "use": "sig", "n": encode(&numbers.n), "e": encode(&numbers.e)},
        ]})
        .to_string();
        let codes = Codes::default();
        let router = Router::new()
            .route(
                "/.well-known/openid-configuration",
                get(|| async { description }),
            )
            .route("/keys", get(|| async { keys }))
            .route("/token", post(redeem))
            .with_state(codes.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self {
            url,
            edwards,
            elliptic,
            rsa,
            codes,
        }
    }

    pub(crate) fn claims(&self) -> Value {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_secs();
        json!({"iss": self.url, "aud": "hush", "sub": "carol", "exp": now + 300})
    }

    pub(crate) fn sign(&self, header: &Value, claims: &Value) -> String {
        let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let (bytes, random) = (message.as_bytes(), ring::rand::SystemRandom::new());
        let of_rsa = |scheme: &'static dyn RsaEncoding| {
            let mut signature = vec![0; self.rsa.public().modulus_len()];
            self.rsa
                .sign(scheme, &random, bytes, &mut signature)
                .unwrap();
            signature
        };
        let signature = match header["alg"].as_str() {
            Some("ES256") => self
                .elliptic
                .sign(&random, bytes)
                .unwrap()
                .as_ref()
                .to_vec(),
            Some("RS256") => of_rsa(&RSA_PKCS1_SHA256),
            Some("PS256") => of_rsa(&RSA_PSS_SHA256),
            _ => self.edwards.sign(bytes).as_ref().to_vec(),
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Somebody signs in here and is sent back with this code.
    pub(crate) fn give_code(&self, code: &str, challenge: &str, token: &str) {
        let good_for = (challenge.to_owned(), token.to_owned());
        self.codes.lock().unwrap().insert(code.to_owned(), good_for);
    }
}

/// Gives a token for a code, once, to whoever made its challenge.
async fn redeem(State(codes): State<Codes>, form: String) -> Result<String, StatusCode> {
    let pairs: BTreeMap<&str, &str> = form
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .collect();
    let field = |name: &str| pairs.get(name).copied().unwrap_or_default();
    assert_eq!(field("grant_type"), "authorization_code");
    assert_eq!(field("client_id"), "hush");
    assert!(field("redirect_uri").ends_with("%2Flogin%2Freturn"));
    let found = codes.lock().unwrap().remove(field("code"));
    let answer = ring::digest::digest(&ring::digest::SHA256, field("code_verifier").as_bytes());
    match found {
        Some((challenge, token)) if challenge == URL_SAFE_NO_PAD.encode(answer) => {
            Ok(json!({"access_token": "a", "token_type": "Bearer", "id_token": token}).to_string())
        }
        _ => Err(StatusCode::BAD_REQUEST),
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
    for (scheme, key) in [("ES256", "elliptic"), ("RS256", "rsa"), ("PS256", "rsa")] {
        let token = issuer.sign(&json!({"alg": scheme, "kid": key}), &issuer.claims());
        let answer = models(&server, &token).await;
        assert_eq!(answer.status, StatusCode::OK, "{scheme}: {answer:?}");
    }

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
        (
            "a key of another kind",
            issuer.sign(&json!({"alg": "ES256", "kid": "rsa"}), &issuer.claims()),
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
