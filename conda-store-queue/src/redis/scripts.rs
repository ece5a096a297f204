//! The changes of the queue, each a script: Redis runs one at a time, so it is done wholly or not at all.

use redis::Script;

/// The scripts, each after what they share.
pub(super) struct Scripts {
    pub(super) enqueue: Script,
    pub(super) lease: Script,
    pub(super) renew: Script,
    pub(super) course: Script,
    pub(super) settle: Script,
    pub(super) cancel: Script,
    pub(super) next: Script,
    pub(super) depth: Script,
}

macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("scripts/common.lua"), include_str!(concat!("scripts/", $file))))
    };
}

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            enqueue: script!("enqueue.lua"),
            lease: script!("lease.lua"),
            renew: script!("renew.lua"),
            course: script!("course.lua"),
            settle: script!("settle.lua"),
            cancel: script!("cancel.lua"),
            next: script!("next.lua"),
            depth: script!("depth.lua"),
        }
    }
}
