//! All packages that the catalogue knows as columns of numbers, for lists of them in any order.
//!
//! There may be a million. To sort them by their version, to find those of a build string or the first of each version, a
//! database joins and sorts most of them. Here each text is replaced by its place among all texts of its column, so that a
//! package is a number which sorts as it does, and a million of those are looked through in some milliseconds.

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use tokio::sync::Mutex;

use super::{
    Catalogue, Order,
    search::{
        OPERATION,
        PackageColumn::{self, Build, Channel, Name, Version},
        PackageSearch,
    },
};
use crate::{Result, install::blocking};

/// So many columns does a package have.
const COLUMNS: usize = PackageColumn::COUNT;

/// Rows that are read in one query.
const AT_ONCE: i64 = 50_000;

/// How long columns are kept. Whoever asks for such a list asks for its next page as well, but few ask.
const KEPT_FOR: Duration = Duration::from_mins(10);

/// The order of the rows: those that only a build tells apart lie together.
const ONE_BY_ONE: [PackageColumn; COLUMNS] = [Name, Version, Channel, Build];

/// The bits of a place.
const BITS: u32 = u32::BITS;

/// A package: the places of its texts, and its id.
struct Row {
    places: [u32; COLUMNS],
    id: i32,
}

/// What decides where a package is in a list: the places of its texts, the first that counts in the highest bits, and its
/// id. In a list that goes down all bits are turned round.
type Key = (u128, i32);

/// All packages.
pub(super) struct PackageColumns {
    /// The texts of each column, in order.
    texts: [Vec<Box<str>>; COLUMNS],
    rows: Vec<Row>,
}

impl fmt::Debug for PackageColumns {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PackageColumns").field("packages", &self.rows.len()).finish_non_exhaustive()
    }
}

/// A piece of a list.
pub(super) struct Found {
    /// The packages in it.
    pub(super) ids: Vec<i32>,
    /// How many the whole list has.
    pub(super) total: usize,
}

/// What is looked for.
struct Wanted {
    keys: [PackageColumn; COLUMNS],
    /// So many of the keys tell packages apart, of which the first is found; none where all are found.
    distinct: usize,
    text: Option<String>,
    build: Option<String>,
    order: Order,
    offset: usize,
    limit: usize,
}

impl From<&PackageSearch<'_>> for Wanted {
    fn from(search: &PackageSearch<'_>) -> Self {
        let keys = search.keys();
        Self {
            keys,
            distinct: keys.iter().filter(|key| search.distinct.contains(key)).count(),
            text: search.search.map(str::to_ascii_lowercase),
            build: search.build.map(str::to_owned),
            order: search.order,
            offset: usize::try_from(search.offset).unwrap_or(usize::MAX),
            limit: usize::try_from(search.limit).unwrap_or(usize::MAX),
        }
    }
}

impl Wanted {
    /// Whether only the first of the two is found.
    fn are_one(&self, (first, _): &Key, (second, _): &Key) -> bool {
        let others = BITS * u32::try_from(COLUMNS - self.distinct).unwrap_or_default();
        self.distinct > 0 && first >> others == second >> others
    }
}

impl PackageColumns {
    fn find(&self, wanted: &Wanted) -> Found {
        let mut keys: Vec<Key> = Vec::with_capacity(self.rows.len());
        for key in self.keys(wanted) {
            match keys.last_mut() {
                // The sort has less to do without most of what it is to find equal.
                Some(last) if wanted.are_one(last, &key) => *last = key.min(*last),
                _ => keys.push(key),
            }
        }
        if wanted.distinct > 0 {
            keys.sort_unstable();
            keys.dedup_by(|key, first| wanted.are_one(first, key));
        }
        let turn = |id: i32| if wanted.order == Order::Ascending { id } else { !id };
        let page = piece(&mut keys, wanted.offset, wanted.limit).iter().map(|(_, id)| turn(*id)).collect();
        Found { ids: page, total: keys.len() }
    }

    /// The keys of all packages that match.
    fn keys<'a>(&'a self, wanted: &'a Wanted) -> impl Iterator<Item = Key> + 'a {
        let names = wanted.text.as_ref().map(|text| {
            let names = self.texts[Name as usize].iter();
            names.map(|name| name.to_ascii_lowercase().contains(text.as_str())).collect::<Vec<_>>()
        });
        let builds = &self.texts[Build as usize];
        let build = wanted.build.as_ref().map(|build| builds.binary_search_by(|text| (**text).cmp(build)).ok());
        let place = |row: &Row, column: PackageColumn| row.places[column as usize];
        let rows = self.rows.iter().filter(move |row| {
            names.as_ref().is_none_or(|matching| matching[place(row, Name) as usize])
                && build.is_none_or(|build| build == Some(place(row, Build) as usize))
        });
        rows.map(move |row| {
            let key = wanted.keys.iter().fold(0, |key, column| key << BITS | u128::from(place(row, *column)));
            if wanted.order == Order::Ascending { (key, row.id) } else { (!key, !row.id) }
        })
    }
}

/// What comes behind the first `offset` of `keys` once they are sorted; only that is.
fn piece(keys: &mut [Key], offset: usize, limit: usize) -> &[Key] {
    if offset >= keys.len() {
        return &[];
    }
    keys.select_nth_unstable(offset);
    let rest = &mut keys[offset..];
    if limit < rest.len() {
        rest.select_nth_unstable(limit);
    }
    let page = rest.len().min(limit);
    rest[..page].sort_unstable();
    &rest[..page]
}

