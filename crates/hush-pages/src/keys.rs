//! Evaluation keys: whose they are, how large, until when. Secret keys never reach a server.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use hush_serving::{KeyState, KeyStatus, Role};
use maud::{Markup, html};

use crate::answer::{self, Failure, or_failure, see};
use crate::document::{Frame, Section, code_block, document, identifier, token};
use crate::experiments::server;
use crate::format::{ago, bytes, grouped, milliseconds, shorten};
use crate::pages::Pages;
use crate::visitor::{Submitted, Visitor};

/// Keys that are shown.
const SHOWN: usize = 1000;

/// The page.
pub(crate) async fn page(
    State(pages): State<Pages>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response<Body> {
    let shown = async {
        visitor.caller()?;
        let server = server(&pages, &headers);
        let (Some(service), Some(identity)) = (pages.service(), &visitor.identity) else {
            return Ok(render(&visitor, None, &server));
        };
        if !identity.has(Role::UploadKeys) {
            return Err(Failure::new(
                StatusCode::FORBIDDEN,
                "your account may not upload keys, so it has none",
            ));
        }
        let mut keys = service.keys().list(identity).await?;
        keys.sort_by_key(|key| std::cmp::Reverse(key.created));
        Ok(render(&visitor, Some(&keys), &server))
    };
    answer::shown(&visitor, shown.await)
}

fn render(visitor: &Visitor, keys: Option<&[KeyStatus]>, server: &str) -> Markup {
    let frame = Frame::new("Keys").section(Section::Keys);
    let body = html! {
        div.head { h1 { "Keys" } }
        p.prose.note { "Evaluation keys let this server compute on ciphertexts. They cannot decrypt: the secret keys stay with their owners." }
        @match keys {
            None => { (not_serving()) }
            Some([]) => {
                div.empty {
                    h2 { "No evaluation keys" }
                    p { "A data owner makes keys for a model and uploads the evaluation key with the first prediction:" }
                    (code_block(&format!("hush predict --server {server} --model NAME --input x.npy -o y.npy")))
                }
            }
            Some(keys) => { (table(visitor, keys)) }
        }
    };
    document(visitor, &frame, body)
}

/// What to do when this process serves no model.
pub(crate) fn not_serving() -> Markup {
    html! {
        div.empty {
            h2 { "This server serves no models" }
            p { "Start it with a folder of encrypted models, or with a version of the registry:" }
            (code_block("hush server --models ./models\nhush serve models:/cancer@production"))
        }
    }
}

fn table(visitor: &Visitor, keys: &[KeyStatus]) -> Markup {
    let total: u64 = keys.iter().map(|key| key.offset).sum();
    html! {
        p.quiet { (grouped(keys.len() as u64)) " keys, " (bytes(total)) }
        div.scroll tabindex="0" role="region" aria-label="Evaluation keys" {
            table.rows data-rows {
                thead { tr {
                    th scope="col" { "Key" } th scope="col" { "Owner" } th scope="col" { "State" } th.number scope="col" { "Size" }
                    th scope="col" { "Parameters" } th scope="col" { "Created" } th scope="col" { "Expires" } th scope="col" { span.unseen { "Delete" } }
                } }
                tbody { @for key in keys.iter().take(SHOWN) { (row(visitor, key)) } }
            }
        }
        @if keys.len() > SHOWN { p.note { "The newest " (SHOWN) " of them." } }
    }
}

fn row(visitor: &Visitor, key: &KeyStatus) -> Markup {
    html! {
        tr {
            th scope="row" { (identifier(&key.id)) }
            td { (key.owner) }
            td {
                @match key.state {
                    KeyState::Complete => { span.status.finished { "complete" } }
                    KeyState::Uploading => { span.status.running { (percent(key.offset, key.total)) } }
                }
            }
            td.number { (bytes(key.total)) }
            td {
                @if key.log_degree > 0 { "N = " (grouped(1 << key.log_degree.min(63))) " " }
                code.quiet title=(key.parameters) { (shorten(&key.parameters, 9)) }
            }
            td { (ago(milliseconds(key.created))) }
            td { @match key.expires { Some(expires) => { (ago(milliseconds(expires))) } None => { span.quiet { "never" } } } }
            td {
                form method="post" action="/keys" data-confirm="Delete this key? Its owner has to upload it again." {
                    (token(visitor))
                    input type="hidden" name="id" value=(key.id);
                    button.quiet.danger type="submit" aria-label=(format!("Delete key {}", key.id)) { "Delete" }
                }
            }
        }
    }
}

fn percent(part: u64, whole: u64) -> String {
    format!(
        "{:.0} % uploaded",
        100.0 * part as f64 / whole.max(1) as f64
    )
}

/// Deletes a key of the visitor's.
pub(crate) async fn delete(State(pages): State<Pages>, form: Submitted) -> Response<Body> {
    let deleted = async {
        let (Some(service), Some(identity)) = (pages.service(), &form.visitor.identity) else {
            return Err(Failure::missing(
                "this server serves no models, so it has no keys",
            ));
        };
        service
            .keys()
            .delete(identity, form.fields.text("id"))
            .await?;
        Ok(see("/keys"))
    };
    or_failure(&form.visitor, deleted.await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn owners_are_text() {
        let key = KeyStatus {
            id: "ab".repeat(16),
            state: KeyState::Uploading,
            offset: 50,
            total: 200,
            owner: "<b>eve</b>".into(),
            created: UNIX_EPOCH,
            expires: None,
            parameters: "\"><i>".into(),
            log_degree: 14,
            digest: String::new(),
        };
        let page = render(&Visitor::for_tests(), Some(&[key]), "http://localhost").into_string();
        assert!(
            page.contains("&lt;b&gt;eve&lt;/b&gt;")
                && page.contains("25 % uploaded")
                && page.contains("N = 16\u{202f}384")
        );
        assert!(!page.contains("<i>"));
    }
}
