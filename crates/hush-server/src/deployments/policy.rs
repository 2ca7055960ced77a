//! Which versions may be served.

use hush_mlflow::Version;

/// What a version must have to be served. All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Policy {
    /// Tags with these values.
    pub(crate) tags: Vec<(String, String)>,
    /// One of these stages; any if there are none.
    pub(crate) stages: Vec<String>,
}

impl Policy {
    /// Whether every version may.
    pub(crate) fn is_open(&self) -> bool {
        self.tags.is_empty() && self.stages.is_empty()
    }

    /// Says why a version may not be served.
    pub(crate) fn refusal(&self, version: &Version) -> Option<String> {
        if !version.ready {
            return Some("the registry says that it is not ready".to_owned());
        }
        for (key, wanted) in &self.tags {
            match version.tags.get(key) {
                Some(value) if value == wanted => {}
                Some(value) => {
                    return Some(format!("its tag `{key}` is `{value}`, not `{wanted}`"));
                }
                None => return Some(format!("it has no tag `{key}`, which must be `{wanted}`")),
            }
        }
        if !self.stages.is_empty() && !self.stages.contains(&version.stage) {
            let wanted = self.stages.join("` or `");
            return Some(format!(
                "it is in the stage `{}`, not in `{wanted}`",
                version.stage
            ));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_must_all_be_there() {
        let mut version = Version {
            name: "cancer".to_owned(),
            number: 3,
            run: None,
            stage: "None".to_owned(),
            tags: [("approved".to_owned(), "false".to_owned())].into(),
            aliases: ["production".to_owned()].into(),
            ready: true,
        };
        let mut policy = Policy::default();
        assert!(policy.is_open());
        assert_eq!(policy.refusal(&version), None);
        policy.tags = vec![
            ("approved".to_owned(), "true".to_owned()),
            ("audit".to_owned(), "done".to_owned()),
        ];
        policy.stages = vec!["Production".to_owned(), "Staging".to_owned()];
        let mut reasons = Vec::new();
        let mut note = |version: &Version| {
            reasons.push(
                policy
                    .refusal(version)
                    .unwrap_or_else(|| "served".to_owned()),
            )
        };
        note(&version);
        version
            .tags
            .insert("approved".to_owned(), "true".to_owned());
        note(&version);
        version.tags.insert("audit".to_owned(), "done".to_owned());
        note(&version);
        version.stage = "Staging".to_owned();
        note(&version);
        version.ready = false;
        note(&version);
        assert_eq!(
            reasons,
            [
                "its tag `approved` is `false`, not `true`",
                "it has no tag `audit`, which must be `done`",
                "it is in the stage `None`, not in `Production` or `Staging`",
                "served",
                "the registry says that it is not ready",
            ]
        );
    }
}
