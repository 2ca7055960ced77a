//! What all searches have in common: who sees what, pages, and the whole of what a page names.

use super::{Tracking, experiments};
use crate::caller::Permission;
use crate::database::{Session, values};
use crate::filter::Query;
use crate::wire::Page;
use crate::{Caller, TrackingError, limits};

type Result<T> = std::result::Result<T, TrackingError>;

/// What of a search its caller may see.
#[derive(Clone)]
pub(super) enum Seen {
    /// What belongs to those of these experiments that the caller sees; the column has their numbers.
    In(&'static str, Vec<i64>),
    /// What the caller was granted, by kind and the expression that names it.
    Granted(&'static str, &'static str),
}

impl Seen {
    /// What belongs to experiments, which callers name by their numbers as text.
    pub(super) fn of_experiments(column: &'static str, ids: &[String]) -> Result<Self> {
        Ok(Self::In(column, experiment_ids(ids)?))
    }

    fn restrict(
        &self,
        query: &mut Query,
        session: &mut Session<'_>,
        caller: &Caller,
    ) -> Result<()> {
        match self {
            Self::In(column, ids) => {
                let ids = experiments::visible(session, caller, ids.clone())?;
                query.among(column, &ids);
            }
            Self::Granted(..) if caller.administrator => {}
            Self::Granted(kind, name) => {
                let granted = format!(
                    "SELECT p.level FROM permissions p WHERE p.kind = ? AND p.account = ? AND p.resource = {name}"
                );
                query.filter(
                    format!("coalesce(({granted}), ?) >= ?"),
                    values![
                        *kind,
                        &*caller.name,
                        caller.default.number(),
                        Permission::Read.number()
                    ],
                );
            }
        }
        Ok(())
    }
}

/// Numbers of experiments as callers write them.
pub(super) fn experiment_ids(ids: &[String]) -> Result<Vec<i64>> {
    ids.iter().map(|id| limits::experiment_id(id)).collect()
}

impl Tracking {
    /// The page after `token` of what a query finds and the caller may see; `whole` reads it by the numbers of its rows.
    pub(super) async fn found<T: Send + 'static>(
        &self,
        caller: &Caller,
        query: Query,
        seen: Seen,
        size: usize,
        token: Option<&str>,
        whole: fn(&mut Session<'_>, &[i64]) -> Result<Vec<T>>,
    ) -> Result<Page<T>> {
        let (caller, token) = (caller.clone(), token.map(str::to_owned));
        let work = move |session: &mut Session<'_>| {
            let mut query = query.clone();
            seen.restrict(&mut query, session, &caller)?;
            let (ids, next) = query.page(session, size, token.as_deref())?;
            let items = whole(session, &ids)?;
            Ok(Page { items, next })
        };
        self.database().read(work).await
    }
}
