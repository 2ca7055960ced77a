//! What is served: the versions that addresses stand for, as far as the policy allows.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hush_mlflow::{MlflowError, ModelUri, Selector, Tracking, Version};
use hush_serving::Service;

use super::cache::Cache;
use super::policy::Policy;
use crate::ServerError;
use crate::settings::DeploymentSettings;

/// Name of a model and number of a version.
type Key = (String, u64);

/// Follows addresses like `models:/cancer@production`.
pub(super) struct Follower {
    tracking: Tracking,
    service: Service,
    cache: Cache,
    policy: Policy,
    retire_after: Duration,
    largest: u64,
    followed: Vec<Followed>,
    /// Versions that answer, and until when if no address stands for them any more.
    served: BTreeMap<Key, Option<Instant>>,
}

struct Followed {
    uri: ModelUri,
    /// What it stands for and is served.
    current: Option<Key>,
    /// What was said last of what keeps it from being served, so that it is said once.
    said: String,
}

/// What a look at the registry gave for an address.
enum Found {
    /// This version may be served.
    Allowed(Version),
    /// There is none, or it may not be served, for this reason.
    Kept(String),
    /// Nobody knows.
    Unknown(MlflowError),
}

impl Follower {
    pub(super) fn new(set: &DeploymentSettings, tracking: Tracking, service: Service) -> Self {
        let followed = set.models.iter().map(|uri| Followed {
            uri: uri.clone(),
            current: None,
            said: String::new(),
        });
        Self {
            cache: Cache::new(&set.cache, &tracking),
            tracking,
            service,
            policy: set.policy.clone(),
            retire_after: set.retire_after,
            largest: set.largest,
            followed: followed.collect(),
            served: BTreeMap::new(),
        }
    }

    /// The first look, at the start of the server.
    pub(super) async fn begin(&mut self) -> Result<(), ServerError> {
        for index in 0..self.followed.len() {
            let uri = self.followed[index].uri.clone();
            let place = match self.look(&uri).await {
                Found::Allowed(version) => self.bring(index, &version).await,
                Found::Kept(reason) => {
                    self.say(index, &format!("{uri} is not served: {reason}"));
                    continue;
                }
                Found::Unknown(error) if error.is_unreachable() => match self
                    .cache
                    .noted(&uri.to_string())
                    .await
                {
                    Some(key) => {
                        self.say(
                            index,
                            &format!("{error}; {uri} is served as it was last: version {}", key.1),
                        );
                        self.place(index, key).await
                    }
                    None => return Err(error.into()),
                },
                Found::Unknown(error) => return Err(error.into()),
            };
            place?;
        }
        self.note().await;
        Ok(())
    }

    /// Another look. What goes wrong leaves everything as it is until the next one.
    pub(super) async fn round(&mut self) {
        let mut changed = false;
        for index in 0..self.followed.len() {
            let uri = self.followed[index].uri.clone();
            match self.look(&uri).await {
                Found::Allowed(version) => {
                    let key = (version.name.clone(), version.number);
                    if self.followed[index].current.as_ref() == Some(&key) {
                        self.followed[index].said.clear();
                        continue;
                    }
                    match self.bring(index, &version).await {
                        Ok(()) => changed = true,
                        Err(error) => self.say(index, &format!("{uri} stays as it is: {error}")),
                    }
                }
                Found::Kept(reason) => {
                    self.say(index, &format!("{uri} gets no other version: {reason}"));
                    let Some(current) = self.followed[index].current.clone() else {
                        continue;
                    };
                    if !self.still_allowed(&current, &uri).await {
                        self.followed[index].current = None;
                        self.drop_unneeded(&current).await;
                        changed = true;
                    }
                }
                Found::Unknown(error) => self.say(index, &format!("{uri} stays as it is: {error}")),
            }
        }
        self.retire().await;
        if changed {
            self.note().await;
        }
    }

