#!/usr/bin/env python3
"""oldest_rust - whether a locked crate of the normal build asks for a newer Rust than ours

Usage: tests/oldest_rust.py VERSION. For where that Rust is not installed: crates say in their
`rust-version` what they need. Those that say nothing are counted, not checked. Test crates do not
count, for packages are built without them.
"""

import json
import subprocess
import sys


def version(text):
    return tuple(int(part) for part in (text + ".0.0").split(".")[:3])


def metadata():
    command = ["cargo", "metadata", "--locked", "--format-version", "1", "--all-features"]
    rustc = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.split()[1] for line in rustc.splitlines() if line.startswith("host:"))
    command += ["--filter-platform", host]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def built(graph):
    """The packages of the normal build: no dependencies that only tests have."""
    nodes = {node["id"]: node for node in graph["resolve"]["nodes"]}
    seen, todo = set(), list(graph["workspace_members"])
    while todo:
        package = todo.pop()
        if package in seen:
            continue
        seen.add(package)
        for dependency in nodes[package]["deps"]:
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"]):
                todo.append(dependency["pkg"])
    return seen


def main():
    promised = sys.argv[1]
    graph = metadata()
    members = set(graph["workspace_members"])
    wanted = built(graph)
    faults, silent = [], 0
    for package in graph["packages"]:
        if package["id"] not in wanted:
            continue
        name, needs = f"{package['name']} {package['version']}", package["rust_version"]
        if package["id"] in members:
            if needs is None or version(needs) != version(promised):
                faults.append(f"{name} is ours and promises Rust {needs}, not {promised}")
        elif needs is None:
            silent += 1
        elif version(needs) > version(promised):
            faults.append(f"{name} needs Rust {needs}, newer than the promised {promised}")
    print(f"{len(wanted)} crates of the normal build, {silent} of them without a rust-version")
    if len(wanted) < 20:
        faults.append("that cannot be all")
    for fault in faults:
        print(fault, file=sys.stderr)
    sys.exit(1 if faults else 0)


main()