/// Different texts, each with a number in the order in which they came.
#[derive(Default)]
struct Texts(HashMap<Box<str>, u32>);

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.0.get(text) {
            return *number;
        }
        let number = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.insert(text.into(), number);
        number
    }

    /// The texts in order, and for each number the place of its text among them.
    fn sorted(self) -> (Vec<Box<str>>, Vec<u32>) {
        let mut texts: Vec<(Box<str>, u32)> = self.0.into_iter().collect();
        texts.sort_unstable();
        let mut places = vec![0; texts.len()];
        for (place, (_, number)) in (0..).zip(&texts) {
            places[*number as usize] = place;
        }
        (texts.into_iter().map(|(text, _)| text).collect(), places)
    }
}

/// Columns that are being read.
#[derive(Default)]
struct Reading {
    texts: [Texts; COLUMNS],
    /// Each with numbers of texts for places.
    rows: Vec<Row>,
}

impl Reading {
    fn number(&mut self, column: PackageColumn, text: &str) -> u32 {
        self.texts[column as usize].number(text)
    }

    fn finish(mut self) -> PackageColumns {
        let sorted = self.texts.map(Texts::sorted);
        for row in &mut self.rows {
            for (place, (_, places)) in row.places.iter_mut().zip(&sorted) {
                *place = places[*place as usize];
            }
        }
        self.rows.sort_unstable_by_key(|row| (ONE_BY_ONE.map(|column| row.places[column as usize]), row.id));
        self.rows.shrink_to_fit();
        PackageColumns { texts: sorted.map(|(texts, _)| texts), rows: self.rows }
    }
}

/// What changes when packages come or go: the last id, and how many there are.
type State = (Option<i32>, i64);

/// The columns in some state.
type Kept = (State, Arc<PackageColumns>);

/// The columns, as long as somebody asks for them.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptColumns(Arc<Mutex<Option<Kept>>>);

impl KeptColumns {
    /// Forgets `columns` after a while.
    fn forget(&self, columns: &Arc<PackageColumns>) {
        let (kept, columns) = (Arc::downgrade(&self.0), Arc::downgrade(columns));
        tokio::spawn(async move {
            tokio::time::sleep(KEPT_FOR).await;
            let Some(kept) = kept.upgrade() else { return };
            let mut kept = kept.lock().await;
            if kept.as_ref().is_some_and(|(_, kept)| Arc::as_ptr(kept) == columns.as_ptr()) {
                *kept = None;
            }
        });
    }
}

impl Catalogue {
    /// The packages that match, from all of them.
    pub(super) async fn find_packages(&self, search: &PackageSearch<'_>) -> Result<Found> {
        let wanted = Wanted::from(search);
        let columns = self.package_columns().await?;
        blocking(OPERATION, move || Ok(columns.find(&wanted))).await
    }

    /// All packages there are. Where many ask at once, one reads them.
    async fn package_columns(&self) -> Result<Arc<PackageColumns>> {
        const STATE: &str = "select (select max(id) from conda_package_build), \
            (select cast(coalesce(sum(builds), 0) as bigint) from cs_package_name)";
        let mut kept = self.kept_columns.0.lock().await;
        let state: State = self.database.query(OPERATION, STATE).one().await?;
        if let Some((of, columns)) = kept.as_ref()
            && *of == state
        {
            return Ok(Arc::clone(columns));
        }
        // There is not to be room for both at once.
        *kept = None;
        let columns = Arc::new(self.read_columns().await?);
        *kept = Some((state, Arc::clone(&columns)));
        self.kept_columns.forget(&columns);
        Ok(columns)
    }

    async fn read_columns(&self) -> Result<PackageColumns> {
        const CHANNELS: &str = "select id, name from conda_channel";
        const PACKAGES: &str = "select id, channel_id, name, version from conda_package \
            where id > $1 and channel_id is not null order by id limit $2";
        const BUILDS: &str = "select id, package_id, build from conda_package_build \
            where id > $1 and package_id is not null order by id limit $2";
        let mut reading = Reading::default();
        let channels: Vec<(i32, String)> = self.database.query(OPERATION, CHANNELS).all().await?;
        let channels: HashMap<i32, u32> =
            channels.iter().map(|(id, name)| (*id, reading.number(Channel, name))).collect();
        let (mut packages, mut last) = (HashMap::new(), Some(i32::MIN));
        while let Some(after) = last {
            let rows: Vec<(i32, i32, String, String)> =
                self.database.query(OPERATION, PACKAGES).value(after).value(AT_ONCE).all().await?;
            last = rows.last().map(|(id, ..)| *id);
            for (id, channel, name, version) in rows {
                let Some(channel) = channels.get(&channel) else { continue };
                let name = reading.number(Name, &name);
                packages.insert(id, (*channel, name, reading.number(Version, &version)));
            }
        }
        last = Some(i32::MIN);
        while let Some(after) = last {
            let rows: Vec<(i32, i32, String)> =
                self.database.query(OPERATION, BUILDS).value(after).value(AT_ONCE).all().await?;
            last = rows.last().map(|(id, ..)| *id);
            for (id, package, build) in rows {
                let Some((channel, name, version)) = packages.get(&package) else { continue };
                let build = reading.number(Build, &build);
                reading.rows.push(Row { places: [*channel, *name, *version, build], id });
            }
        }
        blocking(OPERATION, move || Ok(reading.finish())).await
    }
}
