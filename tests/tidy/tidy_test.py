"""Style checks that a compiler does not make. Each violation is printed as file:line: what."""

import fnmatch
import json
import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor

from conftest import report

LINES_MAX = 450
# Longer files, each with its length and the reason. A length here may only shrink.
LONG_FILES = {}

SOURCE = re.compile(r"\.(cc|h|c|py|js|go|sh|build|toml)$|^do$|^\.ci/run$")
PRODUCT = ("ring/", "wire/", "src/")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')

# (files, what they must not include, why)
FORBIDDEN_INCLUDES = [
    ("wire/*", r'"(ring|src)/', "wire is the protocol alone"),
    ("ring/*", r'"(wire|src)/', "ring knows no PostgreSQL"),
    ("ring/*", r"<openssl/", "OpenSSL is for wire/*.cc, src/tls and src/auth"),
    ("wire/*.h", r"<openssl/", "OpenSSL stays out of wire's headers"),
    ("*", r'"tests/', "the product does not include tests"),
    ("*", r'"\.\.?/', "includes start at the root of the repository"),
]
HOT_MARK = re.compile(r"^//.*\bHot path\b")
HOT_FORBIDDEN = re.compile(r"\bstd::function\b|\bthrow\b|\bco_await\b|\bvirtual\b|(?<!operator )\bnew\b")
# Marks of unfinished work, put together here so that this file has none.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"]) + r")\b")


def lines_of(root, path):
    return (root / path).read_text(encoding="utf-8").splitlines()


def is_hot(root, path):
    """Whether the comment that opens the file says so."""
    return any(HOT_MARK.search(line) for line in lines_of(root, path)[:20])


def product_sources(tracked):
    return [path for path in tracked if path.startswith(PRODUCT) and path.endswith((".cc", ".h"))]


def code_of(lines):
    """(number, code) without comments and the insides of strings."""
    in_comment = False
    for number, line in enumerate(lines, 1):
        line = re.sub(r'"(\\.|[^"\\])*"', '""', line)
        if in_comment:
            _, end, line = line.partition("*/")
            in_comment = not end
        line = re.sub(r"/\*.*?\*/", "", line)
        line, start, _ = line.partition("/*")
        in_comment = in_comment or bool(start)
        yield number, line.split("//", 1)[0]


def test_includes_follow_the_layers(root, tracked):
    violations = []
    for path in product_sources(tracked):
        for number, line in enumerate(lines_of(root, path), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            spelled = found[1] + found[2]
            for pattern, forbidden, why in FORBIDDEN_INCLUDES:
                if fnmatch.fnmatchcase(path, pattern) and re.match(forbidden, spelled):
                    violations.append(f"{path}:{number}: includes {found[2]}: {why}")
            if re.match(r"<(liburing\.h|linux/io_uring\.h)", spelled) and not re.fullmatch(r"ring/(.*\.cc|.*_uring\.h)", path):
                violations.append(f"{path}:{number}: <{found[2]}> is for ring/*.cc and ring/*_uring.h")
            if spelled.startswith("<openssl/") and not re.match(r"wire/.*\.cc$|src/(tls|auth)/", path):
                violations.append(f"{path}:{number}: OpenSSL is for wire/*.cc, src/tls and src/auth")
            if found[1] == '"' and "/" in found[2] and not (root / found[2]).is_file():
                violations.append(f"{path}:{number}: there is no {found[2]} in the repository")
    report(violations)


def compile_arguments(commands, header):
    """Flags of the header's own .cc file, else of any source of its folder, else of any source."""
    def closeness(path):
        if os.path.splitext(path)[0] == os.path.splitext(header)[0]:
            return 0
        return 1 if os.path.dirname(path) == os.path.dirname(header) else 2

    chosen = min(sorted(commands), key=closeness)
    arguments = shlex.split(commands[chosen]["command"])
    kept, skip = [], False
    for argument in arguments[:-1]:
        # What is included first is the precompiled header, which is not to help.
        if skip or argument in ("-o", "-MF", "-MQ", "-c", "-MD", "-include"):
            skip = not skip and argument in ("-o", "-MF", "-MQ", "-include")
            continue
        kept.append(argument)
    return kept, commands[chosen]["directory"]


def test_each_header_compiles_alone(root, tracked, build_folder):
    with open(build_folder / "compile_commands.json", encoding="utf-8") as file:
        commands = {
            os.path.relpath(os.path.join(entry["directory"], entry["file"]), root): entry
            for entry in json.load(file) if entry["file"].endswith(".cc")
        }
    headers = [path for path in product_sources(tracked) if path.endswith(".h")]
    assert commands and headers

    def check(header):
        arguments, directory = compile_arguments(commands, header)
        done = subprocess.run(
            [*arguments, "-fsyntax-only", "-O0", "-Wno-unused", "-Wno-error=cpp", "-U_FORTIFY_SOURCE",
             "-include", str(root / header), "-x", "c++", os.devnull],
            cwd=directory, capture_output=True, text=True, check=False)
        first = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr[-300:])
        return f"{header}:1: does not compile alone: {first}" if done.returncode else None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        report([violation for violation in pool.map(check, headers) if violation])


