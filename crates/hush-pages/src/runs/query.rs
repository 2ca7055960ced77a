//! What is asked of the table of runs, as its address says it.

use crate::address::{self, Parameters};

/// Most earlier pages that an address remembers.
const TRAIL: usize = 8;
/// Most columns that are shown.
const COLUMNS: usize = 60;

/// A column that shows a metric, a parameter or a tag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    Metric(String),
    Parameter(String),
    Tag(String),
}

impl Column {
    /// `metrics.loss`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, key) = text.split_once('.')?;
        match kind {
            "metrics" => Some(Self::Metric(key.to_owned())),
            "params" => Some(Self::Parameter(key.to_owned())),
            "tags" => Some(Self::Tag(key.to_owned())),
            _ => None,
        }
    }

    pub(super) fn name(&self) -> String {
        match self {
            Self::Metric(key) => format!("metrics.{key}"),
            Self::Parameter(key) => format!("params.{key}"),
            Self::Tag(key) => format!("tags.{key}"),
        }
    }

    pub(super) fn key(&self) -> &str {
        match self {
            Self::Metric(key) | Self::Parameter(key) | Self::Tag(key) => key,
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self, Self::Metric(_))
    }
}

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Query {
    /// The experiment.
    pub(super) experiment: String,
    /// A filter in MLflow's grammar, or words of a run's name.
    pub(super) search: String,
    pub(super) deleted: bool,
    /// What rows are sorted by: `metrics.loss`, `start_time` …; by the start, newest first, if empty.
    pub(super) sort: String,
    pub(super) ascending: bool,
    /// Chosen columns; `None` if none were chosen yet.
    pub(super) columns: Option<Vec<Column>>,
    /// Token of the page, and those of the pages before it.
    pub(super) at: String,
    pub(super) trail: Vec<String>,
    /// Number of the page, from 1.
    pub(super) page: usize,
}

impl Query {
    pub(super) fn read(experiment: &str, address: &str) -> Self {
        let query = Parameters::of(address);
        let chosen = query.has("columns");
        let columns = query.all("column");
        let mut columns: Vec<Column> = columns
            .iter()
            .filter_map(|column| Column::parse(column))
            .take(COLUMNS)
            .collect();
        let mut seen = std::collections::BTreeSet::new();
        columns.retain(|column| seen.insert(column.clone()));
        Self {
            experiment: experiment.to_owned(),
            search: query.text("q").trim().to_owned(),
            deleted: query.text("view") == "deleted",
            sort: query.text("sort").to_owned(),
            ascending: query.text("direction") == "ascending",
            columns: (chosen || !columns.is_empty()).then_some(columns),
            at: query.text("at").to_owned(),
            trail: query
                .text("trail")
                .split('~')
                .filter(|token| !token.is_empty())
                .map(str::to_owned)
                .collect(),
            page: query.text("page").parse().unwrap_or(1).clamp(1, 1_000_000),
        }
    }

    /// The filter for the store.
    pub(super) fn filter(&self) -> String {
        let search = self.search.as_str();
        let lower = search.to_ascii_lowercase();
        let compares = search.contains(['=', '<', '>', '\'', '"'])
            || [" like ", " ilike ", " in ", " is "]
                .iter()
                .any(|word| lower.contains(word));
        match (search.is_empty(), compares) {
            (true, _) => String::new(),
            (false, true) => search.to_owned(),
            (false, false) => format!("attributes.run_name ILIKE '%{search}%'"),
        }
    }

    /// The order for the store.
    pub(super) fn order(&self) -> Vec<String> {
        let direction = if self.ascending { "ASC" } else { "DESC" };
        let quoted = |key: &str| key.replace('`', "``");
        let by = match Column::parse(&self.sort) {
            Some(Column::Metric(key)) => format!("metrics.`{}`", quoted(&key)),
            Some(Column::Parameter(key)) => format!("params.`{}`", quoted(&key)),
            Some(Column::Tag(key)) => format!("tags.`{}`", quoted(&key)),
            None if matches!(
                self.sort.as_str(),
                "run_name" | "status" | "user_id" | "end_time" | "start_time"
            ) =>
            {
                format!("attributes.{}", self.sort)
            }
            None => return Vec::new(),
        };
        vec![format!("{by} {direction}")]
    }

