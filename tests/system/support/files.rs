//! Whether what was built is what the packages say.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The files of a built environment that are not as the records in `conda-meta` say, each with what is wrong.
pub(crate) fn broken_files(prefix: &Path) -> Vec<String> {
    let mut broken = Vec::new();
    let records = fs::read_dir(prefix.join("conda-meta")).unwrap().map(|entry| entry.unwrap().path());
    for record in records.filter(|path| path.extension().is_some_and(|extension| extension == "json")) {
        let record: Value = serde_json::from_slice(&fs::read(&record).unwrap()).unwrap();
        for file in record["paths_data"]["paths"].as_array().unwrap() {
            broken.extend(broken_file(prefix, file));
        }
    }
    broken
}

fn broken_file(prefix: &Path, file: &Value) -> Option<String> {
    let path = prefix.join(file["_path"].as_str()?);
    let Ok(metadata) = path.symlink_metadata() else { return Some(format!("{} is missing", path.display())) };
    if !metadata.is_file() {
        return None;
    }
    // The hash in the prefix where the prefix was written into the file, else the hash in the package.
    let expected = file["sha256_in_prefix"].as_str().or_else(|| file["sha256"].as_str())?;
    let found = hex::encode(Sha256::digest(fs::read(&path).unwrap()));
    (found != expected).then(|| format!("{} has another content than its package", path.display()))
}

/// Runs each command line in the environment and answers what it printed.
pub(crate) fn python_programs(prefix: &Path, commands: &[&[&str]]) -> Vec<String> {
    commands.iter().map(|command| run(prefix, command)).collect()
}

fn run(prefix: &Path, command: &[&str]) -> String {
    let output = Command::new(prefix.join(command[0])).args(&command[1..]).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}
