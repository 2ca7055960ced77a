//! All models, and one with its versions.

use hush_tracking::wire::{ModelVersion, Page, RegisteredModel};
use maud::{Markup, html};

use super::report::facts_of;
use crate::address::{self, link};
use crate::document::{Frame, Section, code_block, command, document, token};
use crate::format::{ago, shorten};
use crate::forms;
use crate::run::pairs;
use crate::visitor::Visitor;

pub(super) fn list(
    visitor: &Visitor,
    search: &str,
    found: Result<&Page<RegisteredModel>, &str>,
    server: &str,
) -> Markup {
    let body = html! {
        div.head {
            h1 { "Models" }
            details.popover.right {
                summary.button.primary { "New model" }
                form.stack method="post" action="/models" {
                    (token(visitor))
                    label for="name" { "Name" }
                    input #name name="name" required maxlength="256" autocomplete="off" placeholder="cancer";
                    label for="description" { "Description" }
                    textarea #description name="description" rows="3" maxlength="5000" {}
                    button.primary type="submit" { "Create" }
                }
            }
        }
        form.bar method="get" action="/models" role="search"
            hx-get="/models" hx-target="#found" hx-select="#found" hx-swap="outerHTML" hx-push-url="true"
            hx-trigger="input changed delay:250ms from:#search, submit" {
            input #search.search type="search" name="q" value=(search) placeholder="Search by name, or tags.task = 'diagnosis'"
                aria-label="Search models" autocomplete="off" spellcheck="false" data-search;
            noscript { button type="submit" { "Search" } }
        }
        div #found {
            @match found {
                Err(problem) => { p.problem role="alert" { (problem) } }
                Ok(page) if page.items.is_empty() && search.is_empty() => { (begin(server)) }
                Ok(page) if page.items.is_empty() => { div.empty { h2 { "No model has such a name" } p { a href="/models" { "Show all" } } } }
                Ok(page) => { (rows(page, search)) }
            }
        }
    };
    document(
        visitor,
        &Frame::new("Models").section(Section::Models),
        body,
    )
}

fn rows(page: &Page<RegisteredModel>, search: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Models" {
            table.rows data-rows {
                thead { tr {
                    th scope="col" { "Name" } th.number scope="col" { "Newest" } th scope="col" { "Aliases" } th scope="col" { "Encrypted" } th scope="col" { "Updated" }
                } }
                tbody { @for model in &page.items { (row(model)) } }
            }
        }
        nav.pager aria-label="Pages" {
            @if let Some(next) = &page.next { a.button rel="next" data-next href=(link("/models", [("q", search), ("at", next.as_str())])) { "Next page" } }
        }
    }
}

fn row(model: &RegisteredModel) -> Markup {
    let number = |version: &&ModelVersion| version.version.parse::<u64>().unwrap_or(0);
    let newest = model.latest_versions.iter().max_by_key(number);
    html! {
        tr {
            th scope="row" { a href=(address::model(&model.name)) { (model.name) }
                @if !model.description.is_empty() { div.quiet.small { (shorten(&model.description, 90)) } } }
            td.number { @if let Some(newest) = newest { a href=(address::version(&model.name, &newest.version)) { (newest.version) } } }
            td { @for alias in model.aliases.iter().take(6) {
                a.chip.alias href=(address::version(&model.name, &alias.version)) { "@" (shorten(&alias.alias, 24)) span.quiet { " " (alias.version) } }
            } }
            td { @if let Some(facts) = newest.and_then(|newest| facts_of(&newest.tags)) { (facts.line()) } @else { span.quiet { "–" } } }
            td { (ago(model.last_updated_timestamp)) }
        }
    }
}

fn begin(server: &str) -> Markup {
    html! {
        div.empty { h2 { "No models yet" } p { "A model that is registered appears here with its versions and, if it is encrypted, its report." } }
        section.panel.begin aria-labelledby="begin" {
            h2 #begin { "Register a first model" }
            (command(&format!("export MLFLOW_TRACKING_URI={server}")))
            p { "An encrypted model, from the command line:" }
            (code_block("hush compile model.onnx --calibration data.npz -o cancer\nhush register cancer.model --name cancer"))
            p { "or any model, from Python:" }
            (code_block("import mlflow, mlflow.sklearn\n\nwith mlflow.start_run():\n    mlflow.sklearn.log_model(model, name=\"model\", registered_model_name=\"cancer\")"))
        }
    }
}

