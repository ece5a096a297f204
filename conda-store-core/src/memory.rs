//! What the kernel says of processes that it killed for lack of memory.
//!
//! A process that is killed cannot say why. The kernel counts what it killed: in a memory cgroup (version 2 in
//! `memory.events`, version 1 in `memory.oom_control`; <https://docs.kernel.org/admin-guide/cgroup-v2.html>,
//! <https://docs.kernel.org/admin-guide/cgroup-v1/memory.html>) and on the whole machine (`oom_kill` in `/proc/vmstat`). Whoever
//! compares the counts of two moments learns whether that happened in between. Only Linux counts.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// Where the memory controller of either version is mounted, by convention.
const VERSION_2: &str = "/sys/fs/cgroup";
const VERSION_1: &str = "/sys/fs/cgroup/memory";

/// A limit that is none: version 1 has the largest number of pages for it.
const NO_LIMIT: u64 = 1 << 60;

/// How many processes the kernel of a machine has killed for lack of memory until now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MemoryKills {
    /// Tells this machine, since it was started, from all others.
    machine: String,
    /// On the whole machine.
    everywhere: u64,
    /// In the memory cgroup of this process.
    group: Option<MemoryGroup>,
}

/// A memory cgroup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct MemoryGroup {
    directory: PathBuf,
    kills: u64,
    /// How many bytes its processes may use together.
    limit: Option<u64>,
}

impl MemoryKills {
    /// The counts of this moment, for this process; `None` where the kernel does not count. Reads files of the kernel, which
    /// does not block.
    pub(crate) fn now() -> Option<Self> {
        let machine = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned();
        let everywhere = field(&fs::read_to_string("/proc/vmstat").ok()?, "oom_kill")?;
        let memberships = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let group = directories(&memberships).iter().find_map(|directory| MemoryGroup::read(directory));
        Some(Self { machine, everywhere, group })
    }

    /// What was killed between then and now, as the end of a sentence; `None` where nothing was, or where nobody can tell since
    /// this is another machine.
    pub(crate) fn since_then(&self) -> Option<String> {
        let now = Self::now()?;
        if now.machine != self.machine {
            return None;
        }
        // The group of that process, which need not be this one's.
        let group = self.group.as_ref().and_then(|then| Some((then, MemoryGroup::read(&then.directory)?)));
        if let Some((then, now)) = group
            && now.kills > then.kills
        {
            let limit = now.limit.map(|limit| format!(", which may use {} MiB", limit >> 20)).unwrap_or_default();
            return Some(format!(
                "the kernel killed {} for lack of memory in the memory cgroup {}{limit}",
                processes(now.kills - then.kills),
                now.directory.display()
            ));
        }
        let everywhere = now.everywhere.checked_sub(self.everywhere).filter(|killed| *killed > 0)?;
        Some(format!("the kernel killed {} on this machine for lack of memory", processes(everywhere)))
    }
}

impl MemoryGroup {
    fn read(directory: &Path) -> Option<Self> {
        let text = |name| fs::read_to_string(directory.join(name)).ok();
        let events = text("memory.events").or_else(|| text("memory.oom_control"))?;
        let limit = text("memory.max").or_else(|| text("memory.limit_in_bytes"));
        let limit = limit.and_then(|limit| limit.trim().parse().ok()).filter(|limit| *limit < NO_LIMIT);
        Some(Self { directory: directory.to_owned(), kills: field(&events, "oom_kill")?, limit })
    }
}

/// The number behind `name` at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

/// Where the memory cgroup may be that `memberships` (`/proc/self/cgroup`) names. In a container the path may be one of the
/// host, while the group is mounted as the root.
fn directories(memberships: &str) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for line in memberships.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let root = match controllers {
            "" => VERSION_2,
            controllers if controllers.split(',').any(|controller| controller == "memory") => VERSION_1,
            _ => continue,
        };
        directories.push(Path::new(root).join(path.trim_start_matches('/')));
        directories.push(PathBuf::from(root));
    }
    directories
}

fn processes(count: u64) -> String {
    if count == 1 { "a process".into() } else { format!("{count} processes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_memory_group_of_either_version_is_found() {
        let paths = |text: &str| -> Vec<String> {
            directories(text).iter().map(|path| path.to_str().unwrap().trim_end_matches('/').to_owned()).collect()
        };
        assert_eq!(
            paths("0::/system.slice/worker.service\n"),
            ["/sys/fs/cgroup/system.slice/worker.service", "/sys/fs/cgroup"]
        );
        let hybrid = "5:devices:/\n4:memory:/pods/a:b\n1:cpu,cpuacct:/\n0::/\n";
        assert_eq!(
            paths(hybrid),
            ["/sys/fs/cgroup/memory/pods/a:b", "/sys/fs/cgroup/memory", "/sys/fs/cgroup", "/sys/fs/cgroup"]
        );
        assert_eq!(paths("nonsense"), Vec::<String>::new());
    }

    #[test]
    fn a_count_is_read_by_its_whole_name() {
        let events = "low 0\nhigh 0\nmax 7\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(field(events, "oom_kill"), Some(2));
        assert_eq!(field("oom_kill_disable 0\nunder_oom 0\noom_kill 4\n", "oom_kill"), Some(4));
        assert_eq!(field("oom_kill_disable 0\n", "oom_kill"), None);
    }

    #[test]
    fn the_counts_of_another_machine_tell_nothing() {
        let earlier = MemoryKills { machine: "another".into(), everywhere: 0, group: None };
        assert_eq!(earlier.since_then(), None);
    }
}
