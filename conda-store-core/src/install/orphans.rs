//! Programs that outlived the worker which ran them for an environment.
//!
//! A worker that is told to stop ends its programs; one that is killed (signal 9) or suspended cannot. Each program
//! carries the prefix it works on in an environment variable, which its children inherit, so that whoever takes the
//! environment over on the same machine finds them. Linux alone shows the variables of other processes; elsewhere, and
//! on other machines of a shared file system, nothing is found.

use std::{collections::HashSet, fs, path::Path, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

/// The environment variable that holds the prefix a program was started for.
pub(super) const MARK: &str = "CONDA_STORE_PREFIX";

/// How often what is left is looked for: a program may start another one while it is ended, and takes a moment to end.
const ROUNDS: usize = 100;

/// The time between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Kills the programs on this machine that were started for the environment at `prefix`, and says how many there were.
#[must_use]
pub fn end_programs(prefix: &Path) -> usize {
    let mut ended = HashSet::new();
    for _ in 0..ROUNDS {
        let found = programs_of(prefix);
        if found.is_empty() {
            break;
        }
        ended.extend(found.into_iter().filter(|program| kill(*program, Signal::SIGKILL).is_ok()));
        thread::sleep(PAUSE);
    }
    ended.len()
}

fn programs_of(prefix: &Path) -> Vec<Pid> {
    let mark = format!("{MARK}={}", prefix.display());
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    // A process that has ended, or is somebody else's, shows nothing.
    ids.filter(|id| fs::read(format!("/proc/{id}/environ")).is_ok_and(|variables| holds(&variables, &mark)))
        .map(Pid::from_raw)
        .collect()
}

/// Whether one of these variables, each of which ends with a zero byte, is `mark`.
fn holds(variables: &[u8], mark: &str) -> bool {
    variables.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        collections::BTreeMap,
        process::{Command, Stdio},
    };

    use super::*;
    use crate::install::process::variables;

    #[test]
    fn programs_of_one_environment_are_ended_with_their_children() {
        let sleeping = |prefix: &Path| {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", "sleep 600 & echo started; wait"]).stdout(Stdio::piped());
            let mut child = command.env_clear().envs(variables(prefix, &BTreeMap::new())).spawn().unwrap();
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
            child
        };
        let directory = tempfile::tempdir().unwrap();
        let (prefix, other) = (directory.path().join("a"), directory.path().join("ab"));
        let (mut ours, mut others) = (sleeping(&prefix), sleeping(&other));

        assert_eq!(end_programs(&prefix), 2, "the shell and what it started");
        assert!(!ours.wait().unwrap().success());
        assert_eq!(programs_of(&prefix), []);
        assert!(others.try_wait().unwrap().is_none(), "an environment with a similar path is left alone");
        assert_eq!(end_programs(&other), 2);
        others.wait().unwrap();
    }
}
