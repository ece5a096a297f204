//! Which builds this process has in hand, under which claim.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use crate::{clock::Timestamp, model::BuildId};

/// A claim on a build, as the catalogue granted it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimed {
    /// The number that guards every write of this attempt.
    pub(crate) attempt: u32,
    /// When the claim was last confirmed.
    pub(crate) confirmed: Timestamp,
}

/// The builds in hand.
#[derive(Debug, Default)]
pub(crate) struct Running(Mutex<HashMap<BuildId, Claimed>>);

impl Running {
    /// Notes that `build_id` is claimed; the note goes when the guard is dropped.
    pub(crate) fn enter(&self, build_id: BuildId, claimed: Claimed) -> Entered<'_> {
        self.lock().insert(build_id, claimed);
        Entered { running: self, build_id }
    }

    /// The claim on `build_id`, where this process has one.
    pub(crate) fn get(&self, build_id: BuildId) -> Option<Claimed> {
        self.lock().get(&build_id).copied()
    }

    /// Notes that the claim was confirmed at `now`.
    pub(crate) fn confirm(&self, build_id: BuildId, now: Timestamp) {
        if let Some(claimed) = self.lock().get_mut(&build_id) {
            claimed.confirmed = now;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<BuildId, Claimed>> {
        // The map is whole after every statement, so a panic elsewhere leaves nothing to be afraid of.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a build out of [`Running`] when it is dropped.
pub(crate) struct Entered<'a> {
    running: &'a Running,
    build_id: BuildId,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.running.lock().remove(&self.build_id);
    }
}
