//! How long lists take where there are 100,000 environments and 1,000,000 builds in PostgreSQL, at every list of the API,
//! with every filter and order, for somebody who may see everything and for somebody who may see little:
//!
//!     CONDA_STORE_TEST_POSTGRES_URL=… cargo bench --bench lists
//!
//! Fills a database of its own, which takes some minutes and 2 GB. Looks at how PostgreSQL really came by the first and the
//! last page of each list, and fails where it read a large table from one end to the other; the user must be a superuser
//! for that. Then a server in a process of its own is asked for each list over HTTP; compiled with optimisations, the bench
//! fails where the median of the times of a first or last page is over 50 ms, or where the idle server has 100 MB or more.
//! Shows how long a server takes to read all packages, which it does once for lists of them that are not by name.

#![expect(clippy::print_stdout, reason = "a bench answers on the terminal")]

#[path = "support/database.rs"]
mod database;
#[path = "support/lists.rs"]
mod lists;
#[path = "support/plans.rs"]
mod plans;
#[path = "support/site.rs"]
mod site;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use conda_store_auth::{PredefinedToken, TokensConfig};
use conda_store_core::testing::service;
use reqwest::Client;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use self::{
    lists::{List, Paging},
    plans::Plans,
    site::Site,
};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The argument that makes a server of this program.
const SERVE: &str = "--serve";
/// Items of a page.
const SIZE: u64 = 100;
/// How often each page is asked for; once where times are not judged.
const TIMES: usize = if IS_JUDGED { 7 } else { 1 };
/// Whether it was compiled with optimisations, without which times say little.
const IS_JUDGED: bool = !cfg!(debug_assertions);
/// What the median may be.
const LIMIT: Duration = Duration::from_millis(50);
/// What an idle server may have in memory.
const MEMORY: u64 = 100_000_000;
/// Tables of more rows are large.
const LARGE: f32 = 150_000.0;
/// Rows of large tables that may be looked at for a first or last page.
const LOOKED_AT: f64 = 60_000.0;

/// Who asks, by their tokens: where they have which role.
const CALLERS: [(&str, &[(&str, &str)]); 3] = [
    ("admin", &[("*/*", "admin")]),
    ("viewer", &[("team-3/*", "viewer"), ("team-77/*", "viewer"), ("team-1501/*", "viewer")]),
    ("guest", &[("team-19*/*", "viewer"), ("team-1/data-2", "viewer"), ("*/torch-1", "viewer")]),
];

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == SERVE) {
        Some(at) => runtime.block_on(serve(&arguments[at + 1])),
        None => runtime.block_on(measure()),
    }
}

/// A server that says where it is, and ends with its input.
async fn serve(url: &str) -> Result<()> {
    let site = Site::start(url, tempfile::tempdir()?, tokens()?).await?;
    println!("{}", site.base);
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    Ok(())
}

fn tokens() -> Result<TokensConfig> {
    let token = |(name, roles): (&str, &[(&str, &str)])| {
        let roles = roles.iter().map(|(pattern, role)| Ok((pattern.parse()?, [role.parse()?].into())));
        let role_bindings = roles.collect::<Result<_>>()?;
        Ok((name.to_owned(), PredefinedToken { primary_namespace: "bench".into(), role_bindings, exp: None }))
    };
    let predefined_tokens = CALLERS.into_iter().map(token).collect::<Result<BTreeMap<_, _>>>()?;
    Ok(TokensConfig { predefined_tokens, ..TokensConfig::default() })
}

async fn measure() -> Result<()> {
    let Some(server) = service("postgres") else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let database = database::Database::make(directory.path(), Some(&server)).await?;
    let outcome = measure_in(&database.url).await;
    database.drop().await?;
    outcome
}

async fn measure_in(url: &str) -> Result<()> {
    let large = fill(url).await?;
    let (environment, build) = example(url).await?;
    let lists = lists::all(&environment, build);
    let plans = look_at_plans(url, &lists, &large).await?;
    let times = look_at_times(url, &lists).await?;
    let problems = [plans, times].concat();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
}

/// Makes the tables as the original does, fills them, and has them taken over.
const ORIGINAL: [&str; 2] =
    [include_str!("../conda-store-core/migrations/postgres/0001_original.sql"), include_str!("support/lists.sql")];
