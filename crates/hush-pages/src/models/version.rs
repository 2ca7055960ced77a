//! One version of a model: its facts, how to use it, and for an encrypted one the compiler's report.

use hush_tracking::wire::{ModelVersion, Tag};
use maud::{Markup, html};
use serde_json::Value;

use super::report::{PREFIX, facts_of, report};
use crate::address;
use crate::document::{Frame, Section, code_block, document, fact, token};
use crate::format::{ago, number, shorten};
use crate::forms;
use crate::run::pairs;
use crate::visitor::Visitor;

const STAGES: [&str; 4] = ["None", "Staging", "Production", "Archived"];

pub(super) fn version(
    visitor: &Visitor,
    version: &ModelVersion,
    compiled: Option<&Value>,
    server: &str,
) -> Markup {
    let here = address::version(&version.name, &version.version);
    let facts = facts_of(&version.tags);
    let (about, other): (Vec<Tag>, Vec<Tag>) = version
        .tags
        .iter()
        .cloned()
        .partition(|tag| tag.key.starts_with(PREFIX));
    let frame = Frame::new(format!("{} version {}", version.name, version.version))
        .section(Section::Models)
        .below("Models", "/models")
        .below(&version.name, address::model(&version.name));
    let body = html! {
        div.head {
            h1 { (version.name) " " span.quiet { "version " (version.version) } }
            (menu(visitor, version, &here))
        }
        div.aliases {
            @for alias in &version.aliases {
                span.chip.alias {
                    "@" (alias)
                    (forms::remove_alias(visitor, &here, alias))
                }
            }
            @if version.current_stage != "None" { span.chip { (version.current_stage) } }
            @if version.status != "READY" { span.chip { (version.status) " " (shorten(&version.status_message, 80)) } }
        }
        @if !version.description.is_empty() { p.prose.note { (version.description) } }
        @if let Some(facts) = &facts { (facts.tiles()) }
        @match (compiled, &facts) {
            (Some(compiled), _) => { (report(compiled)) }
            (None, Some(_)) => {
                p.note { "The compiler's report is not among the version's files (" code { "report.json" } "), so the network is not drawn." }
            }
            _ => {}
        }
        section.panel {
            h2 { "Where it comes from" }
            dl.facts.slim {
                (fact("Registered", ago(version.creation_timestamp), (!version.user_id.is_empty()).then_some(version.user_id.as_str())))
                @if !version.run_id.is_empty() { (fact("Run", html! { a href=(address::run(&version.run_id)) { code { (shorten(&version.run_id, 13)) } } }, None)) }
                @if !version.model_id.is_empty() { (fact("Logged model", html! { a href=(address::logged_model(&version.model_id)) { code { (shorten(&version.model_id, 13)) } } }, None)) }
            }
            p.quiet { "Source " code { (version.source) } }
        }
        (usage(version, facts.is_some(), server))
        @if !version.model_metrics.is_empty() {
            section.panel { h2 { "Metrics" } table.pairs { tbody { @for metric in &version.model_metrics {
                tr { th scope="row" { (metric.key) } td.number { (number(metric.value)) } }
            } } } }
        }
        @if !version.model_params.is_empty() { section.panel { h2 { "Parameters" } (pairs(&version.model_params)) } }
        div.pair {
            @if !about.is_empty() { details.panel { summary { h2 { "Encryption in tags" span.count { (about.len()) } } } (pairs(&about)) } }
            section.panel {
                h2 { "Tags" }
                @if !other.is_empty() { (pairs(&other)) }
                (forms::tag(visitor, &here))
            }
        }
    };
    document(visitor, &frame, body)
}

fn usage(version: &ModelVersion, encrypted: bool, server: &str) -> Markup {
    let place = match version.aliases.first() {
        Some(alias) => format!("{}@{alias}", version.name),
        None => format!("{}/{}", version.name, version.version),
    };
    html! {
        section.panel {
            h2 { "Use it" }
            @if encrypted {
                p.quiet { "Serve it; the server follows the alias and swaps versions without dropping a request:" }
                (code_block(&format!("hush serve models:/{place}")))
                p.quiet { "Predict: data is encrypted here, computed on there, and decrypted here." }
            }
            (code_block(&format!("import mlflow\n\nmlflow.set_tracking_uri(\"{server}\")\nmodel = mlflow.pyfunc.load_model(\"models:/{place}\")\nmodel.predict(data)")))
        }
    }
}

fn menu(visitor: &Visitor, version: &ModelVersion, here: &str) -> Markup {
    forms::edit(html! {
        form.stack method="post" action=(here) {
            (token(visitor))
            label for="alias" { "Alias" }
            div.inline {
                input #alias name="alias" required maxlength="255" placeholder="production" autocomplete="off";
                button type="submit" name="do" value="alias" { "Set" }
            }
        }
        form.stack method="post" action=(here) {
            (token(visitor))
            label for="stage" { "Stage" }
            div.inline {
                select #stage name="stage" { @for stage in STAGES { option selected[stage == version.current_stage] { (stage) } } }
                button type="submit" name="do" value="stage" { "Move" }
            }
        }
        (forms::describe(visitor, here, &version.description))
        (forms::delete(visitor, here, "version", "Delete this version? This cannot be undone."))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::registered::tests::hostile_version;
    use serde_json::json;

    #[test]
    fn whatever_a_version_says_is_text() {
        let written =
            json!({"layers": [{"name": "</ol><script>alert(1)</script>", "operator": "input"}]});
        let page = self::version(
            &Visitor::for_tests(),
            &hostile_version(),
            Some(&written),
            "http://localhost",
        )
        .into_string();
        assert!(!page.contains("<script>alert"), "{page}");
        assert!(
            page.contains("href=\"/runs/%3Cscript%3Ealert%281%29%3C%2Fscript%3E%22%27\""),
            "{page}"
        );
    }

    #[test]
    fn an_encrypted_version_shows_its_facts() {
        let page = self::version(
            &Visitor::for_tests(),
            &hostile_version(),
            None,
            "http://localhost",
        )
        .into_string();
        assert!(
            page.contains("Evaluation keys")
                && page.contains("1.5 MB")
                && page.contains("is not among")
        );
    }
}
