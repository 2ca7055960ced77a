//! A model as one page to look at: the network as a picture, then times, levels, activations and a table.
//!
//! The page stands alone: no script, no font, no image and no address outside of it; its content security policy
//! says so to the browser. Everything that comes from a model file goes through [`markup::escape`].
//!
//! Start at [`page`]; [`content`] says what is shown, [`picture`] draws the network.

mod content;
mod figures;
mod markup;
mod picture;
mod placement;
mod table;

pub(crate) use self::content::Content;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

use self::markup::escape;

/// What stands between the tags.
const STYLE: &str = concat!("\n", include_str!("page.css"));

/// The whole page.
pub(crate) fn page(content: &Content) -> String {
    let name = escape(&content.name);
    let sections = [
        section("time", "Where the time goes", &figures::times(content)),
        section(
            "activations",
            "Activations and their polynomials",
            &figures::activations(content),
        ),
        section("modulus", "The modulus", &figures::modulus(content)),
    ];
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{}'; img-src data:\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <link rel=\"icon\" href=\"data:,\">\n\
         <title>{name} · encrypted model</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <header><p class=\"kind\">Encrypted model</p><h1>{name}</h1>\n\
         <p class=\"identity\">program <code>{}</code></p>\n{}</header>\n\
         <main>\n<section class=\"network\" aria-labelledby=\"network\"><h2 id=\"network\">The network</h2>\n{}\
         <div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"The network as a picture\">\n{}</div></section>\n\
         <div class=\"beside\">\n{}</div>\n{}</main>\n\
         <footer><p>Made by <code>hush inspect --html</code>. It shows the structure of the model and its layouts, and no weight; \
         with calibrated ranges and node names it is still for its owner.</p></footer>\n\
         </body>\n</html>\n",
        STANDARD.encode(digest(&SHA256, STYLE.as_bytes())),
        escape(&content.program_id),
        facts(content),
        figures::legend(content),
        picture::picture(content),
        sections.concat(),
        section("table", "All layers in numbers", &table::table(content)),
    )
}

fn section(id: &str, title: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!(
        "<section class=\"{id}\" aria-labelledby=\"{id}\"><h2 id=\"{id}\">{title}</h2>\n{body}</section>\n"
    )
}

fn facts(content: &Content) -> String {
    let facts = content.facts.iter().map(|fact| {
        format!(
            "<div><dt>{}</dt><dd><strong>{}</strong><span>{}</span></dd></div>\n",
            escape(fact.title),
            escape(&fact.value),
            escape(&fact.note)
        )
    });
    format!("<dl class=\"facts\">\n{}</dl>\n", facts.collect::<String>())
}