/// The rest, once all tables are there.
const REST: &str = "insert into cs_token (sha256, owner, primary_namespace, role_bindings, created_on, expires_on) \
    select md5(i::text) || md5((-i)::text), 'team-' || i % 2000, 'team-' || i % 2000, '{}', now(), now() + interval '1 y' \
    from generate_series(1, 20000) i";

/// Fills the database, and answers which tables are large.
async fn fill(url: &str) -> Result<Vec<String>> {
    let mut connection = PgConnection::connect(url).await?;
    let begun = Instant::now();
    for statements in ORIGINAL {
        sqlx::raw_sql(statements).execute(&mut connection).await?;
    }
    let mut since = begun;
    let mut report = |what: &str| {
        println!("{what} in {:.0?}", since.elapsed());
        since = Instant::now();
    };
    report("filled");
    let site = Site::start(url, tempfile::tempdir()?, TokensConfig::default()).await?;
    report("taken over");
    site.store.catalogue().update_build_facts().await?;
    report("facts gathered");
    sqlx::raw_sql(REST).execute(&mut connection).await?;
    sqlx::raw_sql("vacuum analyze").execute(&mut connection).await?;
    report("analyzed");
    let sizes = "select relname::text, reltuples, pg_size_pretty(pg_total_relation_size(oid)) from pg_class \
        where relkind = 'r' and relnamespace = 'public'::regnamespace and reltuples > 0 order by reltuples desc";
    let sizes: Vec<(String, f32, String)> = sqlx::query_as(sizes).fetch_all(&mut connection).await?;
    for (table, rows, size) in &sizes {
        println!("{table:<28}{rows:>10} rows{size:>10}");
    }
    Ok(sizes.into_iter().filter(|(_, rows, _)| *rows > LARGE).map(|(table, ..)| table).collect())
}

/// The path of the environment that has most builds, and the build that its users get.
async fn example(url: &str) -> Result<(String, u64)> {
    const SELECT: &str = "select n.name || '/' || e.name, e.current_build_id from environment e \
        join namespace n on n.id = e.namespace_id where e.id = 1";
    let mut connection = PgConnection::connect(url).await?;
    let (path, build): (String, i32) = sqlx::query_as(SELECT).fetch_one(&mut connection).await?;
    Ok((path, build.try_into()?))
}

/// What is wrong with how the pages at the ends of lists are come by.
async fn look_at_plans(url: &str, lists: &[List], large: &[String]) -> Result<Vec<String>> {
    let plans = Plans::listen()?;
    let site = Site::start(&plans::told(url), tempfile::tempdir()?, tokens()?).await?;
    let asker = Asker::new(site.base.clone())?;
    let (mut problems, mut looked_at) = (Vec::new(), 0);
    for (caller, _) in CALLERS {
        for list in lists {
            let (_, pages) = asker.pages(caller, list).await?;
            for page in pages.into_iter().filter(|page| page.name != "middle") {
                plans.take()?;
                asker.get(caller, &page.path).await?;
                let reads = plans.take()?;
                ensure!(!reads.is_empty(), "PostgreSQL told no plan of {}", page.path);
                looked_at += reads.len();
                let wrong = reads.iter().filter(|read| large.contains(&read.table));
                let wrong = wrong.filter(|read| read.is_sequential() || read.rows > LOOKED_AT);
                problems.extend(wrong.map(|read| format!("{caller}: {}: {read:?}", page.path)));
            }
        }
    }
    println!("\nlooked at {looked_at} reads of tables: {} too long", problems.len());
    for problem in &problems {
        println!("{problem}");
    }
    Ok(problems)
}

