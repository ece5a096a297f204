//! What the services that carry jobs say of themselves: their own benchmarks.

use std::process::Command;

/// Runs the benchmarks that come with the services, where they are installed.
pub(crate) fn print_their_own_benchmarks(postgres: Option<&str>, redis: Option<&str>) {
    if let Some(url) = redis {
        let mut command = Command::new("redis-benchmark");
        print("redis-benchmark", command.args(["-u", url, "-q", "-n", "20000", "-c", "4", "-t", "lpush,lpop,zadd"]));
    }
    if let Some(url) = postgres {
        // One row written, committed and notified of, as for a job.
        let script = "select pg_notify('bench', ''); select txid_current();";
        let file = tempfile::NamedTempFile::new().and_then(|file| std::fs::write(file.path(), script).map(|()| file));
        if let Ok(file) = file {
            let mut command = Command::new("pgbench");
            print("pgbench", command.args(["-n", "-c", "4", "-T", "5", "-f"]).arg(file.path()).arg(url));
        }
    }
    println!("rabbitmq-perf-test is a program of its own that no package of this bench's services brings: not run");
}

/// What the lines of its output say that tell of a rate or a latency.
fn print(name: &str, command: &mut Command) {
    let Ok(output) = command.output() else { return println!("{name} is not installed: not run") };
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text
        .split(['\n', '\r'])
        .filter(|line| ["per second", "tps =", "latency average"].iter().any(|word| line.contains(word)));
    for line in lines.filter(|line| !line.contains("rps=")) {
        println!("{name}: {}", line.trim());
    }
}
