//! Forms and controls that several pages have. Each form sends what to `do` to the page that it stands on.

use maud::{Markup, html};

use crate::document::token;
use crate::visitor::Visitor;

/// A button that opens the forms by which a thing is changed.
pub(crate) fn edit(forms: Markup) -> Markup {
    html! {
        details.popover.right {
            summary.button { "Edit" }
            div.stack { (forms) }
        }
    }
}

/// Another name, of so many characters at most.
pub(crate) fn rename(visitor: &Visitor, here: &str, name: &str, longest: usize) -> Markup {
    html! {
        form.stack method="post" action=(here) {
            (token(visitor))
            label for="name" { "Name" }
            input #name name="name" value=(name) required maxlength=(longest) autocomplete="off";
            button type="submit" name="do" value="rename" { "Rename" }
        }
    }
}

/// Another description.
pub(crate) fn describe(visitor: &Visitor, here: &str, description: &str) -> Markup {
    html! {
        form.stack method="post" action=(here) {
            (token(visitor))
            label for="description" { "Description" }
            textarea #description name="description" rows="4" maxlength="5000" { (description) }
            button type="submit" name="do" value="describe" { "Save" }
        }
    }
}

/// Deletes a thing of some kind, after a question.
pub(crate) fn delete(visitor: &Visitor, here: &str, kind: &str, question: &str) -> Markup {
    html! {
        form method="post" action=(here) data-confirm=(question) {
            (token(visitor))
            button.danger.block type="submit" name="do" value="delete" { "Delete " (kind) }
        }
    }
}

/// Brings back what was deleted.
pub(crate) fn restore(visitor: &Visitor, here: &str) -> Markup {
    html! {
        form method="post" action=(here) {
            (token(visitor))
            button.primary.block type="submit" name="do" value="restore" { "Restore" }
        }
    }
}

/// One more tag.
pub(crate) fn tag(visitor: &Visitor, here: &str) -> Markup {
    html! {
        form.inline method="post" action=(here) {
            (token(visitor))
            input name="key" required maxlength="250" placeholder="name" aria-label="Name of the tag" autocomplete="off";
            input name="value" maxlength="5000" placeholder="value" aria-label="Value of the tag" autocomplete="off";
            button type="submit" name="do" value="tag" { "Set" }
        }
    }
}

/// Takes an alias away.
pub(crate) fn remove_alias(visitor: &Visitor, here: &str, alias: &str) -> Markup {
    html! {
        form.inline method="post" action=(here) {
            (token(visitor))
            input type="hidden" name="alias" value=(alias);
            button.remove type="submit" name="do" value="delete-alias" aria-label=(format!("Remove the alias {alias}")) { "×" }
        }
    }
}

/// Whether what is there or what was deleted is searched.
pub(crate) fn view(deleted: bool) -> Markup {
    html! {
        div.choice role="group" aria-label="Which" {
            label { input type="radio" name="view" value="" checked[!deleted]; span { "Active" } }
            label { input type="radio" name="view" value="deleted" checked[deleted]; span { "Deleted" } }
        }
    }
}

/// How curves are drawn.
pub(crate) fn drawing() -> Markup {
    html! {
        label { "Against " select data-axis { option value="steps" { "step" } option value="elapsed" { "time since the start" } option value="times" { "clock" } } }
        label { "Smooth " input type="range" min="0" max="0.99" step="0.01" value="0" data-smooth; }
        label { input type="checkbox" data-logarithmic; " log scale" }
    }
}
