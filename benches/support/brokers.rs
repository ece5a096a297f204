//! What the services that carry jobs do by themselves on this machine, beside which the queues can be seen.

use std::{
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties,
    options::{
        BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions,
    },
    types::{AMQPValue, FieldTable},
};

/// How many requests or messages are sent.
const REQUESTS: usize = 20_000;
/// How many of them one by one, each when the one before has arrived.
const ONE_BY_ONE: usize = 500;
/// As many clients as the bench has workers.
const CLIENTS: &str = "4";

fn print(operation: &str, per_second: f64, middle: Duration, late: Duration) {
    let [middle, late] = [middle, late].map(|time| format!("{:.2} ms", time.as_secs_f64() * 1_000.0));
    println!("{operation:<44}{per_second:>14.0}{middle:>14}{late:>14}");
}

/// The time that so many percent of `times` do not exceed.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort();
    times.get(times.len() * percent / 100).copied().unwrap_or_default()
}

/// The output of a benchmark, unless it is not installed.
fn output(command: &mut Command) -> Result<Option<String>> {
    let Ok(output) = command.output() else {
        println!("{} is not installed: not run", command.get_program().display());
        return Ok(None);
    };
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(Some(String::from_utf8(output.stdout)?))
}

/// pgbench on what a job takes at the least: a row written, committed and told of.
pub(crate) async fn postgres(server: &str) -> Result<()> {
    const SCRIPT: &str = "begin;\nupdate bench_job set due = now() where id = (select id from bench_job order by due limit 1 \
                          for update skip locked);\nselect pg_notify('bench', '');\nend;\n";
    let directory = tempfile::tempdir()?;
    let database = crate::database::Database::make(directory.path(), Some(server)).await?;
    let prepare = "create table bench_job (id int primary key, due timestamp not null);
        insert into bench_job select number, now() from generate_series(1, 1000) as number";
    crate::database::run(&database.url, prepare.to_owned()).await?;
    std::fs::write(directory.path().join("script"), SCRIPT)?;
    let mut command = Command::new("pgbench");
    command.current_dir(directory.path()).args(["-n", "-c", CLIENTS, "-T", "5", "-l", "-f", "script", &database.url]);
    let ran = output(&mut command)?;
    if let Some(text) = ran {
        let rate = text.lines().find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        let mut times = logged(directory.path())?;
        let (middle, late) = (percentile(&mut times, 50), percentile(&mut times, 99));
        print("pgbench: one row, committed and notified", rate.context("pgbench gives no rate")?, middle, late);
    }
    database.drop().await
}

/// How long each transaction took that pgbench logged in `directory`; the third number of a line, in microseconds.
fn logged(directory: &Path) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pgbench_log")) {
            let text = std::fs::read_to_string(path)?;
            let times_of = |line: &str| line.split(' ').nth(2)?.parse().ok().map(Duration::from_micros);
            times.extend(text.lines().filter_map(times_of));
        }
    }
    Ok(times)
}

/// redis-benchmark on the commands that scripts of the queue are made of.
pub(crate) fn redis(url: &str) -> Result<()> {
    let mut command = Command::new("redis-benchmark");
    command.args(["-u", url, "--csv", "-c", CLIENTS, "-n", &REQUESTS.to_string(), "-t", "hset,zadd,zpopmin"]);
    let Some(text) = output(&mut command)? else { return Ok(()) };
    // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
    for line in text.lines().skip(1) {
        let columns: Vec<&str> = line.split(',').map(|column| column.trim_matches('"')).collect();
        ensure!(columns.len() > 6, "redis-benchmark says {line:?}");
        let milliseconds = |column: usize| -> Result<Duration> {
            Ok(Duration::from_secs_f64(columns[column].parse::<f64>()? / 1_000.0))
        };
        print(&format!("redis-benchmark: {}", columns[0]), columns[1].parse()?, milliseconds(4)?, milliseconds(6)?);
    }
    Ok(())
}

/// Messages through a quorum queue as the messenger's. RabbitMQ's own benchmark is a Java program that Debian does not have;
/// this is the same client as the messenger's, without anything else.
pub(crate) async fn rabbitmq(url: &str) -> Result<()> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let queue = format!("bench-messages-{}", std::process::id());
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString("quorum".into()));
    channel.queue_declare(queue.as_str().into(), QueueDeclareOptions::durable(), arguments).await?;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut messages = channel.basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default()).await?;

    let mut times = Vec::new();
    for _ in 0..ONE_BY_ONE {
        let begun = Instant::now();
        publish(&channel, &queue).await?;
        messages.next().await.context("the service ended the consumer")??;
        times.push(begun.elapsed());
    }
    let begun = Instant::now();
    let sending = async {
        for _ in 0..REQUESTS {
            publish(&channel, &queue).await?;
        }
        anyhow::Ok(())
    };
    let receiving = async {
        for _ in 0..REQUESTS {
            messages.next().await.context("the service ended the consumer")??;
        }
        anyhow::Ok(())
    };
    tokio::try_join!(sending, receiving)?;
    let rate = f64::from(u32::try_from(REQUESTS)?) / begun.elapsed().as_secs_f64();
    print("RabbitMQ: a message through a quorum queue", rate, percentile(&mut times, 50), percentile(&mut times, 99));
    channel.queue_delete(queue.as_str().into(), QueueDeleteOptions::default()).await?;
    connection.close(200, "OK".into()).await?;
    Ok(())
}

async fn publish(channel: &Channel, queue: &str) -> Result<()> {
    let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
    let _confirmed_later = channel.basic_publish("".into(), queue.into(), options, &[], properties).await?;
    Ok(())
}
