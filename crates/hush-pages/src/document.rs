//! The frame around every page: title, navigation, keys.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::assets::{self, Asset};
use crate::visitor::{TOKEN_FIELD, Visitor};

/// htmx without anything that our policy forbids, and with answers that say what is wrong put in their place.
const HTMX: &str = r##"{"allowEval":false,"includeIndicatorStyles":false,"selfRequestsOnly":true,"allowScriptTags":false,"historyCacheSize":0,"refreshOnHistoryMiss":true,"scrollIntoViewOnBoost":false,"responseHandling":[{"code":"204","swap":false},{"code":"...","swap":true}]}"##;

/// The places that the navigation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Experiments,
    Models,
    Deployments,
    Keys,
}

const SECTIONS: [(Section, &str, &str, &str); 4] = [
    (Section::Experiments, "Experiments", "/experiments", "e"),
    (Section::Models, "Models", "/models", "m"),
    (Section::Deployments, "Deployments", "/deployments", "d"),
    (Section::Keys, "Keys", "/keys", "k"),
];

/// What a page says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    title: String,
    section: Option<Section>,
    /// Where the page lies: names and addresses, from the outside in.
    trail: Vec<(String, String)>,
    scripts: Vec<Asset>,
    styles: Vec<Asset>,
    wide: bool,
}

impl Frame {
    pub(crate) fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: None,
            trail: Vec::new(),
            scripts: Vec::new(),
            styles: Vec::new(),
            wide: false,
        }
    }

    pub(crate) fn section(mut self, section: Section) -> Self {
        self.section = Some(section);
        self
    }

    /// One more step of the way to the page.
    pub(crate) fn below(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.trail.push((name.into(), address.into()));
        self
    }

    /// Tables and plots take the whole width.
    pub(crate) fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// With what draws curves.
    pub(crate) fn plots(mut self, scripts: &[Asset]) -> Self {
        self.styles.push(Asset::UplotStyle);
        self.scripts.extend([Asset::Uplot, Asset::Charts]);
        self.scripts.extend(scripts);
        self
    }
}

/// The whole page.
pub(crate) fn document(visitor: &Visitor, frame: &Frame, body: Markup) -> Markup {
    let signed_in = visitor.caller.is_some();
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[visitor.theme] {
            head {
                meta charset="utf-8";
                title { (frame.title) " · HushML" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="htmx-config" content=(HTMX);
                link rel="icon" type="image/svg+xml" href=(assets::address(Asset::Icon));
                @for style in [Asset::Base, Asset::Parts, Asset::Plots].iter().chain(&frame.styles) {
                    link rel="stylesheet" href=(assets::address(*style));
                }
                @for script in [Asset::Application, Asset::Htmx].iter().chain(&frame.scripts) {
                    script defer src=(assets::address(*script)) {}
                }
            }
            body {
                a.skip href="#content" { "To the content" }
                header.top {
                    a.brand href="/experiments" aria-label="HushML, to the experiments" { (mark()) span { "HushML" } }
                    @if signed_in {
                        nav aria-label="Main" {
                            @for (section, name, address, key) in SECTIONS {
                                a href=(address) aria-current=[(frame.section == Some(section)).then_some("page")]
                                    data-go=(key) { (name) }
                            }
                        }
                    }
                    div.tools {
                        button.quiet.icon type="button" data-theme-switch aria-label="Switch between light and dark (t)" title="Light or dark (t)" { (sun()) }
                        button.quiet.icon type="button" data-help aria-label="Keys (?)" title="Keys (?)" { "?" }
                        @if visitor.session {
                            form method="post" action="/logout" {
                                (token(visitor))
                                button.quiet type="submit" { "Sign out" }
                            }
                        }
                    }
                }
                main #content .wide[frame.wide] tabindex="-1" {
                    @if !frame.trail.is_empty() {
                        nav.trail aria-label="Where this is" {
                            ol {
                                @for (name, address) in &frame.trail { li { a href=(address) { (name) } } }
                            }
                        }
                    }
                    (body)
                }
                (keys())
                div.toast role="status" aria-live="polite" hidden {}
            }
        }
    }
}

