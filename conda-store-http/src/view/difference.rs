//! What two builds have otherwise.

use conda_store_core::catalogue::BuildDifference;
use serde::Serialize;
use utoipa::ToSchema;

use super::PackageView;

/// A package that both builds have, not in the same way.
#[derive(Debug, Serialize, ToSchema)]
struct ChangeView {
    name: String,
    before: PackageView,
    after: PackageView,
}

/// How the packages of one build become those of another, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DifferenceView {
    /// What only the other build has.
    added: Vec<PackageView>,
    /// What the other build lacks.
    removed: Vec<PackageView>,
    /// What has another version or build, or is from another channel.
    changed: Vec<ChangeView>,
}

impl From<BuildDifference> for DifferenceView {
    fn from(BuildDifference { added, removed, changed }: BuildDifference) -> Self {
        let views = |packages: Vec<_>| packages.into_iter().map(PackageView::from).collect();
        let changed = changed.into_iter().map(|(before, after)| ChangeView {
            name: after.name.clone(),
            before: before.into(),
            after: after.into(),
        });
        Self { added: views(added), removed: views(removed), changed: changed.collect() }
    }
}
