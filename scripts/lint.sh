# shellcheck shell=bash
# shellcheck disable=SC2154  # logs is test.sh's
# ./do lint: what a machine can say about the source without running it. Uses test.sh's counting.

run_lint() {
  logs=.do/logs/lint  # those of ./do test and ci-long stay
  rm -rf "$logs"
  mkdir -p "$logs"
  setup build test lint
  mapfile -t sources < <(git ls-files '*.cc')
  mapfile -t headers < <(git ls-files '*.h')
  mapfile -t scripts < <(git ls-files 'do' '.ci/*' '*.sh' 'subprojects/packagefiles/*/build-*')
  step "clang-format" clang-format-19 --dry-run -Werror "${sources[@]}" "${headers[@]}"
  step "clang warnings (build/asan)" build asan
  step "clang-tidy" tidy_sources
  step "codespell" lint_spelling
  step "shellcheck" shellcheck --external-sources "${scripts[@]}"
  # After ./do test it has been seen.
  [ -n "${LINT_WITHOUT_STYLE:-}" ] || style_tests
  finish
}

# Only files that are part of the build have a compile command. The tests' own sources take as long again
# and are read by ci-long (LINT_TESTS=1). All take a quarter of an hour: LINT_COMMITS=N reads what the latest N
# commits have changed. CI does; ci-long reads all.
tidy_sources() {
  mapfile -t built < <(/usr/bin/python3 - <<'PYTHON'
import json
import os
import subprocess
with open("build/asan/compile_commands.json", encoding="utf-8") as file:
    commands = json.load(file)
paths = {os.path.relpath(os.path.join(c["directory"], c["file"])) for c in commands}
commits = os.environ.get("LINT_COMMITS")
if commits:
    git = ["git", "log", f"--max-count={int(commits)}", "--name-only", "--no-renames", "--format="]
    paths &= set(subprocess.run(git, check=True, capture_output=True, text=True).stdout.split("\n"))
for path in sorted(paths):
    if path.endswith(".cc") and not path.startswith("subprojects/"):
        if os.environ.get("LINT_TESTS") or not path.startswith("tests/"):
            print(path)
PYTHON
  )
  printf '%d sources\n' ${#built[@]}
  if [ ${#built[@]} -eq 0 ]; then
    [ -n "${LINT_COMMITS:-}" ]
    return
  fi
  printf '%s\0' "${built[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" clang-tidy-19 --quiet -p build/asan
}

# "fo" is a test vector of RFC 4648; the others are words that "replication=" does not know.
lint_spelling() {
  git ls-files -z | grep -zvE '^(tests/fuzz/corpus/|subprojects/packagefiles/)' |
    xargs -0 codespell -L fo,databas,truely
}