/// The hidden field that proves that a form is ours.
pub(crate) fn token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(TOKEN_FIELD) value=(visitor.token()); }
}

/// A line to copy.
pub(crate) fn command(text: &str) -> Markup {
    html! {
        div.command {
            code { (text) }
            button.quiet type="button" data-copy=(text) { "Copy" }
        }
    }
}

/// A few lines to copy.
pub(crate) fn code_block(text: &str) -> Markup {
    html! {
        div.command.block {
            pre { code { (text) } }
            button.quiet type="button" data-copy=(text) { "Copy" }
        }
    }
}

/// An identifier: short to read, whole to copy.
pub(crate) fn identifier(text: &str) -> Markup {
    html! {
        button.identifier type="button" data-copy=(text) title=(format!("Copy {text}")) {
            code { (crate::format::shorten(text, 13)) }
        }
    }
}

/// A label and what it stands for, as a tile.
pub(crate) fn fact(title: &str, value: Markup, note: Option<&str>) -> Markup {
    html! {
        div {
            dt { (title) }
            dd { strong { (value) } @if let Some(note) = note { span { (note) } } }
        }
    }
}

fn keys() -> Markup {
    const KEYS: [(&str, &str); 12] = [
        ("/", "search"),
        ("g e", "experiments"),
        ("g m", "models"),
        ("g d", "deployments"),
        ("g k", "keys"),
        ("j  k", "next and previous row"),
        ("Enter", "open the row"),
        ("x", "select the row"),
        ("c", "compare what is selected"),
        ("[  ]", "previous and next page"),
        ("t", "light or dark"),
        ("?", "this list"),
    ];
    html! {
        dialog #keys aria-labelledby="keys-title" {
            div.dialog-head {
                h2 #keys-title { "Keys" }
                form method="dialog" { button.quiet.icon aria-label="Close" { "×" } }
            }
            dl.keys {
                @for (key, meaning) in KEYS {
                    div { dt { @for part in key.split_whitespace() { kbd { (part) } } } dd { (meaning) } }
                }
            }
        }
    }
}

fn mark() -> Markup {
    PreEscaped(
        "<svg viewBox=\"0 0 24 24\" width=\"22\" height=\"22\" aria-hidden=\"true\"><path d=\"M4 12c2.2-5 4.6-5 6.8 0s4.6 5 6.8 0\" \
         fill=\"none\" stroke=\"currentColor\" stroke-width=\"2.4\" stroke-linecap=\"round\"/><circle cx=\"20\" cy=\"12\" r=\"1.8\" \
         fill=\"currentColor\"/></svg>"
            .into(),
    )
}

fn sun() -> Markup {
    PreEscaped(
        "<svg viewBox=\"0 0 24 24\" width=\"18\" height=\"18\" aria-hidden=\"true\"><circle cx=\"12\" cy=\"12\" r=\"8\" fill=\"none\" \
         stroke=\"currentColor\" stroke-width=\"2\"/><path d=\"M12 4a8 8 0 0 1 0 16z\" fill=\"currentColor\"/></svg>"
            .into(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_title_and_the_trail_are_text() {
        let frame = Frame::new("<b>")
            .below("</ol><script>", "/x\"onclick=\"y")
            .section(Section::Models);
        let page = document(&Visitor::for_tests(), &frame, html! { p { "hello" } }).into_string();
        assert!(page.contains("<title>&lt;b&gt; · HushML</title>"), "{page}");
        assert!(page.contains("&lt;/ol&gt;&lt;script&gt;"));
        assert!(page.contains("href=\"/x&quot;onclick=&quot;y\""));
        assert!(page.contains("href=\"/models\" aria-current=\"page\""));
    }

    #[test]
    fn pages_hold_no_script_and_no_style_of_their_own() {
        let page =
            document(&Visitor::for_tests(), &Frame::new("x").plots(&[]), html! {}).into_string();
        for script in page.split("<script").skip(1) {
            assert!(script.starts_with(" defer src=\"/assets/"), "{script}");
        }
        assert!(
            !page.contains("<style") && !page.contains(" style=") && !page.contains(" onclick")
        );
    }
}
