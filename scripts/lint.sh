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
# and are read by ci-long (LINT_TESTS=1).
tidy_sources() {
  mapfile -t built < <(/usr/bin/python3 - <<'PYTHON'
import json
import os
with open("build/asan/compile_commands.json", encoding="utf-8") as file:
    commands = json.load(file)
paths = {os.path.relpath(os.path.join(c["directory"], c["file"])) for c in commands}
print("\n".join(sorted(p for p in paths if p.endswith(".cc") and not p.startswith("subprojects/")
                       and (os.environ.get("LINT_TESTS") or not p.startswith("tests/")))))
PYTHON
  )
  [ ${#built[@]} -gt 0 ] || return 1
  printf '%s\0' "${built[@]}" | xargs -0 -n 1 -P "${JOBS:-$(nproc)}" clang-tidy-19 --quiet -p build/asan
}

# "fo" is a test vector of RFC 4648; the others are words that "replication=" does not know.
lint_spelling() {
  git ls-files -z | grep -zvE '^(tests/fuzz/corpus/|subprojects/packagefiles/)' |
    xargs -0 codespell -L fo,databas,truely
}
