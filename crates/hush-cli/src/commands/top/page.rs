//! A page in the text format of Prometheus.

use std::collections::{BTreeMap, BTreeSet};

/// One value with its labels.
#[derive(Clone, Debug, PartialEq)]
struct Sample {
    labels: BTreeMap<String, String>,
    value: f64,
}

/// What a server counted, by family.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page(BTreeMap<String, Vec<Sample>>);

impl Page {
    /// Reads what can be read; lines that nobody understands are left out.
    pub(crate) fn parse(text: &str) -> Self {
        let mut page = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some((name, sample)) = sample(line) {
                page.0.entry(name).or_default().push(sample);
            }
        }
        page
    }

    /// The sum of a family over everything that has these labels.
    pub(crate) fn sum(&self, family: &str, labels: &[(&str, &str)]) -> f64 {
        // The sum of nothing is -0 otherwise.
        self.of(family, labels)
            .fold(0.0, |sum, sample| sum + sample.value)
    }

    /// Values of a label that a family has.
    pub(crate) fn values(&self, family: &str, label: &str) -> BTreeSet<String> {
        let samples = self.of(family, &[]);
        samples
            .filter_map(|sample| sample.labels.get(label).cloned())
            .collect()
    }

    /// The buckets of a histogram: upper bounds, and how many were at most so long.
    pub(crate) fn buckets(&self, family: &str, labels: &[(&str, &str)]) -> Vec<(f64, f64)> {
        let samples = self
            .of(&format!("{family}_bucket"), labels)
            .cloned()
            .collect::<Vec<_>>();
        let bound = |sample: &Sample| match sample.labels.get("le")?.as_str() {
            "+Inf" => Some(f64::INFINITY),
            bound => bound.parse().ok(),
        };
        let pairs = samples
            .iter()
            .filter_map(|sample| Some((bound(sample)?, sample.value)));
        let mut buckets: Vec<_> = pairs.collect();
        buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        buckets
    }

    fn of(&self, family: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &Sample> {
        let samples = self.0.get(family).map(Vec::as_slice).unwrap_or_default();
        samples.iter().filter(move |sample| {
            let has = |(name, value): &(&str, &str)| {
                sample.labels.get(*name).is_some_and(|found| found == value)
            };
            labels.iter().all(has)
        })
    }
}

/// The value below which a share of what a histogram counted lies; `None` if it counted nothing.
pub(crate) fn quantile(buckets: &[(f64, f64)], share: f64) -> Option<f64> {
    let all = buckets.last()?.1;
    if all <= 0.0 {
        return None;
    }
    let wanted = share * all;
    let (mut lower, mut below) = (0.0, 0.0);
    for &(bound, count) in buckets {
        if count >= wanted && count > below {
            if bound.is_infinite() {
                return Some(lower);
            }
            return Some(lower + (bound - lower) * (wanted - below) / (count - below));
        }
        (lower, below) = (bound, count);
    }
    Some(lower)
}

fn sample(line: &str) -> Option<(String, Sample)> {
    let (named, value) = line.trim().rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let (name, labels) = match named.split_once('{') {
        None => (named, BTreeMap::new()),
        Some((name, labels)) => (name, self::labels(labels.strip_suffix('}')?)?),
    };
    Some((name.to_owned(), Sample { labels, value }))
}

/// `a="1",b="2"`, values with their escapes.
fn labels(mut text: &str) -> Option<BTreeMap<String, String>> {
    let mut labels = BTreeMap::new();
    while !text.is_empty() {
        let (name, rest) = text.split_once("=\"")?;
        let mut value = String::new();
        let mut characters = rest.char_indices();
        let end = loop {
            match characters.next()? {
                (at, '"') => break at,
                (_, '\\') => value.push(match characters.next()?.1 {
                    'n' => '\n',
                    other => other,
                }),
                (_, other) => value.push(other),
            }
        };
        // Names of models go to a terminal.
        value.retain(|c| !c.is_control());
        labels.insert(name.trim().to_owned(), value);
        text = rest[end + 1..].trim_start_matches([',', ' ']);
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP a Many\na{model=\"x\",outcome=\"answered\"} 3\na{model=\"y\\\"}\",outcome=\"busy\"} 4\n\
        b 1.5\nnot a sample\nh_bucket{le=\"0.1\"} 1\nh_bucket{le=\"0.2\"} 3\nh_bucket{le=\"+Inf\"} 4\n";

    #[test]
    fn pages_are_read() {
        let page = Page::parse(PAGE);
        assert_eq!(page.sum("a", &[]), 7.0);
        assert_eq!(page.sum("a", &[("outcome", "busy")]), 4.0);
        assert_eq!(page.sum("b", &[]), 1.5);
        assert_eq!(page.sum("missing", &[]), 0.0);
        let models = page.values("a", "model");
        assert_eq!(models.into_iter().collect::<Vec<_>>(), ["x", "y\"}"]);
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let buckets = Page::parse(PAGE).buckets("h", &[]);
        assert_eq!(buckets.len(), 3);
        let close = |share, expected: f64| {
            let found = quantile(&buckets, share).unwrap();
            assert!((found - expected).abs() < 1e-9, "{found}");
        };
        close(0.25, 0.1);
        close(0.5, 0.15);
        close(0.99, 0.2);
        assert_eq!(quantile(&[(0.1, 0.0), (f64::INFINITY, 0.0)], 0.5), None);
        assert_eq!(quantile(&[], 0.5), None);
    }

    #[test]
    fn damaged_lines_are_left_out() {
        for line in [
            "a{",
            "a{b} 1",
            "a{b=\"} 1",
            "a{b=\"c\\",
            "a x",
            "",
            "a{b=\"c\"}1",
        ] {
            assert_eq!(sample(line), None, "{line}");
        }
    }
}
