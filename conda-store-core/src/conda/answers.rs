//! Answers of the solver that are still right: the same question about lists that did not change since.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lru::LruCache;
use rattler_conda_types::{GenericVirtualPackage, RepoDataRecord, Subdir};

use super::package_lists::Revision;
use crate::solver::{ChannelPriority, SolveRequest};

/// How many answers are kept. One has some hundred records of about 2 KiB each.
const KEPT: NonZeroUsize = NonZeroUsize::MIN.saturating_add(63);

/// All that an answer depends on, besides the package lists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    channels: Vec<String>,
    platform: Subdir,
    specs: Vec<String>,
    virtual_packages: Vec<String>,
    strict: bool,
}

impl Question {
    /// What `request` asks for one platform.
    pub(super) fn new(request: &SolveRequest, platform: Subdir, virtual_packages: &[GenericVirtualPackage]) -> Self {
        Self {
            channels: request.channels.iter().map(ToString::to_string).collect(),
            platform,
            specs: request.specs.clone(),
            virtual_packages: virtual_packages.iter().map(ToString::to_string).collect(),
            strict: request.channel_priority == ChannelPriority::Strict,
        }
    }
}

/// Answers by question, the one asked for longest ago first to go.
type Kept = LruCache<Question, (Revision, Vec<RepoDataRecord>)>;

/// The latest answers, each with the state of the package lists that it was chosen from. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Answers(Arc<Mutex<Kept>>);

impl Default for Answers {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(LruCache::new(KEPT))))
    }
}

impl Answers {
    /// The answer, where nothing changed since it was given.
    pub(super) fn get(&self, question: &Question, revision: Revision) -> Option<Vec<RepoDataRecord>> {
        let mut answers = self.lock();
        let (then, records) = answers.get(question)?;
        (*then == revision).then(|| records.clone())
    }

    /// Keeps an answer that was chosen from the lists as they were at `revision`.
    pub(super) fn keep(&self, question: Question, revision: Revision, records: &[RepoDataRecord]) {
        self.lock().put(question, (revision, records.to_vec()));
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
