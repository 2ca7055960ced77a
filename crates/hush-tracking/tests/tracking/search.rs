//! Searches against a plain model of what they mean.

use hush_tracking::wire::{Metric, Tag, View};
use hush_tracking::{Caller, LogBatch, NewRun};

use crate::support::Store;

fn random(limit: u64) -> u64 {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).unwrap();
    u64::from_le_bytes(bytes) % limit
}

#[derive(Clone, Debug)]
struct Row {
    name: String,
    start: i64,
    metric: Option<f64>,
    param: Option<String>,
    id: String,
}

async fn fill(store: &Store) -> Vec<Row> {
    let mut rows = Vec::new();
    for index in 0..40 {
        let start = random(10) as i64;
        let new = NewRun {
            experiment_id: "0".into(),
            name: format!("run{index}"),
            start_time: Some(start),
            ..NewRun::default()
        };
        let caller = Caller::local();
        let id = store
            .tracking
            .create_run(&caller, new)
            .await
            .unwrap()
            .info
            .run_id;
        let metric = match random(5) {
            0 => None,
            1 => Some(f64::NAN),
            other => Some(other as f64 / 2.0),
        };
        let param = (random(4) > 0).then(|| format!("P{}", random(4)));
        let batch = LogBatch {
            metrics: metric
                .map(|value| Metric::new("m", value, 1, 0))
                .into_iter()
                .collect(),
            params: param
                .iter()
                .map(|value| Tag {
                    key: "a b".into(),
                    value: value.clone(),
                })
                .collect(),
            tags: Vec::new(),
        };
        store.tracking.log_batch(&caller, &id, batch).await.unwrap();
        rows.push(Row {
            name: format!("run{index}"),
            start,
            metric,
            param,
            id,
        });
    }
    println!("{rows:?}");
    rows
}

/// All pages of a search.
async fn found(store: &Store, filter: &str, order: &[&str], size: usize) -> Vec<String> {
    let order: Vec<String> = order.iter().map(|text| (*text).to_owned()).collect();
    let mut names = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let page = store
            .tracking
            .search_runs(
                &Caller::local(),
                &["0".into()],
                View::Active,
                filter,
                &order,
                size,
                token.as_deref(),
            )
            .await
            .unwrap();
        assert!(page.items.len() <= size);
        names.extend(page.items.into_iter().map(|run| run.info.run_name));
        token = page.next;
        if token.is_none() {
            return names;
        }
    }
}

/// Numbers in their direction, then no numbers, then nothing.
fn metric_place(row: &Row, ascending: bool) -> (u8, i64) {
    match row.metric {
        None => (2, 0),
        Some(value) if value.is_nan() => (1, 0),
        Some(value) => (0, (value * if ascending { 2.0 } else { -2.0 }) as i64),
    }
}

#[tokio::test]
async fn filters_orders_and_pages_are_those_of_the_model() {
    for store in Store::each().await {
        let rows = fill(&store).await;
        let expected = |keep: &dyn Fn(&Row) -> bool, place: &dyn Fn(&Row) -> (u8, i64)| {
            let mut kept: Vec<&Row> = rows.iter().filter(|row| keep(row)).collect();
            kept.sort_by_key(|row| (place(row), -row.start, row.id.clone()));
            kept.iter().map(|row| row.name.clone()).collect::<Vec<_>>()
        };
        let none = |_: &Row| (0, 0);
        for size in [1, 7, 1000] {
            assert_eq!(
                found(&store, "", &[], size).await,
                expected(&|_| true, &none)
            );
            for ascending in [true, false] {
                let order = if ascending {
                    "metrics.m ASC"
                } else {
                    "metrics.m DESC"
                };
                let place = |row: &Row| metric_place(row, ascending);
                assert_eq!(
                    found(&store, "", &[order], size).await,
                    expected(&|_| true, &place),
                    "{order} by {size}"
                );
                let above = |row: &Row| row.metric.is_some_and(|value| value >= 1.5);
                assert_eq!(
                    found(&store, "metrics.m >= 1.5", &[order], size).await,
                    expected(&above, &place)
                );
            }
            let is = |row: &Row| row.param.as_deref() == Some("P1");
            assert_eq!(
                found(&store, "params.`a b` = 'P1'", &[], size).await,
                expected(&is, &none)
            );
            let other = |row: &Row| row.param.as_deref().is_some_and(|value| value != "P1");
            assert_eq!(
                found(&store, "params.\"a b\" != 'P1'", &[], size).await,
                expected(&other, &none)
            );
            let without = |row: &Row| row.param.is_none();
            assert_eq!(
                found(&store, "params.`a b` IS NULL", &[], size).await,
                expected(&without, &none)
            );
            let both = |row: &Row| row.param.is_some() && row.start > 4;
            assert_eq!(
                found(
                    &store,
                    "params.`a b` ILIKE 'p%' AND attributes.start_time > 4",
                    &[],
                    size
                )
                .await,
                expected(&both, &none)
            );
            assert_eq!(
                found(&store, "params.`a b` LIKE 'p%'", &[], size).await,
                [""; 0]
            );
        }
    }
}

#[tokio::test]
async fn what_callers_write_is_never_sql() {
    for store in Store::each().await {
        fill(&store).await;
        for hostile in [
            "'; DROP TABLE runs; --",
            "' OR '1'='1",
            "%' OR 1=1 --",
            "\\'; x",
            "$1",
            "?",
            "\u{0}",
        ] {
            let quoted = hostile.replace('\'', "''");
            let filter =
                format!("params.`{hostile}` = '{quoted}' AND tags.\"{hostile}\" != '{quoted}'")
                    .replace('"', "`");
            let result = store
                .tracking
                .search_runs(
                    &Caller::local(),
                    &["0".into()],
                    View::Active,
                    &filter,
                    &[],
                    10,
                    None,
                )
                .await;
            // PostgreSQL takes no zero byte in a text.
            if let Ok(page) = result {
                assert!(page.items.is_empty(), "{filter}");
            }
        }
        assert_eq!(found(&store, "", &[], 1000).await.len(), 40);
    }
}

#[tokio::test]
async fn a_token_of_another_search_is_refused() {
    let store = Store::sqlite().await;
    fill(&store).await;
    let search = |order: Vec<String>, token: Option<String>| {
        let tracking = store.tracking.clone();
        async move {
            tracking
                .search_runs(
                    &Caller::local(),
                    &["0".into()],
                    View::Active,
                    "",
                    &order,
                    5,
                    token.as_deref(),
                )
                .await
        }
    };
    let next = search(vec!["metrics.m".into()], None).await.unwrap().next;
    assert!(search(Vec::new(), next).await.is_err());
    assert!(search(Vec::new(), Some("nonsense".into())).await.is_err());
}