/// What takes too long.
async fn look_at_times(url: &str, lists: &[List]) -> Result<Vec<String>> {
    let mut server = Server::start(url)?;
    let asker = Asker::new(server.base()?)?;
    let mut problems = Vec::new();
    let idle = server.memory()?;
    println!("\nan idle server has {idle} bytes in memory");
    if IS_JUDGED && idle >= MEMORY {
        problems.push(format!("an idle server has {idle} bytes"));
    }
    let read = asker.get("admin", "/api/v1/package?sort_by=version").await?.0;
    println!(
        "whoever is the first to want packages by version waits {read:.1?}; the server has {} bytes",
        server.memory()?
    );
    println!(
        "\n{:<8}{:<98}{:>9}{:>19}{:>19}{:>19}",
        "", "median and maximum in ms", "items", "first", "middle", "last"
    );
    for (caller, _) in CALLERS {
        for list in lists {
            let (items, pages) = asker.pages(caller, list).await?;
            print!("{caller:<8}{:<98}{items:>9}", format!("{}?{}", list.path, list.query));
            for page in pages {
                let times = asker.times(caller, &page.path).await?;
                let (median, most) = (times[TIMES / 2], times[TIMES - 1]);
                let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
                print!("{:>10.1}{:>9.1}", milliseconds(median), milliseconds(most));
                if IS_JUDGED && page.name != "middle" && median > LIMIT {
                    problems.push(format!("{caller}: {}: {median:.1?}", page.path));
                }
            }
            println!();
        }
    }
    let first = asker.get("admin", "/metrics").await?.0;
    // Whoever asks again within a second gets the same figures.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let next = asker.get("admin", "/metrics").await?.0;
    println!("\na first scrape of the metrics takes {first:.1?}, every other {next:.1?}");
    println!("after all this the server has {} bytes in memory", server.memory()?);
    Ok(problems)
}

/// A server in a process of its own, killed with this.
struct Server(Child);

impl Server {
    fn start(url: &str) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let command = command.arg(SERVE).arg(url).stdin(Stdio::piped()).stdout(Stdio::piped());
        Ok(Self(command.spawn().context("start the server")?))
    }

    fn base(&mut self) -> Result<String> {
        let mut line = String::new();
        BufReader::new(self.0.stdout.as_mut().context("it says nothing")?).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    /// Its resident bytes.
    fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it has no memory")?;
        let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse()?;
        Ok(kilobytes * 1024)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _over_already = self.0.kill();
        let _status = self.0.wait();
    }
}

/// A page of a list.
struct Page {
    name: &'static str,
    path: String,
}

/// Asks a server, with a connection that it keeps.
struct Asker {
    client: Client,
    base: String,
}

impl Asker {
    fn new(base: String) -> Result<Self> {
        Ok(Self { client: Client::builder().timeout(Duration::from_mins(1)).build()?, base })
    }

    /// How long the answer took, and what it is.
    async fn get(&self, caller: &str, path: &str) -> Result<(Duration, String)> {
        let sent = Instant::now();
        let answer = self.client.get(format!("{}{path}", self.base)).bearer_auth(caller).send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success() || status == 403, "{path}: {status}: {text}");
        Ok((sent.elapsed(), text))
    }

    /// How long the page takes, in order.
    async fn times(&self, caller: &str, path: &str) -> Result<Vec<Duration>> {
        let mut times = Vec::with_capacity(TIMES);
        for _ in 0..TIMES {
            times.push(self.get(caller, path).await?.0);
        }
        times.sort_unstable();
        Ok(times)
    }

    /// How many items the list has, and where its first, middle and last pages are. By cursors one comes from the first
    /// page to the next one; the last page is the first in the other order.
    async fn pages(&self, caller: &str, list: &List) -> Result<(u64, Vec<Page>)> {
        let page = |name, paging: String| Page { name, path: format!("{}?{}&{paging}", list.path, list.query) };
        let first = match list.paging {
            Paging::Numbers => page("first", format!("size={SIZE}")),
            Paging::Cursors => page("first", format!("limit={SIZE}")),
            Paging::Whole => page("first", String::new()),
        };
        let answer: Value = serde_json::from_str(&self.get(caller, &first.path).await?.1)?;
        let items = answer["count"].as_u64().unwrap_or_default();
        let mut pages = vec![first];
        match (list.paging, answer["cursor"].as_str()) {
            (Paging::Numbers, _) if items > SIZE => {
                let count = items.div_ceil(SIZE);
                pages.push(page("middle", format!("size={SIZE}&page={}", count / 2 + 1)));
                pages.push(page("last", format!("size={SIZE}&page={count}")));
            }
            (Paging::Cursors, Some(cursor)) => pages.push(page("next", format!("limit={SIZE}&cursor={cursor}"))),
            _ => {}
        }
        Ok((items, pages))
    }
}