def test_files_stay_short(root, tracked):
    violations = []
    lengths = {path: len(lines_of(root, path)) for path in tracked if SOURCE.search(path)}
    for path, length in lengths.items():
        limit, reason = LONG_FILES.get(path, (LINES_MAX, ""))
        if length > limit:
            violations.append(f"{path}:{length}: longer than {limit} lines: two things in one file?")
        elif reason and length < limit:
            violations.append(f"{path}:{length}: shrank; write {length} in LONG_FILES, or take it out at {LINES_MAX}")
    violations += [f"{path}:1: is in LONG_FILES and not in the tree" for path in LONG_FILES if path not in lengths]
    report(violations)


def test_lock_files_hold_hashes_and_no_address(root, tracked):
    """What is pinned comes from whatever registry the machine's npm knows (npm's omit-lockfile-registry-resolved)."""
    violations = []
    for path in tracked:
        if not path.endswith("package-lock.json"):
            continue
        violations += [f"{path}:{number}: an address" for number, line in enumerate(lines_of(root, path), 1) if "://" in line]
        packages = json.loads((root / path).read_text(encoding="utf-8"))["packages"]
        violations += [f"{path}:1: {name} has no hash" for name, entry in packages.items() if name and "integrity" not in entry]
    report(violations)


def test_nothing_is_marked_unfinished(root, tracked):
    report([
        f"{path}:{number}: {found[0]}: finish it, or describe it in docs/"
        for path in tracked if SOURCE.search(path) and not path.startswith("subprojects/")
        for number, line in enumerate(lines_of(root, path), 1) for found in [UNFINISHED.search(line)] if found
    ])


def test_hot_files_keep_to_the_hot_path_rules(root, tracked):
    violations = []
    hot = [path for path in product_sources(tracked) if is_hot(root, path)]
    for path in hot:
        for number, code in code_of(lines_of(root, path)):
            found = HOT_FORBIDDEN.search(code)
            if found:
                violations.append(f"{path}:{number}: {found[0]} in a file whose opening comment says Hot path")
    report(violations)


def test_a_hot_file_is_marked_at_all(root, tracked):
    """The rule above must not pass for want of marks."""
    paths = product_sources(tracked)
    assert any(is_hot(root, path) for path in paths)


def test_awaited_expressions_hold_no_braces(root, tracked):
    """g++ 12 destroys twice what is made inside a co_await expression from braces or a capturing lambda."""
    report([
        f"{path}:{number}: name what co_await waits for before the expression"
        for path in product_sources(tracked) for number, code in code_of(lines_of(root, path))
        if re.search(r"\bco_await\b[^;]*[{\[]", code)
    ])


def test_paths_in_documents_exist(root, tracked):
    violations = []
    folders = r"(?:ring|wire|src|tests|perf|packaging|docs|subprojects|scripts|\.ci)"
    quoted = re.compile(r"`(" + folders + r"/[\w./*{},-]*)(?::\d+)?`")
    linked = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")
    for path in tracked:
        if not (path.endswith(".md") and (path.startswith("docs/") or path.count("/") <= 1)):
            continue
        for number, line in enumerate(lines_of(root, path), 1):
            named = [(name, root / name) for name in quoted.findall(line)]
            named += [(name, (root / path).parent / name) for name in linked.findall(line)]
            for name, target in named:
                if not exists(target):
                    violations.append(f"{path}:{number}: there is no {name}")
    report(violations)


def exists(target):
    """A path, which may hold * and one {a,b}."""
    text = str(target)
    choice = re.search(r"\{([^}]*)\}", text)
    if choice:
        return all(exists(text.replace(choice[0], option)) for option in choice[1].split(","))
    folder, _, name = text.rstrip("/").rpartition("/")
    if "*" in name:
        return os.path.isdir(folder) and any(fnmatch.fnmatch(entry, name) for entry in os.listdir(folder))
    return os.path.exists(text)
