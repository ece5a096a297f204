//! The packages of the demonstration.

use super::channel::{PLACEHOLDER, Package, PackagedFile};

/// The program that the demonstration is about, and the name of its package.
pub(super) const PROGRAM: &str = "conda-store-demo-hello";

/// All of them. Whoever changes one gives it a new version: a channel that was written once stays as it is.
#[must_use]
pub fn packages() -> Vec<Package> {
    let greeting = PackagedFile {
        path: "share/conda-store-demo/greeting.txt".into(),
        text: "Hello from an environment that conda-store built.\n".into(),
        executable: false,
    };
    let program = PackagedFile {
        path: "bin/conda-store-demo-hello".into(),
        text: format!(
            "#!/bin/sh\ncat {PLACEHOLDER}/share/conda-store-demo/greeting.txt\necho It is in {PLACEHOLDER}\n"
        ),
        executable: true,
    };
    vec![
        Package {
            name: "conda-store-demo-greeting".into(),
            version: "1.0".into(),
            depends: Vec::new(),
            summary: "What the demonstration of conda-store says".into(),
            files: vec![greeting],
        },
        Package {
            name: PROGRAM.into(),
            version: "1.0".into(),
            depends: vec!["conda-store-demo-greeting >=1.0".into()],
            summary: "A program that shows where it lives".into(),
            files: vec![program],
        },
    ]
}
