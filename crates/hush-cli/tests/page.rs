//! `hush inspect --html`: one file, whatever the model's names are.

mod sandbox;

use sandbox::{Sandbox, run_arguments, write_renamed_model};
use serde_json::json;

const INSPECT: [&str; 3] = ["inspect", "--html", "square.model"];

fn page_of(sandbox: &Sandbox, name: &str) -> String {
    String::from_utf8(sandbox.read(name)).unwrap()
}

/// Whether every element that is opened is closed in turn, and what attributes there are.
fn check_markup(page: &str) {
    const VOID: [&str; 3] = ["meta", "link", "!doctype"];
    let mut open: Vec<String> = Vec::new();
    // Styles hold no markup.
    let (before, rest) = page.split_once("<style>").unwrap();
    let (_, after) = rest.split_once("</style>").unwrap();
    for piece in format!("{before}{after}").split('<').skip(1) {
        let tag = piece.split_once('>').expect("every tag ends").0;
        let name: String = tag
            .chars()
            .take_while(|character| !character.is_whitespace())
            .collect();
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        assert!(!tag.contains(" on"), "an event handler: {tag}");
        if let Some(closed) = name.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed), "{tag}");
        } else if !VOID.contains(&name.as_str()) && !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert_eq!(open, [""; 0]);
}

#[test]
fn a_page_beside_the_model_or_where_it_is_asked_for() {
    let sandbox = Sandbox::with_model();
    let said = sandbox.succeed(&INSPECT);
    assert!(said.stdout.starts_with("square.html  "), "{}", said.stdout);
    let page = page_of(&sandbox, "square.html");
    check_markup(&page);
    for expected in [
        "<title>square",
        "128 bits",
        ">shift<",
        "level 1 → 0",
        "3 × 8", /* never there */
    ] {
        let there = page.contains(expected);
        assert_eq!(there, expected != "3 × 8", "{expected}");
    }
    let said = sandbox.succeed(&[&INSPECT[..], &["-o", "other.html", "--json"]].concat());
    let object: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(object["page"]["path"], "other.html");
    assert_eq!(page_of(&sandbox, "other.html"), page);
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let sandbox = Sandbox::with_model();
    sandbox.succeed(&INSPECT);
    let page = page_of(&sandbox, "square.html");
    for absent in [
        "http:", "https:", "<script", "<img", "@import", "url(h", "src=",
    ] {
        let absent = absent.replace("src=", " src=");
        assert!(!page.contains(&absent), "{absent}");
    }
    assert!(page.contains("default-src 'none'"));
    assert!(!page.contains("unsafe"));
    assert!(!page.contains(" style="), "the policy forbids these");
    for present in [
        "prefers-color-scheme: dark",
        "@media print",
        "lang=\"en\"",
        "width=device-width",
    ] {
        assert!(page.contains(present), "{present}");
    }
}

/// What a browser makes of the page; none if there is no Chromium here.
#[test]
fn browsers_take_the_style() {
    let sandbox = Sandbox::with_model();
    sandbox.succeed(&INSPECT);
    let page = page_of(&sandbox, "square.html");
    let chromium = ["chromium", "chromium-browser", "google-chrome"];
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let Some(browser) = std::env::split_paths(&folders)
        .flat_map(|folder| chromium.map(|name| folder.join(name)))
        .find(|path| path.exists())
    else {
        println!("skipped: there is no chromium on the PATH");
        return;
    };
    // How wide the body may be is in the style; what is measured is put where it can be read.
    let measured = |page: &str| {
        let script = "<script nonce=\"n\">document.title = getComputedStyle(document.body).maxWidth</script></body>";
        let page = page.replace("</body>", script).replace(
            "default-src 'none';",
            "default-src 'none'; script-src 'nonce-n';",
        );
        sandbox.write("measured.html", page.as_bytes());
        let profile = sandbox.path("profile");
        let output = std::process::Command::new(&browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(sandbox.path("measured.html"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = measured(&page);
    assert!(shown.contains("<title>1600px</title>"), "{shown}");
    let other = measured(&page.replace("max-width: 100rem", "max-width: 99rem"));
    assert!(other.contains("<title>none</title>"), "{other}");
}

#[test]
fn hostile_names_stay_text() {
    let sandbox = Sandbox::empty();
    let hostile = |name: &str| {
        format!("{name}<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&\u{202e}\u{0}")
    };
    let label = hostile("square");
    let report = json!({
        "layers": [{ "label": label, "name": hostile("n"), "operator": hostile("o"), "layout": hostile("l"),
                     "shape": [3, "<b>"], "noise": 1e-3, "activation": 0 }],
        "activations": [{ "node": hostile("a"), "function": hostile("f"), "degree": 3, "smallest": -1, "largest": 1,
                          "fit_error": "<i>", "curve": [[-2, 0, 0.1], [2, 1, 0.9], ["</svg>", 0, 0]] }],
        "predicted_error": "<u>", "precision": 1e-3,
    });
    write_renamed_model(&sandbox.path("square"), hostile, &report.to_string());
    sandbox.succeed(&INSPECT);
    let page = page_of(&sandbox, "square.html");
    check_markup(&page);
    for absent in ["<script", "<img", "<b>", "<i>", "<u>", "\u{202e}", "\u{0}"] {
        assert!(!page.contains(absent), "{absent:?}");
    }
    assert!(page.contains("square&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&gt;&lt;img"));
}

#[test]
fn measured_times_beside_predicted_ones() {
    let sandbox = Sandbox::with_ciphertexts();
    let run = run_arguments("square", "keys", "x.ct", "y.ct");
    let said = sandbox.succeed(&[&run[..], &["--timings", "times.json"]].concat());
    assert!(
        said.stdout.contains("times of the layers in `times.json`"),
        "{}",
        said.stdout
    );
    let times: serde_json::Value = serde_json::from_slice(&sandbox.read("times.json")).unwrap();
    let layers = times["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &layers[0]["label"]), (2, &json!("square")));
    let sum: f64 = layers
        .iter()
        .filter_map(|layer| layer["milliseconds"].as_f64())
        .sum();
    assert!(sum > 0.0 && sum <= times["milliseconds"]["run"].as_f64().unwrap());
    sandbox.succeed(&[&INSPECT[..], &["--timings", "times.json"]].concat());
    let page = page_of(&sandbox, "square.html");
    check_markup(&page);
    assert!(page.contains("<dt>Measured</dt>"));

    sandbox.write("none.json", b"{}");
    let error = sandbox.fail(&[&INSPECT[..], &["--timings", "none.json"]].concat());
    assert!(error.contains("it holds no times"), "{error}");
    sandbox::write_model(&sandbox.path("other"), 0.5);
    let error = sandbox.fail(&[
        "inspect",
        "--html",
        "other.model",
        "--timings",
        "times.json",
    ]);
    assert!(error.contains("another model"), "{error}");
}

#[test]
fn only_a_model_has_a_page() {
    let sandbox = Sandbox::with_ciphertexts();
    for file in [
        "square.client",
        "keys/evaluation.key",
        "x.ct",
        "x.npy",
        "nothing.model",
    ] {
        let error = sandbox.fail(&["inspect", "--html", file]);
        assert!(
            error.contains("hint:") || error.contains("cannot use"),
            "{file}: {error}"
        );
    }
    let said = sandbox.hush(&["inspect", "square.model", "-o", "page.html"]);
    assert_eq!(said.code, Some(2), "{}", said.stderr);
}
