//! Curves of metrics as JSON for the scripts that draw them: thinned so that a plot costs the same however long a run is.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use hush_tracking::wire::{Metric, RunStatus};
use serde_json::{Map, Value, json};

use crate::address::Parameters;
use crate::answer::{self, Failure, Result, or_failure};
use crate::format::number;
use crate::pages::Pages;
use crate::runs::took;
use crate::visitor::Visitor;

/// Values of a history that are read whole; of longer ones so many steps are sampled.
const WHOLE: usize = 20_000;
const SAMPLED: usize = 4_000;
/// Stretches of a curve that each keep their smallest and largest value.
const STRETCHES: usize = 400;
/// Metrics or runs that one request may ask for.
const MOST: usize = 40;

/// Curves of a run.
pub(crate) async fn of_run(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let query = Parameters::of(&visitor.address);
    let curves = async {
        let keys = query.all("key");
        if keys.len() > MOST {
            return Err(Failure::invalid(format!(
                "at most {MOST} metrics at a time"
            )));
        }
        let mut curves = Vec::with_capacity(keys.len());
        for key in &keys {
            let (history, whole) = history(&pages, &visitor, &id, key).await?;
            curves.push(curve("key", key, history, whole));
        }
        Ok(answer::json(&json!({ "curves": curves })))
    };
    or_failure(&visitor, curves.await)
}

/// Curves of one metric of several runs.
pub(crate) async fn of_runs(State(pages): State<Pages>, visitor: Visitor) -> Response<Body> {
    let query = Parameters::of(&visitor.address);
    let curves = async {
        let (runs, key) = (query.all("run"), query.text("key"));
        if runs.len() > MOST {
            return Err(Failure::invalid(format!("at most {MOST} runs at a time")));
        }
        let mut curves = Vec::with_capacity(runs.len());
        for run in &runs {
            let (history, whole) = history(&pages, &visitor, run, key).await?;
            curves.push(curve("run", run, history, whole));
        }
        Ok(answer::json(&json!({ "curves": curves })))
    };
    or_failure(&visitor, curves.await)
}

async fn history(
    pages: &Pages,
    visitor: &Visitor,
    run: &str,
    key: &str,
) -> Result<(Vec<Metric>, bool)> {
    let (tracking, caller) = (pages.tracking(), visitor.caller()?);
    let page = tracking
        .metric_history(caller, run, key, Some(WHOLE), None)
        .await?;
    if page.next.is_none() {
        return Ok((page.items, true));
    }
    let sampled = tracking
        .metric_history_sampled(caller, &[run.to_owned()], key, None, SAMPLED)
        .await?;
    Ok((sampled, false))
}

/// Whether a metric has more than one value.
pub(crate) async fn is_curve(
    pages: &Pages,
    visitor: &Visitor,
    run: &str,
    metric: &Metric,
) -> Result<bool> {
    if metric.step != 0 {
        return Ok(true);
    }
    let page = pages
        .tracking()
        .metric_history(visitor.caller()?, run, &metric.key, Some(2), None)
        .await?;
    Ok(page.items.len() > 1)
}

fn curve(name: &str, of: &str, mut history: Vec<Metric>, whole: bool) -> Value {
    history.sort_by_key(|metric| (metric.step, metric.timestamp));
    let total = history.len();
    let kept = thinned(&history);
    let steps: Vec<i64> = kept.iter().map(|metric| metric.step).collect();
    let times: Vec<i64> = kept.iter().map(|metric| metric.timestamp).collect();
    // What is no number becomes null: a gap.
    let values: Vec<f64> = kept.iter().map(|metric| metric.value).collect();
    json!({ name: of, "steps": steps, "times": times, "values": values, "count": total, "whole": whole && kept.len() == total })
}

/// The first and last value, and of each stretch between the smallest and largest: peaks stay where they are.
fn thinned(history: &[Metric]) -> Vec<&Metric> {
    if history.len() <= 2 * STRETCHES {
        return history.iter().collect();
    }
    let last = history.len() - 1;
    let mut kept = vec![0];
    for stretch in 0..STRETCHES {
        let place = |index: usize| 1 + index * (last - 1) / STRETCHES;
        let range = place(stretch)..place(stretch + 1);
        let numbers = range.filter(|&index| history[index].value.is_finite());
        let (mut least, mut most) = (None, None);
        for index in numbers {
            let value = history[index].value;
            if least.is_none_or(|other: usize| value < history[other].value) {
                least = Some(index);
            }
            if most.is_none_or(|other: usize| value > history[other].value) {
                most = Some(index);
            }
        }
        let mut both: Vec<usize> = least.into_iter().chain(most).collect();
        both.sort_unstable();
        both.dedup();
        kept.extend(both);
    }
    kept.push(last);
    kept.into_iter().map(|index| &history[index]).collect()
}

/// How a run goes: what a page that shows it asks every few seconds.
pub(crate) async fn pulse(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let pulse = async {
        let run = pages.tracking().run(visitor.caller()?, &id).await?;
        let metrics = run.data.metrics.iter();
        let metrics: Map<String, Value> = metrics
            .map(|metric| {
                (
                    metric.key.clone(),
                    json!([number(metric.value), metric.step, metric.timestamp]),
                )
            })
            .collect();
        let running = run.info.status == RunStatus::Running;
        Ok(answer::json(
            &json!({ "running": running, "took": took(&run), "metrics": metrics }),
        ))
    };
    or_failure(&visitor, pulse.await)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(values: impl IntoIterator<Item = f64>) -> Vec<Metric> {
        let metric = |(step, value)| Metric::new("m", value, 0, step);
        (0..).zip(values).map(metric).collect()
    }

    #[test]
    fn peaks_survive() {
        let mut values = vec![1.0; 10_000];
        (values[4_321], values[8_765], values[5]) = (99.0, -99.0, f64::NAN);
        let history = history(values);
        let kept = thinned(&history);
        assert!(kept.len() <= 2 * STRETCHES + 2, "{}", kept.len());
        let steps: Vec<i64> = kept.iter().map(|metric| metric.step).collect();
        assert!(steps.contains(&4_321) && steps.contains(&8_765) && !steps.contains(&5));
        assert!((steps[0], steps[steps.len() - 1]) == (0, 9_999) && steps.is_sorted());
    }

    #[test]
    fn short_curves_stay_as_they_are() {
        let history = history([3.0, f64::NAN, 1.0]);
        let written = curve("key", "m", history, true);
        assert_eq!(written["steps"], json!([0, 1, 2]));
        assert_eq!(written["values"], json!([3.0, null, 1.0]));
        assert_eq!(
            (&written["whole"], &written["count"]),
            (&json!(true), &json!(3))
        );
    }
}
