//! The routes over a real store: forms, policies, files, searches.

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use hush_pages::{Pages, root, router};
use hush_serving::Identity;
use hush_tracking::wire::{Metric, Tag};
use hush_tracking::{Caller, LogBatch, NewRun, Tracking, TrackingOptions};
use tower::ServiceExt;

struct House {
    pages: Router,
    tracking: Tracking,
    folder: tempfile::TempDir,
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let tracking = Tracking::open(TrackingOptions {
        store: format!("sqlite:///{}", folder.path().join("store.db").display()),
        artifacts: folder.path().join("artifacts").display().to_string(),
        webhook_hosts: Vec::new(),
        upgrade: false,
    })
    .await
    .unwrap();
    let pages = Pages::new(tracking.clone(), None, None, false);
    House {
        pages: router(pages).merge(root()),
        tracking,
        folder,
    }
}

impl House {
    async fn ask(&self, mut request: Request<Body>) -> Response<Body> {
        request.extensions_mut().insert(Caller::local());
        request.extensions_mut().insert(Identity::local());
        self.pages.clone().oneshot(request).await.unwrap()
    }

    async fn open(&self, address: &str) -> (StatusCode, String) {
        let answer = self
            .ask(Request::get(address).body(Body::empty()).unwrap())
            .await;
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }

    async fn send(&self, address: &str, form: &str, headers: &[(&str, &str)]) -> StatusCode {
        let mut request = Request::post(address)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(form.to_owned()))
            .unwrap();
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
        }
        self.ask(request).await.status()
    }

    async fn run(&self, params: Vec<Tag>) -> String {
        let new = NewRun {
            experiment_id: "0".into(),
            name: "first".into(),
            ..NewRun::default()
        };
        let run = self
            .tracking
            .create_run(&Caller::local(), new)
            .await
            .unwrap()
            .info
            .run_id;
        let metrics = (0..5).map(|step| Metric::new("loss", 1.0 / (step + 1) as f64, step, step));
        let batch = LogBatch {
            metrics: metrics.collect(),
            params,
            ..LogBatch::default()
        };
        self.tracking
            .log_batch(&Caller::local(), &run, batch)
            .await
            .unwrap();
        run
    }
}

#[tokio::test]
async fn forms_need_the_token_of_their_page() {
    let house = house().await;
    let answer = house
        .ask(Request::get("/experiments").body(Body::empty()).unwrap())
        .await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"),
        "{cookie}"
    );
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(
        policy.contains("script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let cookie = cookie.split(';').next().unwrap();
    let token = cookie.split_once('=').unwrap().1;
    let form = format!("name=made&form_token={token}");
    let own = ("cookie", cookie);
    for (form, headers) in [
        ("name=made", vec![own]),
        ("name=made&form_token=", vec![own]),
        (form.as_str(), vec![]),
        (form.as_str(), vec![own, ("sec-fetch-site", "cross-site")]),
        (
            form.as_str(),
            vec![own, ("origin", "https://evil.example"), ("host", "here")],
        ),
    ] {
        assert_eq!(
            house.send("/experiments", form, &headers).await,
            StatusCode::FORBIDDEN,
            "{form}"
        );
    }
    assert_eq!(
        house.send("/experiments", &form, &[own]).await,
        StatusCode::SEE_OTHER
    );
    assert_eq!(
        house.send("/experiments", &form, &[own]).await,
        StatusCode::CONFLICT
    );
    assert!(house.open("/experiments").await.1.contains(">made</a>"));
}

#[tokio::test]
async fn strangers_see_the_page_to_sign_in_only() {
    let house = house().await;
    for address in [
        "/experiments",
        "/experiments/0",
        "/models",
        "/keys",
        "/deployments",
    ] {
        let request = Request::get(address).body(Body::empty()).unwrap();
        let answer = house.pages.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{address}");
    }
    let request = Request::get("/login?next=//evil.example")
        .body(Body::empty())
        .unwrap();
    let answer = house.pages.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    assert!(!String::from_utf8_lossy(&body).contains("evil"));
}

#[tokio::test]
async fn runs_are_found_shown_and_drawn() {
    let house = house().await;
    let param = |value: &str| {
        vec![Tag {
            key: "rate".into(),
            value: value.into(),
        }]
    };
    let run = house.run(param("0.1")).await;
    let other = house.run(param("0.2")).await;
    let (status, page) = house
        .open("/experiments/0?q=params.rate+%3D+%270.1%27")
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains(&run) && !page.contains(&other));
    let (status, page) = house.open("/experiments/0?q=metrics.loss+%3E%3E+1").await;
    assert!(
        status == StatusCode::OK && page.contains("role=\"alert\""),
        "{page}"
    );
    let (_, page) = house.open(&format!("/runs/{run}")).await;
    assert!(page.contains("data-key=\"loss\""), "{page}");
    let (_, curves) = house
        .open(&format!("/runs/{run}/curves?key=loss&key=none"))
        .await;
    assert!(
        curves.contains("\"steps\":[0,1,2,3,4]") && curves.contains("\"key\":\"none\""),
        "{curves}"
    );
    let (_, page) = house
        .open(&format!("/compare?run={run}&run={other}&run={run}"))
        .await;
    assert!(
        page.contains("Comparison<span class=\"count\">2") && page.contains("(differs)"),
        "{page}"
    );
    assert_eq!(house.open("/runs/nothing").await.0, StatusCode::NOT_FOUND);
    assert_eq!(
        house.open("/experiments/0?at=nonsense").await.0,
        StatusCode::OK
    );
}

#[tokio::test]
async fn files_stay_in_their_sandbox() {
    let house = house().await;
    let run = house.run(Vec::new()).await;
    let files = house
        .folder
        .path()
        .join("artifacts/0")
        .join(&run)
        .join("artifacts");
    std::fs::create_dir_all(files.join("sub")).unwrap();
    std::fs::write(files.join("page.html"), "<script>alert(1)</script>").unwrap();
    std::fs::write(files.join("sub/<b>.txt"), "<i>text</i>").unwrap();
    std::fs::write(house.folder.path().join("secret.txt"), "secret").unwrap();
    let request = Request::get(format!("/runs/{run}/file?path=page.html"))
        .body(Body::empty())
        .unwrap();
    let answer = house.ask(request).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let policy = answer.headers()["content-security-policy"]
        .to_str()
        .unwrap();
    assert!(
        policy.starts_with("sandbox; default-src 'none'"),
        "{policy}"
    );
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    let (_, page) = house
        .open(&format!("/runs/{run}/artifacts?path=page.html"))
        .await;
    assert!(
        page.contains("<iframe class=\"page\" sandbox=\"\"") && !page.contains("alert(1)"),
        "{page}"
    );
    let (_, page) = house
        .open(&format!("/runs/{run}/artifacts?path=sub/%3Cb%3E.txt"))
        .await;
    assert!(
        page.contains("&lt;i&gt;text&lt;/i&gt;") && !page.contains("<b>"),
        "{page}"
    );
    for path in [
        "../../../secret.txt",
        "..%2f..%2f..%2fsecret.txt",
        "%2e%2e/%2e%2e/%2e%2e/secret.txt",
        "/etc/passwd",
    ] {
        for view in ["artifacts", "file"] {
            let (status, page) = house.open(&format!("/runs/{run}/{view}?path={path}")).await;
            assert!(
                status.is_client_error() && !page.contains("secret\n"),
                "{view} {path}: {status}"
            );
        }
    }
}
