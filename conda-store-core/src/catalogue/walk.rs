//! Pages of a set of ids in another order than theirs, found by walking an index and asking the set.
//!
//! The set stays here: as a condition it would be as large as the ids that there are, and take longer to arrive at the
//! database than the page to find.

use roaring::RoaringBitmap;

use super::page::Window;

/// What is read in one query at most. Whoever comes that far has found nothing in a long time.
const FARTHEST: i64 = 50_000;

/// How much farther each query goes than the one before, which found too little.
const FARTHER: i64 = 8;

/// A walk along a list for those of its rows of which an id, their own or that of their build, is in a set. Each query
/// begins at the front again, so a row that comes in meanwhile is not met twice.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    set: &'a RoaringBitmap,
    window: &'a Window,
    /// How many rows are wanted.
    wanted: usize,
    /// How many rows the next query reads.
    far: Option<i64>,
}

impl<'a> Walk<'a> {
    /// For what is in `window` of the `total` rows with an id of `set`, on a list that has about `all` rows.
    pub(super) fn new(set: &'a RoaringBitmap, window: &'a Window, total: i64, all: i64) -> Self {
        let wanted = window.end().min(total) - window.offset();
        // Where they lie evenly, half as much again is enough.
        let far = (window.end().saturating_mul(all) / total.max(1)).saturating_mul(3) / 2 + 200;
        Self { set, window, wanted: place(wanted), far: Some(far).filter(|far| *far <= FARTHEST) }
    }

    /// How many of the first rows to read next; `None` where those that are wanted are too far apart.
    pub(super) fn far(&self) -> Option<i64> {
        self.far
    }

    /// The ids of what is wanted, in the order of the list, unless it takes more than these `rows`: the id of each, and the
    /// one that the set is about.
    pub(super) fn meet(&mut self, rows: Vec<(i32, i32)>) -> Option<Vec<u32>> {
        let far = self.far?;
        let is_whole = rows.len() < place(far);
        let is_in = |id: i32| u32::try_from(id).is_ok_and(|id| self.set.contains(id));
        let found = rows.into_iter().filter(|(_, id)| is_in(*id)).skip(place(self.window.offset()));
        let found = found.take(place(self.window.limit())).filter_map(|(id, _)| u32::try_from(id).ok());
        let found: Vec<u32> = found.collect();
        if is_whole || found.len() >= self.wanted {
            return Some(found);
        }
        self.far = (far < FARTHEST).then(|| far.saturating_mul(FARTHER).min(FARTHEST));
        None
    }
}

fn place(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{
        super::page::{Cursor, Order, PageRequest, Start},
        *,
    };

    #[test]
    fn a_walk_finds_what_reading_the_whole_list_finds_or_gives_up() {
        let list: Vec<(i32, i32)> = (0..60_000).map(|place| (place * 2, (place * 7919) % 60_000)).collect();
        for (set, has_end) in [
            ((0..60_000).collect::<RoaringBitmap>(), true),
            ((0..60_000).step_by(20).collect(), true),
            // One after 50,000 others that are not in the set is too far.
            (list[55_000..].iter().map(|(_, id)| id.unsigned_abs()).collect(), false),
        ] {
            let members = list.iter().filter(|(_, id)| set.contains(id.unsigned_abs()));
            let members: Vec<u32> = members.map(|(id, _)| id.unsigned_abs()).collect();
            for offset in [0, 1, 100, members.len() as u64 - 3] {
                let request = PageRequest { limit: 10, start: Start::Offset(offset) };
                let total = i64::try_from(members.len()).unwrap();
                let window = request.window(Order::Ascending, total);
                let list: Vec<_> = if window.is_reversed { list.iter().rev().copied().collect() } else { list.clone() };
                let expected = members.iter().skip(usize::try_from(offset).unwrap()).take(10).copied();
                let mut walk = Walk::new(&set, &window, total, 60_000);
                let mut met = None;
                while let (None, Some(far)) = (&met, walk.far()) {
                    met = walk.meet(list.iter().take(place(far)).copied().collect());
                }
                let page = met.map(|ids| {
                    request.page(&window, ids, total, |id| Cursor { keys: Vec::new(), id: id.cast_signed() }).items
                });
                let expected = if has_end || window.is_reversed { Some(expected.collect()) } else { None };
                assert_eq!(page, expected, "{offset}");
            }
        }
    }
}
