//! Which package puts what where, decided for all packages before the first file is linked.
//!
//! Where two packages bring one path, the one that comes later in the topological order wins, as with conda, which links
//! in that order and lets the later file replace the earlier one; between packages of which neither needs the other,
//! rattler's sort decides, always in the same way. Here the earlier file is not linked at all and does
//! not appear in its package's record: every file of an environment belongs to exactly one package. The same is done
//! where the file or link of one package is a directory for the other, so that nothing is ever written through a link.

use std::{
    collections::{HashMap, HashSet},
    path::{Component, Path, PathBuf},
};

use rattler::install::PythonInfo;
use rattler_conda_types::package::{EntryPoint, PathType, PathsEntry};

use super::manifest::Manifest;
use crate::{Error, ErrorKind, Result};

/// What a package puts at one place.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A file, link or directory of the package.
    Entry(PathsEntry),
    /// A command that runs a Python function.
    EntryPoint(EntryPoint),
}

/// One place in the environment.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    /// Relative to the prefix.
    pub(super) target: PathBuf,
    pub(super) content: Content,
}

impl Placed {
    fn is_directory(&self) -> bool {
        matches!(&self.content, Content::Entry(entry) if entry.path_type == PathType::Directory)
    }
}

/// A path that two packages bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Clobber {
    pub(super) path: PathBuf,
    pub(super) winner: String,
    pub(super) loser: String,
}

/// Everything that will be in the environment.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// Per package, in the order of the packages.
    pub(super) packages: Vec<Vec<Placed>>,
    /// All directories, each after the one it lies in.
    pub(super) directories: Vec<PathBuf>,
    pub(super) clobbers: Vec<Clobber>,
}

/// Lays out packages that are in topological order.
///
/// # Errors
/// [`ErrorKind::Invalid`] for a noarch Python package without Python.
pub(super) fn lay_out(manifests: &[&Manifest], python: Option<&PythonInfo>) -> Result<Layout> {
    let mut packages = manifests.iter().map(|manifest| place(manifest, python)).collect::<Result<Vec<_>>>()?;
    let names: Vec<&str> = manifests.iter().map(|manifest| manifest.index.name.as_normalized()).collect();
    let (lost, mut clobbers) = Contest::new(&packages).decide(&names);
    if !lost.is_empty() {
        for (package, places) in packages.iter_mut().enumerate() {
            let mut index = 0..;
            places.retain(|_| index.next().is_none_or(|place| !lost.contains(&(package, place))));
        }
    }
    clobbers.sort_by(|a, b| (&a.path, &a.loser).cmp(&(&b.path, &b.loser)));
    let directories = directories(&packages);
    Ok(Layout { packages, directories, clobbers })
}

fn place(manifest: &Manifest, python: Option<&PythonInfo>) -> Result<Vec<Placed>> {
    if !manifest.index.noarch.is_python() {
        let place = |entry: &PathsEntry| Placed { target: entry.relative_path.clone(), content: entry.clone().into() };
        return Ok(manifest.paths.iter().map(place).collect());
    }
    let Some(python) = python else {
        let message = "package is for Python, but the environment has none; add python to the specification";
        let error = Error::invalid("link package", message);
        return Err(error.with("package", manifest.index.name.as_source()));
    };
    let modules = manifest.paths.iter().map(|entry| Placed {
        target: python.get_python_noarch_target_path(&entry.relative_path).into_owned(),
        content: entry.clone().into(),
    });
    let commands = manifest.entry_points.iter().map(|entry_point| Placed {
        target: python.bin_dir.join(&entry_point.command),
        content: Content::EntryPoint(entry_point.clone()),
    });
    Ok(modules.chain(commands).collect())
}

impl From<PathsEntry> for Content {
    fn from(entry: PathsEntry) -> Self {
        Self::Entry(entry)
    }
}

