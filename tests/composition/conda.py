"""Stands in for conda, which no package registry has: does what `conda-lock install` has it do, with rattler for Python."""

import asyncio
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import rattler


def path_of(url):
    """The path of a file: URL."""
    return Path(unquote(urlsplit(url).path))


def records(urls):
    """The records of the packages at these URLs, whose hashes have to be right."""
    wanted = {}
    for url, md5 in (url.split("#") for url in urls):
        if hashlib.md5(path_of(url).read_bytes()).hexdigest() != md5:
            sys.exit(f"{url} has another MD5 than {md5}")
        wanted[url] = url.rsplit("/", 2)
    channels = {(base, subdir) for base, subdir, _ in wanted.values()}
    for base, subdir in channels:
        data = rattler.RepoData.from_path(path_of(f"{base}/{subdir}/repodata.json"))
        for record in data.into_repo_data(rattler.Channel(base)):
            if str(record.url) in wanted:
                yield record


def create(prefix, file):
    lines = Path(file).read_text().splitlines()
    urls = [line for line in lines[lines.index("@EXPLICIT") + 1 :] if not line.startswith("#")]
    found = list(records(urls))
    if len(found) != len(urls):
        sys.exit(f"only {len(found)} of {len(urls)} packages are in their channels")
    asyncio.run(rattler.install(found, target_prefix=prefix))


def run(prefix, command):
    environment = {**os.environ, "CONDA_PREFIX": prefix, "PATH": f"{prefix}/bin:{os.environ['PATH']}"}
    sys.exit(subprocess.call([f"{prefix}/bin/{command[0]}", *command[1:]], env=environment))


arguments = sys.argv[1:]
option = lambda name: arguments[arguments.index(name) + 1]
if arguments[0] == "create":
    create(option("--prefix"), option("--file"))
elif arguments[0] == "run":
    run(option("--prefix"), arguments[arguments.index("pip") :])
else:
    sys.exit(f"nobody said what {arguments} is to do")
