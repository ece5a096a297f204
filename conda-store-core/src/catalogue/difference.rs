//! What two builds have otherwise.

use std::collections::BTreeMap;

use super::{Catalogue, PackageQuery};
use crate::{
    Result,
    model::{BuildId, CondaPackage},
};

/// How one build's packages become another's; by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildDifference {
    /// Those that only the other build has.
    pub added: Vec<CondaPackage>,
    /// Those that only the one build has.
    pub removed: Vec<CondaPackage>,
    /// Those that both have, in another version, build or from another channel: of the one and of the other build.
    pub changed: Vec<(CondaPackage, CondaPackage)>,
}

impl Catalogue {
    /// How the packages of the build `before` become those of the build `after`.
    pub async fn build_difference(&self, before: BuildId, after: BuildId) -> Result<BuildDifference> {
        let mut old = self.by_name(before).await?;
        let mut difference = BuildDifference::default();
        for (name, package) in self.by_name(after).await? {
            match old.remove(&name) {
                None => difference.added.push(package),
                Some(same) if same.id == package.id => {}
                Some(other) => difference.changed.push((other, package)),
            }
        }
        difference.removed = old.into_values().collect();
        Ok(difference)
    }

    /// The packages of a build; conda installs one of each name.
    async fn by_name(&self, build: BuildId) -> Result<BTreeMap<String, CondaPackage>> {
        let page = self.build_packages(build, &PackageQuery::new(u32::MAX)).await?;
        Ok(page.items.into_iter().map(|package| (package.name.clone(), package)).collect())
    }
}
