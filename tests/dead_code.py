#!/usr/bin/env python3
"""dead_code - what no command and no bench uses, though a library makes it public

rustc does not look for dead code in what a library exports. So the three crates, the program, the benches
and the example are copied into one program, of which nothing is exported, and rustc's lint dead_code is read.
Tests are not in it: what only tests use is dead, too. Nothing is built, only checked.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COPY = ROOT / "target" / "dead-code"
CRATES = ["core", "daemon", "lab"]

# What only tests use, and why it stays. A line that is not needed any more is a fault.
KEPT = {
    "parse": "reads a config, but no file that it names; a test of the config has none of them",
}


def modules(text, own):
    """Makes paths of crates to paths of modules; `own` is the module that was the crate `crate`."""
    text = re.sub(r"(?<![\w:$])crate::", f"crate::{own}::" if own else "crate::", text)
    text = re.sub(r"(?<![\w:])gatepost_(core|daemon|lab)\b(?=::| as)", r"crate::gatepost_\1", text)
    return text.replace('"../../core/', '"../../gatepost_core/')


def copy_crate(name):
    own = f"gatepost_{name}"
    shutil.copytree(ROOT / "src" / name, COPY / "src" / own)
    (COPY / "src" / own / "lib.rs").rename(COPY / "src" / f"{own}.rs")
    rewrite(own)


def copy_program(path, own):
    """A program of several files, or of one, becomes the module `own` with an `entry`."""
    target = COPY / "src" / f"{own}.rs"
    if path.name == "main.rs":
        shutil.copytree(path.parent, COPY / "src" / own)
        (COPY / "src" / own / "main.rs").rename(target)
    else:
        shutil.copy(path, target)
    rewrite(own)
    with target.open("a") as file:
        file.write("\npub(crate) fn entry() {\n    let _ = main();\n}\n")


def rewrite(own):
    files = [COPY / "src" / f"{own}.rs", *(COPY / "src" / own).rglob("*.rs")]
    for file in files:
        file.write_text(modules(file.read_text(), own))


def write_main(programs):
    text = modules((ROOT / "src" / "main.rs").read_text(), "")
    begin = "fn main() -> ExitCode {\n"
    if begin not in text:
        sys.exit("dead_code: src/main.rs has no main as this script knows it")
    entries = "".join(f"        {name}::entry();\n" for name in programs)
    text = text.replace(begin, f"{begin}    if std::env::args().len() == 0 {{\n{entries}    }}\n")
    declared = [f"mod gatepost_{name};" for name in CRATES] + [f"mod {name};" for name in programs]
    (COPY / "src" / "main.rs").write_text(text + "\n" + "\n".join(declared) + "\n")


def write_manifest():
    root = tomllib.loads((ROOT / "Cargo.toml").read_text())
    known = root["workspace"]["dependencies"]
    manifests = [tomllib.loads((ROOT / "src" / name / "Cargo.toml").read_text()) for name in CRATES]
    tables = [root["dependencies"], root["dev-dependencies"]]
    tables += [manifest["dependencies"] for manifest in manifests]
    lines = ["[workspace]", "[package]", 'name = "dead-code"', 'version = "0.0.0"']
    lines += [f'edition = "{root["workspace"]["package"]["edition"]}"', "[features]"]
    lines += ['default = ["lab"]', "lab = []", "[dependencies]"]
    for name in sorted({name for table in tables for name in table} - {f"gatepost-{c}" for c in CRATES}):
        wanted = known[name] if isinstance(known[name], dict) else {"version": known[name]}
        fields = ", ".join(f"{key} = {json.dumps(value)}" for key, value in wanted.items())
        lines.append(f"{name} = {{ {fields} }}")
    lines += ["[profile.dev]", "debug = false", '[profile.dev.package."*"]', "opt-level = 1", "debug = false"]
    (COPY / "Cargo.toml").write_text("\n".join(lines) + "\n")
    shutil.copy(ROOT / "Cargo.lock", COPY)


def check():
    """What rustc says: the dead items, and the errors of a copy that does not compile."""
    command = ["cargo", "check", "--quiet", "--offline", "--message-format=json"]
    place = {"CARGO_TARGET_DIR": str(ROOT / "target"), "CARGO_BIN_EXE_gatepost": "gatepost"}
    ran = subprocess.run(command, cwd=COPY, env=os.environ | place, stdout=subprocess.PIPE, text=True)
    dead, errors = [], []
    for line in ran.stdout.splitlines():
        message = json.loads(line).get("message") or {}
        if message.get("level") == "error":
            errors.append(message["rendered"])
        if (message.get("code") or {}).get("code") == "dead_code":
            dead += [
                (span["file_name"], span["line_start"], span["text"][0]["text"].strip(), span)
                for span in message["spans"]
                if span["is_primary"]
            ]
    if ran.returncode != 0:
        sys.exit("dead_code: the copy does not compile\n" + "\n".join(errors))
    return dead


def main():
    shutil.rmtree(COPY, ignore_errors=True)
    (COPY / "src").mkdir(parents=True)
    shutil.copytree(ROOT / "config", COPY / "config")
    for name in CRATES:
        copy_crate(name)
    programs = {f"bench_{path.stem}": path for path in sorted((ROOT / "benches").glob("*.rs"))}
    programs |= {f"bench_{path.parent.name}": path for path in sorted((ROOT / "benches").glob("*/main.rs"))}
    programs["certs_make"] = ROOT / "certs" / "make.rs"
    for name, path in programs.items():
        copy_program(path, name)
    write_main(programs)
    write_manifest()
    found, kept = [], set()
    for file, line, text, span in check():
        item = text[:]
        name = span["text"][0]["text"][span["column_start"] - 1 : span["column_end"] - 1]
        if name in KEPT:
            kept.add(name)
        else:
            found.append(f"{file.replace('src/gatepost_', 'src/')}: {name}: {item}")
    found += [f"KEPT: {name} is used, or is gone" for name in sorted(KEPT.keys() - kept)]
    if found:
        sys.exit("dead_code: used by no command and no bench:\n" + "\n".join(sorted(found)))
    print("no dead code")


main()
