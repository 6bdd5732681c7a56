#!/usr/bin/env bash
# The one command of this project: sets up, builds, tests, measures. ./do alone prints help.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")"
export LC_ALL=C.UTF-8

# shellcheck source=scripts/setup.sh
. scripts/setup.sh
# shellcheck source=scripts/build.sh
. scripts/build.sh

help() {
  cat <<'TEXT'
usage: ./do COMMAND

  demo [--keep]     PostgreSQL and pgring of its own, pgbench with 200 clients on 10 server
                    connections, a summary; --keep leaves both running, demo --stop ends them
  build [KIND]      build/KIND: release (default), debug, asan (clang; with UBSan and the fuzz
                    targets), tsan, coverage
  test [FILTER]     every test; with FILTER only those of the release build whose name holds it;
                    `test quick`: unit and integration tests of the release build
  bench [ARGS]      pgbench against PostgreSQL, pgring and PgBouncer in turn, a table of medians
  lint              clang-format, clang warnings, clang-tidy, codespell, shellcheck, tests/tidy
  ci-long           everything under ThreadSanitizer, long fuzzing, many simulation seeds
  clean             removes build/ and .do/
  setup             installs what is missing for building and testing (the others do it by themselves)
  help              this text

JOBS=N sets the number of parallel compiler processes. The clang of asan and lint is clang-19.
TEXT
}

command=${1:-help}
[ $# -eq 0 ] || shift
case $command in
  help | --help | -h) help ;;
  setup) setup build test ;;
  build) build "${1:-release}" ;;
  demo) . scripts/demo.sh && demo "$@" ;;
  test) . scripts/test.sh && run_tests "$@" ;;
  ci-long) . scripts/test.sh && run_long_tests ;;
  lint) . scripts/test.sh && . scripts/lint.sh && run_lint ;;
  bench)
    setup build test bench
    build release
    PGRING=$PWD/build/release/src/pgring exec /usr/bin/python3 perf/bench.py "$@"
    ;;
  clean)
    [ ! -e .do/demo ] || die "a demo is running; ./do demo --stop ends it"
    rm -rf build .do
    ;;
  *)
    printf './do: no command named "%s"\n\n' "$command" >&2
    help >&2
    exit 2
    ;;
esac