/// Where the Python of the environment keeps its packages comes from the channel: it may not lead out of the prefix.
pub(super) fn confirm_python(python: &PythonInfo) -> Result<()> {
    let path = &python.site_packages_path;
    if path.components().all(|part| matches!(part, Component::Normal(_))) && path != Path::new("") {
        return Ok(());
    }
    let message = format!("python_site_packages_path '{}' has to be a relative path without '..'", path.display());
    Err(Error::new(ErrorKind::Corrupt, "link package", message))
}

/// A package, and which of its places.
type Place = (usize, usize);

/// Who gets which path.
struct Contest<'a> {
    packages: &'a [Vec<Placed>],
    /// Who has a file or link at a path.
    owners: HashMap<&'a Path, Place>,
    /// The last package that needs a path to be a directory.
    needed: HashMap<&'a Path, usize>,
    lost: HashSet<Place>,
    /// Path, winner, loser.
    conflicts: Vec<(&'a Path, usize, usize)>,
}

impl<'a> Contest<'a> {
    fn new(packages: &'a [Vec<Placed>]) -> Self {
        let size = packages.iter().map(Vec::len).sum();
        let mut contest = Self {
            packages,
            owners: HashMap::with_capacity(size),
            needed: HashMap::new(),
            lost: HashSet::new(),
            conflicts: Vec::new(),
        };
        for (package, places) in packages.iter().enumerate() {
            for (index, place) in places.iter().enumerate() {
                contest.enter((package, index), place);
            }
        }
        contest
    }

    fn enter(&mut self, at: Place, place: &'a Placed) {
        let path = place.target.as_path();
        if place.is_directory() {
            self.need(path, at.0);
        } else if let Some(earlier) = self.owners.insert(path, at) {
            self.lost.insert(earlier);
            self.conflicts.push((path, at.0, earlier.0));
        }
        self.need(path.parent().unwrap_or(Path::new("")), at.0);
    }

    /// Packages are entered in order: a directory that this one needs already has had its parents entered as well.
    fn need(&mut self, directory: &'a Path, package: usize) {
        let mut next = Some(directory);
        while let Some(path) = next.filter(|path| !path.as_os_str().is_empty()) {
            if self.needed.insert(path, package) == Some(package) {
                return;
            }
            next = path.parent();
        }
    }

    fn decide(mut self, names: &[&str]) -> (HashSet<Place>, Vec<Clobber>) {
        let contested: Vec<(&Path, Place, usize)> = self
            .needed
            .iter()
            .filter_map(|(path, needing)| self.owners.get(path).map(|owner| (*path, *owner, *needing)))
            .collect();
        for (path, owner, needing) in contested {
            if owner.0 < needing {
                self.lost.insert(owner);
                self.conflicts.push((path, needing, owner.0));
            } else {
                self.lose_below(path, owner.0);
            }
        }
        let clobber = |(path, winner, loser): (&Path, usize, usize)| Clobber {
            path: path.to_owned(),
            winner: names[winner].to_owned(),
            loser: names[loser].to_owned(),
        };
        (self.lost, self.conflicts.into_iter().filter(|conflict| conflict.1 != conflict.2).map(clobber).collect())
    }

    fn lose_below(&mut self, path: &'a Path, winner: usize) {
        for (package, places) in self.packages.iter().enumerate() {
            for (index, place) in places.iter().enumerate() {
                let within = place.target.starts_with(path) && (place.target != path || place.is_directory());
                if within && self.lost.insert((package, index)) {
                    self.conflicts.push((&place.target, winner, package));
                }
            }
        }
    }
}

fn directories(packages: &[Vec<Placed>]) -> Vec<PathBuf> {
    let mut found = HashSet::new();
    for place in packages.iter().flatten() {
        let mut next = if place.is_directory() { Some(place.target.as_path()) } else { place.target.parent() };
        while let Some(path) = next.filter(|path| !path.as_os_str().is_empty()) {
            if !found.insert(path) {
                break;
            }
            next = path.parent();
        }
    }
    let mut sorted: Vec<PathBuf> = found.into_iter().map(Path::to_owned).collect();
    sorted.sort_unstable();
    sorted
}
