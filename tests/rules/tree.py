"""Checks the tree's own rules: who includes whom, how files begin and are named, and what may not stand in them.

CMake's targets already keep a module from including what it does not use; this says so before a build, and holds the rules
that are finer than a target. Exit code 1 when one is broken, each as FILE:LINE: what and why.
"""

import re
import subprocess
import sys
from pathlib import Path

# Folder (the longest that fits counts) to the prefixes of ours that it may include, besides its own folder's.
MAY_INCLUDE = {
    "transport/kafka": [],
    "transport/http": [],
    "transport/metrics": [],
    "producer": ["producer/", "transport/", "runfold/v1/"],
    "sinks": ["transport/", "runfold/v1/"],
    "collector": ["collector/", "transport/", "sinks/sink.hpp", "sinks/observer.hpp", "runfold/v1/"],
    "collector/portal": ["transport/http/"],
    "cli": ["producer/", "transport/", "runfold/v1/"],
    "cmake": ["runfold/v1/"],
    "deploy": ["producer/sdk/", "runfold/v1/"],
    "tests": [""],
}
# Files to the prefixes that they may include, of all there are: stages that do no I/O.
PURE = re.compile(r"^collector/(decode|fold|liveness)[^/]*\.[ch]pp$")
PURE_MAY_INCLUDE = ("collector/decode", "collector/fold", "collector/liveness.hpp", "collector/counts.hpp", "collector/rows.hpp", "runfold/v1/", "boost/container",
                    "boost/unordered", "boost/system/result", "boost/uuid/name_generator", "boost/uuid/uuid_io", "google/protobuf/")
# Only a main.cpp, and what it is split into, names concrete stores and sinks.
CONCRETE = re.compile(r"^(collector/store/(sqlite|postgres)/|sinks/(?!(sink|observer)\.hpp))")
MAY_NAME_CONCRETE = re.compile(r"^(collector/main[^/]*\.cpp|collector/store/(sqlite|postgres)/.*|sinks/.*|tests/.*)$")

FORBIDDEN_NAMES = re.compile(r"(^|[_/-])(utils?|common|helpers?|managers?)([_./-]|$)", re.IGNORECASE)
FORBIDDEN_WORDS = [
    (re.compile(r"\b(TODO|FIXME|XXX|HACK)\b"), "finish it or open an issue"),
    (re.compile(r"sleep_for|sleep_until|\busleep\("), "wait on a condition, not on a sleep"),
    (re.compile(r"catch \(\.\.\.\) \{\s*\}"), "an error is swallowed"),
]
# The one place that asks again and again, with a deadline: what happens in another process wakes nobody here.
ASKS_AGAIN = "tests/support/wait_until.hpp"
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')
TEST = re.compile(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", re.MULTILINE)
GUARANTEES = "docs/GUARANTEES.md"
OURS = ("transport/", "producer/", "collector/", "sinks/", "cli/", "tests/", "runfold/v1/")


def may_include(path):
    fits = [folder for folder in MAY_INCLUDE if path.startswith(folder + "/")]
    if not fits:
        return None
    folder = max(fits, key=len)
    return [folder + "/", *MAY_INCLUDE[folder]]


def check_includes(path, number, quote, header):
    if quote == '"' and not header.startswith(OURS):
        yield f'"{header}" is not written from the top of the tree'
    if PURE.match(path) and "/" in header and not header.startswith(PURE_MAY_INCLUDE):
        yield f"{header}: decode and fold include the contract and containers only"
    if path.endswith(".hpp") and header.startswith("boost/beast") and not path.startswith("cmake/"):
        yield f"{header}: keep Beast out of headers, it costs seconds a file"
    if CONCRETE.match(header) and not MAY_NAME_CONCRETE.match(path):
        yield f"{header}: only main.cpp names concrete stores and sinks"
    allowed = [""] if CONCRETE.match(header) and MAY_NAME_CONCRETE.match(path) else may_include(path)
    if allowed is not None and header.startswith(OURS) and not header.startswith(tuple(allowed)):
        yield f"{header}: {path.rsplit('/', 1)[0]} may include {', '.join(allowed)}"


def check_file(path):
    text = Path(path).read_text(encoding="utf-8")
    lines = text.splitlines()
    if path.endswith((".cpp", ".hpp")):
        if not lines or not re.match(r"// \S.*[.:]$", lines[0]):
            yield 1, "open with one // sentence that says what the file does"
        for number, line in enumerate(lines, 1):
            include = INCLUDE.match(line)
            if include:
                for problem in check_includes(path, number, *include.groups()):
                    yield number, problem
        if path.endswith(".hpp") and "#pragma once" not in lines:
            yield 1, "#pragma once is missing"
    for number, line in enumerate(lines, 1):
        for word, why in FORBIDDEN_WORDS:
            if word.search(line) and not (path == ASKS_AGAIN and "sleep" in word.pattern):
                yield number, f"'{word.search(line).group()}': {why}"


def check_guarantees(tracked):
    """Each test that docs/GUARANTEES.md names is there."""
    tests = set()
    for path in tracked:
        if path.startswith("tests/") and path.endswith(".cpp"):
            tests.update(f"{suite}.{name}" for suite, name in TEST.findall(Path(path).read_text(encoding="utf-8")))
    suites = {test.split(".")[0] for test in tests}
    for number, line in enumerate(Path(GUARANTEES).read_text(encoding="utf-8").splitlines(), 1):
        for suite, name in re.findall(r"`([A-Z]\w+)\.(\w+|\*)`", line):
            if suite not in suites if name == "*" else f"{suite}.{name}" not in tests:
                yield f"{GUARANTEES}:{number}: there is no test {suite}.{name}"


def main():
    tracked = subprocess.run(["git", "ls-files", "-z"], check=True, capture_output=True, text=True).stdout.split("\0")[:-1]
    broken = []
    for path in tracked:
        if not Path(path).is_file():
            continue
        if FORBIDDEN_NAMES.search(path):
            broken.append(f"{path}: util, common, helper and manager say nothing; name what it does")
        if path.endswith((".cpp", ".hpp", ".ts", ".tsx", ".proto")) and path != "tests/rules/tree.py":
            broken += [f"{path}:{number}: {problem}" for number, problem in check_file(path)]
    broken += check_guarantees([path for path in tracked if Path(path).is_file()])
    print("\n".join(broken) or f"{len(tracked)} files follow the rules")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
