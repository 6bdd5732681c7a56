# shellcheck shell=bash
# Runs the tests and counts them. Every step ends in `count NAME PASSED FAILED`; a step that could not
# run, crashed, or found no test counts as one failure. The sum is the last line of the run.

passed=0
failed=0
failures=()
logs=.do/logs

# count STEP PASSED FAILED SECONDS LOG
count() {
  passed=$((passed + $2))
  failed=$((failed + $3))
  printf '  %-58s %5d passed %3d failed  (%d s)\n' "$1" "$2" "$3" "$4"
  [ "$3" -gt 0 ] || return 0
  failures+=("$1: $5")
  printf -- '----- the end of %s\n' "$5"
  tail -n 60 "$5"
  printf -- '-----\n'
}

# together STEP...: steps that neither disturb each other nor mind a busy machine, a function and its words
# each; counted when all have ended.
together() {
  local one words counted results result children=()
  results=$(mktemp -d)
  for one in "$@"; do
    read -ra words <<<"$one"
    result=$results/${#children[@]}
    (
      # shellcheck disable=SC2317  # the step calls it
      count() { printf '%s\n' "$@" >"$result"; }
      "${words[@]}"
    ) &
    children+=($!)
  done
  for one in "${children[@]}"; do wait "$one" || true; done
  result=$results/0
  for one in "$@"; do
    counted=()
    [ ! -f "$result" ] || mapfile -t counted <"$result"
    [ ${#counted[@]} -eq 5 ] || counted=("$one" 0 1 0 "$result")
    count "${counted[@]}"
    result=$results/$((${result##*/} + 1))
  done
  rm -rf "$results"
}

finish() {
  local failure
  for failure in "${failures[@]}"; do say "failed: $failure"; done
  printf '%d passed, %d failed\n' "$passed" "$failed"
  [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}

log_of() {
  mkdir -p "$logs"
  printf '%s/%s.log' "$logs" "$(printf '%s' "$1" | tr -cs 'a-zA-Z0-9' '-' | sed 's/-*$//')"
}

# step NAME COMMAND...: one check, passed when the command ends with 0.
step() {
  local name=$1 log start=$SECONDS
  shift
  log=$(log_of "$name")
  if "$@" >"$log" 2>&1; then
    count "$name" 1 0 $((SECONDS - start)) "$log"
  else
    count "$name" 0 1 $((SECONDS - start)) "$log"
  fi
}

# test_build KIND [TARGET...]: builds; a build that fails is one failure and ends the run.
test_build() {
  local log start=$SECONDS
  log=$(log_of "build $1")
  printf '  building %s …\n' "$1"
  if (build "$@") >"$log" 2>&1; then
    printf '  %-58s %s\n' "build $1" "($((SECONDS - start)) s)"
  else
    count "build $1" 0 1 $((SECONDS - start)) "$log"
    return 1
  fi
}

# doctest NAME LIMIT_S COMMAND...: runs a doctest program and reads its own count.
doctest() {
  local name=$1 limit_s=$2 log start=$SECONDS code=0 line good bad
  shift 2
  log=$(log_of "$name")
  timeout --kill-after=10 "$limit_s" "$@" >"$log" 2>&1 || code=$?
  line=$(sed 's/\x1b\[[0-9;]*m//g' "$log" | grep '^\[doctest\] test cases:' | tail -n 1 || true)
  good=$(sed -nE 's/.*\| *([0-9]+) passed.*/\1/p' <<<"$line")
  bad=$(sed -nE 's/.*\| *([0-9]+) failed.*/\1/p' <<<"$line")
  good=${good:-0}
  bad=${bad:-0}
  if [ "$bad" -eq 0 ] && { [ "$code" -ne 0 ] || [ "$good" -eq 0 ]; }; then
    printf 'ended with code %d after %d test cases\n' "$code" "$good" >>"$log"
    bad=1
  fi
  count "$name" "$good" "$bad" $((SECONDS - start)) "$log"
}

# program KIND NAME: the path of a test program of that build; it must be there.
program() {
  local path
  path=$(find "build/$1/tests" -name "$2" -type f -perm -u+x 2>/dev/null | head -n 1)
  printf '%s' "${path:-build/$1/tests/$2}"
}

# python_tests NAME KIND FOLDER [ARGS...]: pytest with the binary of that build. python_workers=N runs N
# tests at once; each worker has a PostgreSQL and ports of its own.
python_tests() {
  local name=$1 kind=$2 folder=$3 log start=$SECONDS code=0 report numbers
  shift 3
  log=$(log_of "$name")
  report=$log.xml
  rm -f "$report"
  # Deadlines are for hangs; sanitizers slow everything down.
  PGRING=$PWD/build/$kind/src/pgring PGRING_BUILD=$kind PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    PGRING_TEST_DEADLINE=$([ "$kind" = release ] && echo 30 || echo 90) \
    timeout --kill-after=30 "${python_limit_s:-1500}" "${tsan[@]}" /usr/bin/python3 -m pytest -p no:cacheprovider -q -rfEs \
    --numprocesses="${python_workers:-0}" --durations=15 --basetemp=.do/tmp --junitxml="$report" "$folder" "$@" \
    >"$log" 2>&1 </dev/null || code=$?
  rm -rf .do/tmp
  numbers=$(junit_numbers "$report") || numbers="0 1 0"
  read -r good bad skipped <<<"$numbers"
  if [ "$bad" -eq 0 ] && { [ "$code" -ne 0 ] || [ "$good" -eq 0 ]; }; then
    printf 'pytest ended with code %d after %d tests\n' "$code" "$good" >>"$log"
    bad=1
  fi
  count "$name" "$good" "$bad" $((SECONDS - start)) "$log"
  [ "$skipped" -eq 0 ] || {
    printf '    %d skipped:\n' "$skipped"
    grep '^SKIPPED' "$log" | sed 's/^/    /' || true
  }
}

junit_numbers() {
  /usr/bin/python3 - "$1" <<'PYTHON'
import sys
import xml.etree.ElementTree as xml
suites = xml.parse(sys.argv[1]).getroot().iter("testsuite")
total = failed = skipped = 0
for suite in suites:
    total += int(suite.get("tests"))
    failed += int(suite.get("failures")) + int(suite.get("errors"))
    skipped += int(suite.get("skipped"))
print(total - failed - skipped, failed, skipped)
PYTHON
}

# An ASan or TSan report ends the program with a code no test uses; suppressions would be listed here.
sanitizer_options() {
  export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:exitcode=99
  export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:exitcode=99
}

# TSan of g++ 12 does not know the memory layout of kernels that use more than 28 random bits.
tsan_prefix() {
  [ "$(cat /proc/sys/vm/mmap_rnd_bits 2>/dev/null || echo 28)" -le 28 ] || printf 'setarch\n--addr-no-randomize\n'
}

# As many targets at once as there are cores.
fuzz_targets() {
  local seconds=$1 at_once=${JOBS:-$(nproc)} targets batch children i target
  mapfile -t targets < <(find build/asan/tests -name '*_fuzz' -type f -perm -u+x 2>/dev/null | sort)
  [ ${#targets[@]} -gt 0 ] || step "fuzz targets" false
  for ((i = 0; i < ${#targets[@]}; i += at_once)); do
    batch=("${targets[@]:i:at_once}")
    children=()
    for target in "${batch[@]}"; do
      fuzz_target "$seconds" "$target" &
      children+=($!)
    done
    for target in "${batch[@]}"; do
      step "fuzz $(basename "$target"), $seconds s" fuzz_outcome "${children[0]}" "$(fuzz_log "$target")"
      children=("${children[@]:1}")
    done
  done
}

fuzz_log() {
  mkdir -p .do/corpus
  printf '.do/corpus/%s.log' "$(basename "$1")"
}

fuzz_target() {
  local seconds=$1 target=$2 name folders
  name=$(basename "$target")
  folders=(".do/corpus/$name" "tests/fuzz/corpus/${name%_fuzz}")  # what it finds; what is kept
  mkdir -p "${folders[0]}"
  [ -d "${folders[1]}" ] || unset 'folders[1]'
  timeout --kill-after=10 $((seconds + 60)) "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -artifact_prefix=".do/corpus/" "${folders[@]}" >"$(fuzz_log "$target")" 2>&1
}

fuzz_outcome() {
  local code=0
  wait "$1" || code=$?
  cat "$2"
  return $code
}

run_tests() {
  rm -rf "$logs"
  mkdir -p "$logs"
  sanitizer_options
  mapfile -t tsan < <(tsan_prefix)
  setup build test
  case ${1:-} in
    '') all_tests ;;
    quick)
      test_build release && {
        doctest "unit tests" 300 "$(program release unit_tests)"
        python_tests "integration tests" release tests/integration
      }
      ;;
    *) filtered_tests "$1" ;;
  esac
  finish
}

# Tests of the release build whose name holds the filter; kinds of test without one are left out.
filtered_tests() {
  test_build release || return 0
  local kind folder
  for kind in unit_tests simulation_tests budget_simulation; do
    if "$(program release $kind)" --list-test-cases --test-case="*$1*" | grep -qi -- "$1"; then
      doctest "$kind, *$1*" 600 "$(program release $kind)" --test-case="*$1*"
    fi
  done
  for folder in tests/integration tests/drivers; do
    if /usr/bin/python3 -m pytest -p no:cacheprovider --collect-only -q -k "$1" $folder 2>/dev/null | grep -q '::'; then
      python_tests "$folder, $1" release $folder -k "$1"
    fi
  done
}

all_tests() {
  test_build release && {
    doctest "unit tests" 300 "$(program release unit_tests)"
    # Keys and handshakes take minutes under valgrind: ci-long has them there.
    together "simulation release" "budget_simulation release" "valgrind_tests --source-file-exclude=*/tls/*" style_tests
    doctest "ring on this kernel" 300 "$(program release ring_tests)"
    python_workers=4 python_tests "integration tests" release tests/integration
    python_tests "driver tests" release tests/drivers
  }
  test_build asan && {
    doctest "unit tests (ASan, UBSan)" 600 "$(program asan unit_tests)"
    together "simulation asan (ASan, UBSan)" "budget_simulation asan (ASan, UBSan)"
    doctest "ring on this kernel (ASan, UBSan)" 600 "$(program asan ring_tests)"
    python_workers=4 python_tests "integration tests (ASan, UBSan)" asan tests/integration
    # Node's and Go's send what others have sent too, and take as long as those together; ci-long has all.
    python_tests "driver tests (ASan, UBSan)" asan tests/drivers --ignore=tests/drivers/test_node.py \
      --ignore=tests/drivers/test_pgx.py --ignore=tests/drivers/test_lib_pq.py
    fuzz_targets 10
  }
  test_build tsan src/pgring tests/unit/thread_tests tests/ring_kernel/ring_tests && {
    doctest "unit tests where threads meet (TSan)" 600 "${tsan[@]}" "$(program tsan thread_tests)"
    doctest "ring on this kernel (TSan)" 600 "${tsan[@]}" "$(program tsan ring_tests)"
    PGRING_TEST_SHARDS=4 python_tests "shards (TSan)" tsan tests/integration/test_console.py tests/integration/test_cancel.py \
      tests/integration/test_signals.py
  }
  return 0
}

# KIND [WORDS...]: the words are said behind the name.
simulation() { doctest "simulation${2:+ ${*:2}}" 900 "$(program "$1" simulation_tests)"; }
budget_simulation() { doctest "budget simulation${2:+ ${*:2}}" 900 "$(program "$1" budget_simulation)"; }
style_tests() { python_tests "style and packaging" release tests/tidy; }

valgrind_tests() {
  doctest "unit tests under valgrind" 900 valgrind --quiet --error-exitcode=99 --leak-check=full \
    --errors-for-leak-kinds=definite,indirect,possible --show-leak-kinds=definite,indirect,possible \
    "$(program release unit_tests)" "$@"
}

run_long_tests() {
  rm -rf "$logs"
  mkdir -p "$logs"
  sanitizer_options
  mapfile -t tsan < <(tsan_prefix)
  setup build test
  test_build tsan && {
    doctest "unit tests (TSan)" 1800 "${tsan[@]}" "$(program tsan unit_tests)"
    doctest "simulation (TSan)" 3600 "${tsan[@]}" "$(program tsan simulation_tests)"
    doctest "ring on this kernel (TSan)" 1800 "${tsan[@]}" "$(program tsan ring_tests)"
    python_workers=2 python_limit_s=3600 python_tests "integration tests (TSan)" tsan tests/integration
    python_limit_s=3600 python_tests "driver tests (TSan)" tsan tests/drivers
  }
  test_build release && {
    valgrind_tests --no-version
    python_limit_s=7200 python_tests "integration tests, long ones too" release tests/integration --long
    local seed
    for seed in $(seq 1 20); do
      export SIM_SEED=$RANDOM$RANDOM
      together "simulation release round $seed" "budget_simulation release round $seed"
    done
    unset SIM_SEED
  }
  test_build asan && {
    doctest "simulation (ASan, UBSan)" 3600 "$(program asan simulation_tests)"
    fuzz_targets 60
  }
  LINT_TESTS=1 step "lint, the tests' sources too" ./do lint
  finish
}
