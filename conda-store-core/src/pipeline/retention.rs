//! Ended builds that are kept no longer, as the settings `max_kept_builds` and `max_kept_days` say.
//!
//! Where nobody set one of them no environment is looked at; where only some have one, only those are.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use crate::{
    Result,
    catalogue::{EnvironmentPlace, KeptBuilds},
    conda_store::CondaStore,
    model::{BuildId, EnvironmentId, EnvironmentName, NamespaceName},
    settings::{RETENTION, SettingPlace, Settings},
};

/// How many environments, and how many builds, are looked at in one query.
const AT_ONCE: u32 = 500;

/// How many builds are deleted at most before the job comes again. What is deleted and not yet removed is handed in
/// by every sweep, which more of them would keep from what else it does.
const DELETED_AT_MOST: usize = 10_000;

/// The most days that a build can be kept: a thousand years, which every database can count back.
const LONGEST: u64 = 365_000;

/// What the settings of a place say of the builds that are kept there.
#[derive(Clone, Copy, Debug)]
struct Rule {
    builds: Option<NonZeroU32>,
    days: Option<NonZeroU32>,
}

impl Rule {
    fn of(settings: &Settings) -> Self {
        Self { builds: settings.max_kept_builds, days: settings.max_kept_days }
    }

    /// Whether anything is to be removed at all.
    fn asks(self) -> bool {
        self.builds.is_some() || self.days.is_some()
    }
}

/// A namespace, or an environment in it.
type Place = (NamespaceName, Option<EnvironmentName>);

/// Where which rule holds.
struct Rules {
    installation: Rule,
    changed: BTreeMap<Place, Rule>,
}

impl Rules {
    /// The rule of the nearest place.
    fn of(&self, environment: &EnvironmentPlace) -> Rule {
        let own = (environment.namespace.clone(), Some(environment.name.clone()));
        let namespace = (environment.namespace.clone(), None);
        *self.changed.get(&own).or_else(|| self.changed.get(&namespace)).unwrap_or(&self.installation)
    }

    fn asks(&self, place: &Place) -> bool {
        self.changed.get(place).is_some_and(|rule| rule.asks())
    }

    /// Where the environments are of which something may be removed, none of them in two of the places.
    fn places(&self) -> Vec<(Option<&NamespaceName>, Option<&EnvironmentName>)> {
        if self.installation.asks() {
            return vec![(None, None)];
        }
        let within_another = |place: &Place| place.1.is_some() && self.asks(&(place.0.clone(), None));
        let places = self.changed.keys().filter(|place| self.asks(place) && !within_another(place));
        places.map(|(namespace, name)| (Some(namespace), name.as_ref())).collect()
    }
}

impl CondaStore {
    /// Deletes builds that are kept no longer, each as somebody would who asks for it.
    pub(super) async fn remove_old_builds(&self) -> Result<()> {
        let rules = self.retention_rules().await?;
        let mut deleted = 0;
        for (namespace, name) in rules.places() {
            let mut after = None;
            while deleted < DELETED_AT_MOST {
                let found = self.catalogue().environment_places(namespace, name, after, AT_ONCE).await?;
                let Some(last) = found.last() else { break };
                after = Some(last.id);
                deleted += self.remove_builds_of(&found, &rules).await?;
            }
        }
        if deleted > 0 {
            tracing::info!(builds.deleted = deleted, "deleted builds that are kept no longer");
        }
        Ok(())
    }

    async fn retention_rules(&self) -> Result<Rules> {
        let installation = Rule::of(&self.settings_at(SettingPlace::Global).await?);
        let mut changed = BTreeMap::new();
        for (namespace, name) in self.catalogue().places_that_change(&RETENTION).await? {
            let rule = Rule::of(&self.settings(&namespace, name.as_ref()).await?);
            changed.insert((namespace, name), rule);
        }
        Ok(Rules { installation, changed })
    }

    /// Deletes what is not kept of these environments, and says how many builds that were.
    async fn remove_builds_of(&self, environments: &[EnvironmentPlace], rules: &Rules) -> Result<usize> {
        let mut alike: BTreeMap<KeptBuilds, Vec<EnvironmentId>> = BTreeMap::new();
        for environment in environments {
            let rule = rules.of(environment);
            if rule.asks() {
                alike.entry(self.kept_by(rule)).or_default().push(environment.id);
            }
        }
        let mut deleted = 0;
        for (kept, environments) in alike {
            deleted += self.remove_beyond(kept, &environments).await?;
        }
        Ok(deleted)
    }

    fn kept_by(&self, rule: Rule) -> KeptBuilds {
        let age = |days: NonZeroU32| Duration::from_hours(24 * LONGEST.min(days.get().into()));
        KeptBuilds { newest: rule.builds, ended_since: rule.days.map(|days| self.clock().now().before(age(days))) }
    }

    async fn remove_beyond(&self, kept: KeptBuilds, environments: &[EnvironmentId]) -> Result<usize> {
        let (mut deleted, mut after) = (0, None);
        while deleted < DELETED_AT_MOST {
            let builds = self.catalogue().builds_beyond(kept, environments, after, AT_ONCE).await?;
            let Some(last) = builds.last() else { break };
            after = Some(*last);
            for build_id in builds {
                deleted += usize::from(self.remove_old_build(build_id).await?);
            }
        }
        Ok(deleted)
    }

    /// Deletes a build, unless it became the current one meanwhile, or a validator is against it.
    async fn remove_old_build(&self, build_id: BuildId) -> Result<bool> {
        match self.delete_build(build_id).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_temporary() => Err(error),
            Err(error) => {
                tracing::warn!(build.id = %build_id, error = error.report(), "an old build is kept");
                Ok(false)
            }
        }
    }
}