    async fn look(&self, uri: &ModelUri) -> Found {
        match self.tracking.version(uri).await {
            Ok(version) => match self.policy.refusal(&version) {
                None => Found::Allowed(version),
                Some(reason) => Found::Kept(format!("version {}: {reason}", version.number)),
            },
            Err(error) if error.is_missing() => {
                Found::Kept(format!("{uri} is not in the registry"))
            }
            Err(error) => Found::Unknown(error),
        }
    }

    /// Whether what an address stood for until now may go on. It may not if somebody took the address or the approval away.
    async fn still_allowed(&self, key: &Key, uri: &ModelUri) -> bool {
        match self.tracking.version(uri).await {
            Err(error) if error.is_missing() => return false,
            // The address stands for this one, which was just refused.
            Ok(version) if version.number == key.1 => {
                return self.policy.refusal(&version).is_none();
            }
            _ => {}
        }
        self.allowed(key).await
    }

    /// Whether the registry still has a version and the policy allows it; yes, while nobody answers.
    async fn allowed(&self, key: &Key) -> bool {
        let uri = ModelUri {
            name: key.0.clone(),
            selector: Selector::Number(key.1),
        };
        match self.tracking.version(&uri).await {
            Ok(version) => self.policy.refusal(&version).is_none(),
            Err(error) => !error.is_missing(),
        }
    }

    /// Downloads and serves a version in place of what the address stood for.
    async fn bring(&mut self, index: usize, version: &Version) -> Result<(), ServerError> {
        let key = (version.name.clone(), version.number);
        if !self.served.contains_key(&key) {
            self.cache
                .fetch(&self.tracking, version, self.largest)
                .await?;
        }
        self.place(index, key).await
    }

    async fn place(&mut self, index: usize, key: Key) -> Result<(), ServerError> {
        // The first address of a model answers requests that name no version.
        let preferred = !self.followed[..index]
            .iter()
            .any(|other| other.uri.name == key.0);
        let path = self.cache.path(&key.0, key.1);
        self.service.place(&key.0, key.1, path, preferred).await?;
        let followed = &mut self.followed[index];
        tracing::info!(uri = %followed.uri, version = key.1, "served");
        followed.said.clear();
        let before = followed.current.replace(key.clone());
        self.served.insert(key, None);
        if let Some(before) = before
            && !self.is_needed(&before)
        {
            // Clients that were told of it may still send ciphertexts for it.
            self.served
                .insert(before, Some(Instant::now() + self.retire_after));
        }
        Ok(())
    }

    /// Ends versions whose time is over, and at once those that the policy does not allow any more.
    async fn retire(&mut self) {
        let retiring: Vec<_> = self
            .served
            .iter()
            .filter_map(|(key, until)| Some((key.clone(), (*until)?)))
            .collect();
        for (key, until) in retiring {
            if until <= Instant::now() || (!self.policy.is_open() && !self.allowed(&key).await) {
                self.drop_unneeded(&key).await;
            }
        }
    }

    async fn drop_unneeded(&mut self, key: &Key) {
        if self.is_needed(key) {
            return;
        }
        if self.service.withdraw(&key.0, key.1).await.is_ok() {
            tracing::info!(model = key.0, version = key.1, "no longer served");
            self.served.remove(key);
            self.cache.remove(&key.0, key.1).await;
        }
    }

    fn is_needed(&self, key: &Key) -> bool {
        self.followed
            .iter()
            .any(|followed| followed.current.as_ref() == Some(key))
    }

    async fn note(&self) {
        let served = self
            .followed
            .iter()
            .filter_map(|followed| Some((followed.uri.to_string(), followed.current.clone()?)));
        self.cache.note(&served.collect()).await;
    }

    fn say(&mut self, index: usize, text: &str) {
        let followed = &mut self.followed[index];
        if followed.said != text {
            tracing::warn!("{text}");
            text.clone_into(&mut followed.said);
        }
    }
}