    /// The address of the same rows with something else changed.
    fn address(&self) -> String {
        let names: Vec<String> = self.columns.iter().flatten().map(Column::name).collect();
        let trail = self.trail.join("~");
        let page = if self.page > 1 {
            self.page.to_string()
        } else {
            String::new()
        };
        let mut parameters = vec![
            ("q", self.search.as_str()),
            ("view", if self.deleted { "deleted" } else { "" }),
            ("sort", self.sort.as_str()),
            ("direction", if self.ascending { "ascending" } else { "" }),
            (
                "columns",
                if self.columns.is_some() { "chosen" } else { "" },
            ),
            ("page", page.as_str()),
            ("at", self.at.as_str()),
            ("trail", trail.as_str()),
        ];
        parameters.extend(names.iter().map(|name| ("column", name.as_str())));
        address::link(&address::experiment(&self.experiment), parameters)
    }

    fn at_the_start(&self) -> Self {
        Self {
            at: String::new(),
            trail: Vec::new(),
            page: 1,
            ..self.clone()
        }
    }

    /// Sorted by a column; the other way round if it is sorted by it already.
    pub(super) fn sorted(&self, by: &str) -> String {
        // What is large or new matters first, names go by the alphabet.
        let first = !(by.starts_with("metrics.") || matches!(by, "start_time" | "end_time"));
        let ascending = if self.is_sorted_by(by) {
            !self.ascending
        } else {
            first
        };
        Self {
            sort: by.to_owned(),
            ascending,
            ..self.at_the_start()
        }
        .address()
    }

    pub(super) fn is_sorted_by(&self, by: &str) -> bool {
        self.sort == by || self.sort.is_empty() && by == "start_time"
    }

    pub(super) fn first(&self) -> String {
        self.at_the_start().address()
    }

    pub(super) fn next(&self, token: &str) -> String {
        let mut next = self.clone();
        let here = std::mem::replace(&mut next.at, token.to_owned());
        next.trail
            .push(if here.is_empty() { "-".into() } else { here });
        let surplus = next.trail.len().saturating_sub(TRAIL);
        next.trail.drain(..surplus);
        next.page += 1;
        next.address()
    }

    /// The page before, as long as the address remembers it.
    pub(super) fn previous(&self) -> Option<String> {
        let mut previous = self.clone();
        let token = previous.trail.pop()?;
        previous.at = if token == "-" { String::new() } else { token };
        previous.page = previous.page.saturating_sub(1).max(1);
        Some(previous.address())
    }

    /// The same page; what a form comes back to.
    pub(super) fn same(&self) -> String {
        self.address()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_back() {
        let address = "/experiments/3?q=metrics.loss+%3C+1&sort=metrics.val%2Floss&columns=chosen&page=2&at=T&trail=-\
                       &column=metrics.val%2Floss&column=params.a+b";
        let query = Query::read("3", address);
        assert_eq!(query.same(), address);
        assert_eq!(query.order(), ["metrics.`val/loss` DESC"]);
        assert_eq!(
            query.columns.as_ref().unwrap()[1],
            Column::Parameter("a b".into())
        );
    }

    #[test]
    fn pages_lead_back() {
        let first = Query::read("3", "/experiments/3");
        let second = Query::read("3", &first.next("B"));
        assert_eq!((second.at.as_str(), second.page), ("B", 2));
        let third = Query::read("3", &second.next("C"));
        assert_eq!(Query::read("3", &third.previous().unwrap()), second);
        assert_eq!(Query::read("3", &second.previous().unwrap()), first);
        assert_eq!(first.previous(), None);
    }

    #[test]
    fn sorting_turns_and_begins_anew() {
        let query = Query::read("3", "/experiments/3?at=T&page=4");
        let sorted = Query::read("3", &query.sorted("metrics.a`b"));
        assert_eq!((sorted.page, sorted.ascending), (1, false));
        assert_eq!(sorted.order(), ["metrics.`a``b` DESC"]);
        assert!(Query::read("3", &sorted.sorted("metrics.a`b")).ascending);
        assert!(Query::read("3", &query.sorted("start_time")).ascending);
        assert_eq!(
            Query::read("3", "/x?sort=evil;drop").order(),
            Vec::<String>::new()
        );
    }

    #[test]
    fn words_search_names() {
        let filter = |search: &str| {
            Query {
                search: search.into(),
                ..Query::default()
            }
            .filter()
        };
        assert_eq!(
            filter("swift-fox"),
            "attributes.run_name ILIKE '%swift-fox%'"
        );
        assert_eq!(filter("params.x LIKE 'a%'"), "params.x LIKE 'a%'");
    }
}