pub(super) fn model(
    visitor: &Visitor,
    model: &RegisteredModel,
    versions: &Page<ModelVersion>,
    server: &str,
) -> Markup {
    let here = address::model(&model.name);
    let encrypted = versions
        .items
        .iter()
        .any(|version| facts_of(&version.tags).is_some());
    let body = html! {
        div.head {
            h1 { (model.name) }
            (menu(visitor, model, &here))
        }
        @if !model.description.is_empty() { p.prose.note { (model.description) } }
        @if !model.aliases.is_empty() {
            div.aliases { @for alias in &model.aliases {
                span.chip.alias {
                    a href=(address::version(&model.name, &alias.version)) { "@" (alias.alias) " → version " (alias.version) }
                    (forms::remove_alias(visitor, &here, &alias.alias))
                }
            } }
        }
        @if versions.items.is_empty() {
            div.empty { h2 { "No versions yet" } (code_block(&format!("export MLFLOW_TRACKING_URI={server}\nhush register NAME.model --name {}", model.name))) }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Versions" {
                table.rows data-rows {
                    thead { tr {
                        th scope="col" { "Version" } th scope="col" { "Aliases" } th scope="col" { "Stage" }
                        @if encrypted { th.number scope="col" { "Security" } th.number scope="col" { "Error" } th.number scope="col" { "Latency" } th.number scope="col" { "Keys" } }
                        th scope="col" { "Run" } th scope="col" { "Created" }
                    } }
                    tbody { @for version in &versions.items { (version_row(version, encrypted)) } }
                }
            }
            @if versions.next.is_some() { p.note { "The newest " (super::VERSIONS) " versions." } }
            details.how {
                summary { "How to use it" }
                @if encrypted { (code_block(&format!("hush serve models:/{}@production", model.name))) }
                (code_block(&format!("import mlflow\n\nmlflow.set_tracking_uri(\"{server}\")\nmodel = mlflow.pyfunc.load_model(\"models:/{}/{}\")\nmodel.predict(data)", model.name, versions.items[0].version)))
            }
        }
        @if !model.tags.is_empty() { section.panel { h2 { "Tags" } (pairs(&model.tags)) } }
    };
    document(
        visitor,
        &Frame::new(&model.name)
            .section(Section::Models)
            .below("Models", "/models"),
        body,
    )
}

fn version_row(version: &ModelVersion, encrypted: bool) -> Markup {
    let facts = facts_of(&version.tags);
    html! {
        tr {
            th scope="row" { a href=(address::version(&version.name, &version.version)) { "Version " (version.version) }
                @if version.status != "READY" { " " span.chip { (version.status) } }
                @if !version.description.is_empty() { div.quiet.small { (shorten(&version.description, 80)) } } }
            td { @for alias in &version.aliases { span.chip.alias { "@" (alias) } } }
            td { @if version.current_stage == "None" { span.quiet { "–" } } @else { span.chip { (version.current_stage) } } }
            @if encrypted {
                @match &facts {
                    Some(facts) => {
                        td.number { (facts.security()) } td.number { (facts.error()) } td.number { (facts.latency()) } td.number { (facts.key_bytes()) }
                    }
                    None => { td.number.quiet colspan="4" { "not encrypted" } }
                }
            }
            td { @if version.run_id.is_empty() { span.quiet { "–" } } @else { a href=(address::run(&version.run_id)) { code { (shorten(&version.run_id, 9)) } } } }
            td { (ago(version.creation_timestamp)) }
        }
    }
}

fn menu(visitor: &Visitor, model: &RegisteredModel, here: &str) -> Markup {
    let question = "Delete this model and all its versions? This cannot be undone.";
    forms::edit(html! {
        (forms::describe(visitor, here, &model.description))
        form.stack method="post" action=(here) {
            (token(visitor))
            label for="alias" { "Alias" }
            div.inline {
                input #alias name="alias" required maxlength="255" placeholder="production" autocomplete="off";
                input name="version" required inputmode="numeric" pattern="[0-9]+" placeholder="version" aria-label="Version" size="6";
                button type="submit" name="do" value="alias" { "Set" }
            }
        }
        (forms::rename(visitor, here, &model.name, 256))
        (forms::delete(visitor, here, "model", question))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use hush_tracking::wire::{Alias, Tag};

    const HOSTILE: &str = "<script>alert(1)</script>\"'";

    pub(in crate::models) fn hostile_version() -> ModelVersion {
        ModelVersion {
            name: HOSTILE.into(),
            version: "2".into(),
            creation_timestamp: 1,
            last_updated_timestamp: 1,
            user_id: HOSTILE.into(),
            current_stage: HOSTILE.into(),
            description: HOSTILE.into(),
            source: HOSTILE.into(),
            run_id: HOSTILE.into(),
            status: HOSTILE.into(),
            status_message: HOSTILE.into(),
            tags: vec![
                Tag {
                    key: "hush.security_bits".into(),
                    value: HOSTILE.into(),
                },
                Tag {
                    key: "hush.key_bytes".into(),
                    value: "1500000".into(),
                },
                Tag {
                    key: HOSTILE.into(),
                    value: HOSTILE.into(),
                },
            ],
            run_link: HOSTILE.into(),
            aliases: vec![HOSTILE.into()],
            model_id: HOSTILE.into(),
            model_params: Vec::new(),
            model_metrics: Vec::new(),
        }
    }

    #[test]
    fn whatever_is_registered_is_text() {
        let version = hostile_version();
        let registered = RegisteredModel {
            name: HOSTILE.into(),
            creation_timestamp: 1,
            last_updated_timestamp: 1,
            description: HOSTILE.into(),
            latest_versions: vec![version.clone()],
            tags: vec![Tag {
                key: HOSTILE.into(),
                value: HOSTILE.into(),
            }],
            aliases: vec![Alias {
                alias: HOSTILE.into(),
                version: "2".into(),
            }],
        };
        let versions = Page {
            items: vec![version],
            next: None,
        };
        let visitor = Visitor::for_tests();
        let page = model(&visitor, &registered, &versions, "http://localhost").into_string();
        assert!(
            !page.contains("<script>alert") && page.contains("1.5 MB"),
            "{page}"
        );
        let found = Page {
            items: vec![registered],
            next: None,
        };
        let page = list(&visitor, HOSTILE, Ok(&found), "http://localhost").into_string();
        assert!(!page.contains("<script>alert"), "{page}");
    }
}
