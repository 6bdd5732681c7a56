#!/usr/bin/env bash
# Gets the PgBouncer of a newer Debian, with the libraries it needs, into a folder of its own; the system
# stays as it is. Prints the path of a program that runs it, for bench.py's --pgbouncer:
#
#   PGBOUNCER=$(perf/fetch_pgbouncer.sh) ./do bench
#
# usage: fetch_pgbouncer.sh [SUITE [FOLDER]]     default: trixie, .do/pgbouncer-SUITE
#
# apt gets its own lists, cache and (empty) record of what is installed, and this machine's first Debian
# archive with the other suite's name. What it downloads is checked against the archive's signature.
set -euo pipefail
suite=${1:-trixie}
folder=$(realpath -m "${2:-$(dirname "$0")/../.do/pgbouncer-$suite}")
root=$folder/root
program=$folder/pgbouncer

say() { printf '%s\n' "$*" >&2; }
die() {
  say "fetch_pgbouncer.sh: $*"
  exit 1
}

# The machine's own first archive as a source entry for that suite.
archive() {
  local sources=/etc/apt/sources.list.d/debian.sources uri
  if [ -f $sources ]; then
    awk 'BEGIN { RS = "" } NR == 1' $sources |
      sed -E "s/^Types:.*/Types: deb/; s/^Suites:.*/Suites: $suite/; s/^Components:.*/Components: main/"
  else
    uri=$(sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) .*/\2/p' /etc/apt/sources.list /etc/apt/sources.list.d/*.list \
      2>/dev/null | head -n 1)
    [ -n "$uri" ] || die "no Debian archive in /etc/apt"
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$suite" \
      /usr/share/keyrings/debian-archive-keyring.gpg
  fi
}

private_apt() {
  local state=$folder/apt
  mkdir -p "$state/parts" "$state/lists/partial" "$state/cache/archives/partial"
  : >"$state/status"
  archive >"$state/parts/other.sources"
  options=(-q -o "Dir::State=$state" -o "Dir::State::lists=$state/lists" -o "Dir::State::status=$state/status"
    -o "Dir::Cache=$state/cache" -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$state/parts"
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null -o Acquire::Check-Valid-Until=false)
  [ "$(id -u)" -ne 0 ] || options+=(-o APT::Sandbox::User=root)  # the folder may be root's alone
  apt-get "${options[@]}" update >"$folder/log" 2>&1 || {
    tail -n 5 "$folder/log" >&2
    die "apt has no lists of $suite here"
  }
}

# libraries_of PACKAGE: the library packages that it depends on itself.
libraries_of() {
  apt-cache "${options[@]}" depends "$1" | sed -nE 's/^ *\|?(Pre)?Depends: (lib[^ ]+|zlib1g)$/\2/p'
}

# PgBouncer and its libraries, theirs too.
packages() {
  local found=(pgbouncer) at name
  for ((at = 0; at < ${#found[@]}; at++)); do
    while read -r name; do
      case " ${found[*]} " in
        *" $name "*) ;;
        *) found+=("$name") ;;
      esac
    done < <(libraries_of "${found[at]}")
  done
  printf '%s\n' "${found[@]}"
}

fetch() {
  local names package
  mapfile -t names < <(packages)
  say "fetching from $suite: ${names[*]}"
  mkdir -p "$folder/packages" "$root"
  (cd "$folder/packages" && apt-get "${options[@]}" download "${names[@]}") >>"$folder/log" 2>&1 || {
    tail -n 5 "$folder/log" >&2
    die "apt could not download them"
  }
  for package in "$folder"/packages/*.deb; do dpkg-deb -x "$package" "$root"; done
}

# The other suite's binary needs the other suite's C library, and that its own loader.
write_program() {
  local loader libraries binary=$root/usr/sbin/pgbouncer
  loader=$(find "$root" -name 'ld-linux*.so.*' | head -n 1)
  libraries=$(find "$root" -name 'lib*.so.*' -printf '%h\n' | sort -u | paste -sd :)
  if [ -z "$loader" ] || [ ! -x "$binary" ]; then die "the packages hold no loader or no pgbouncer"; fi
  if "$loader" --library-path "$libraries" --list "$binary" | grep 'not found' >&2; then
    die "libraries are missing"
  fi
  printf '#!/bin/sh\nexec "%s" --library-path "%s" --argv0 pgbouncer "%s" "$@"\n' "$loader" "$libraries" "$binary" \
    >"$program"
  chmod 755 "$program"
}

if [ ! -x "$program" ]; then
  mkdir -p "$folder"
  private_apt
  fetch
  write_program
fi
say "$("$program" --version | head -n 1) of $suite"
printf '%s\n' "$program"
