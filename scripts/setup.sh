# shellcheck shell=bash
# Set-up: installs the Debian packages that a command needs and that are missing, puts liburing's source
# into subprojects/packagecache where the system's liburing is too old, and the libraries of
# tests/drivers/node into .do/node. Never upgrades anything that is installed, except where a missing
# package demands it.

# shellcheck disable=SC2034  # packages_of names these lists indirectly
# "a|b": any of them will do, the first one is installed. make is what g++ links with on several cores.
packages_build=(g++ make meson ninja-build 'pkg-config|pkgconf' libssl-dev libtomlplusplus-dev libmimalloc-dev
  doctest-dev libfmt-dev libcli11-dev ca-certificates
  'postgresql|postgresql-15|postgresql-16|postgresql-17|postgresql-18')
packages_test=(python3 python3-pytest python3-pytest-xdist python3-psycopg python3-psycopg-pool python3-psycopg2
  python3-asyncpg python3-greenlet python3-sqlalchemy python3-alembic python3-django libpq-dev libpqxx-dev libdbd-pg-perl
  golang-go golang-github-lib-pq-dev golang-github-jackc-pgx-v4-dev nodejs
  libpostgresql-jdbc-java 'default-jdk-headless|openjdk-17-jdk-headless|openjdk-21-jdk-headless'
  valgrind clang-19 libclang-rt-19-dev binutils git openssl)
packages_lint=(clang-19 clang-format-19 clang-tidy-19 codespell shellcheck git)
packages_bench=(pgbouncer)

node_folder=.do/node
liburing_file=subprojects/packagecache/liburing_2.9.orig.tar.gz

say() { printf '%s\n' "$*" >&2; }
die() {
  say "./do: $*"
  exit 1
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "root or sudo is needed for: $*"
  fi
}

# packages_of GROUP...: the packages of these groups, one a line.
packages_of() {
  local group
  for group in "$@"; do
    local -n list=packages_$group
    printf '%s\n' "${list[@]}"
    [ "$group" != test ] || nodejs_has_npm || printf 'npm\n'
  done
  [ "$(debian_codename)" = bookworm ] || printf 'liburing-dev\n'  # Debian 12 has 2.3
}

# A nodejs that is not Debian's may bring npm; Debian's npm conflicts with that one.
nodejs_has_npm() {
  local path
  path=$(readlink -e /usr/bin/npm) && dpkg-query -S "$path" 2>/dev/null | grep -q '^nodejs:'
}

debian_codename() (
  . /etc/os-release
  printf '%s' "${VERSION_CODENAME:-}"
)

# missing_packages GROUP...: what has to be installed, one a line. One dpkg-query for all.
missing_packages() {
  local wanted installed entry name found
  mapfile -t wanted < <(packages_of "$@" | sort -u)
  # dpkg-query fails when one of them is unknown, which is what this is about.
  # shellcheck disable=SC2016  # dpkg-query expands its own variables
  installed=" $({ printf '%s\n' "${wanted[@]}" | tr '|' '\n' |
    xargs dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' 2>/dev/null || true; } | sed -n 's/^ii *//p' | tr '\n' ' ') "
  for entry in "${wanted[@]}"; do
    found=no
    for name in ${entry//|/ }; do
      case $installed in *" $name "*) found=yes ;; esac
    done
    [ $found = yes ] || printf '%s\n' "${entry%%|*}"
  done
}

setup() {
  command -v apt-get >/dev/null || die "set-up knows Debian only; install by hand: $(packages_of "$@" | tr '\n' ' ')"
  local missing
  mapfile -t missing < <(missing_packages "$@")
  if [ ${#missing[@]} -gt 0 ]; then
    say "installing, which takes a minute or two (the log is .do/setup.log): ${missing[*]}"
    install_packages "${missing[@]}"
  fi
  [ "$(debian_codename)" != bookworm ] || fetch_liburing
  case " $* " in *" test "*) fetch_node_libraries ;; esac
}

install_packages() {
  mkdir -p .do
  local log=.do/setup.log apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y)
  as_root "${apt[@]}" update >"$log" 2>&1 || say "apt-get update failed (see $log); trying with the lists that are here"
  install_dormant "${apt[@]}" install --no-install-recommends --no-upgrade "$@" >>"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    die "apt-get could not install: $*"
  }
}

# PostgreSQL and PgBouncer are wanted for their binaries: no service of theirs is to start and no cluster
# to be made. Debian asks these two files for that while it installs; one that is there already is the
# machine's owner's and stays.
install_dormant() {
  local code=0
  dormant_files=()
  trap 'remove_dormant_files' EXIT
  case " $* " in *" pgbouncer "*) dormant_file /usr/sbin/policy-rc.d 755 $'#!/bin/sh\nexit 101' ;; esac
  case " $* " in *" postgresql "*)
    dormant_file /etc/postgresql-common/createcluster.d/pgring-setup.conf 644 'create_main_cluster = false'
    ;;
  esac
  as_root "$@" || code=$?
  remove_dormant_files
  trap - EXIT
  return $code
}

dormant_file() {
  [ ! -e "$1" ] || return 0
  dormant_files+=("$1")
  as_root mkdir -p "$(dirname "$1")"
  printf '%s\n' "$3" | as_root tee "$1"
  as_root chmod "$2" "$1"
}

remove_dormant_files() {
  [ ${#dormant_files[@]} -eq 0 ] || as_root rm -f "${dormant_files[@]}"
  dormant_files=()
  as_root rmdir --ignore-fail-on-non-empty /etc/postgresql-common/createcluster.d 2>/dev/null || true
}

# The wrap's source tarball, from the next Debian's source package. apt gets lists and a cache of its
# own in a temporary folder, so that the system's sources and package lists stay as they are.
fetch_liburing() {
  liburing_is_right && return
  say "fetching the source of liburing 2.9"
  local folder options log
  folder=$(mktemp -d)
  log=$folder/log
  mkdir -p "$folder/parts" "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/source"
  options=(-q -o Dir::Etc::SourceList=/dev/null -o "Dir::Etc::SourceParts=$folder/parts"
    -o "Dir::State::Lists=$folder/lists" -o "Dir::Cache=$folder/cache" -o APT::Get::List-Cleanup=0)
  [ "$(id -u)" -ne 0 ] || options+=(-o APT::Sandbox::User=root)  # the folder is root's alone
  if source_stanza trixie >"$folder/parts/source.sources" &&
    apt-get "${options[@]}" update >"$log" 2>&1 &&
    (cd "$folder/source" && apt-get "${options[@]}" source --download-only liburing=2.9-1) >>"$log" 2>&1; then
    mkdir -p "$(dirname "$liburing_file")"
    cp "$folder/source/liburing_2.9.orig.tar.gz" "$liburing_file"
  else
    tail -n 5 "$log" >&2 || true
    say "apt has no source of liburing 2.9 here: Meson will try the upstream address of the wrap"
  fi
  rm -rf "$folder"
}

liburing_is_right() {
  [ -f "$liburing_file" ] &&
    printf '%s  %s\n' "$(sed -n 's/^source_hash = //p' subprojects/liburing.wrap)" "$liburing_file" |
    sha256sum --check --status
}

# source_stanza SUITE: the machine's own first archive, as a source-package entry for that suite.
source_stanza() {
  local sources=/etc/apt/sources.list.d/debian.sources
  if [ -f $sources ]; then
    awk 'BEGIN { RS = "" } NR == 1' $sources |
      sed -E "s/^Types:.*/Types: deb-src/; s/^Suites:.*/Suites: $1/; s/^Components:.*/Components: main/"
  else
    local uri
    uri=$(sed -nE 's/^deb +(\[[^]]*\] +)?([^ ]+) +bookworm +.*/\2/p' /etc/apt/sources.list \
      /etc/apt/sources.list.d/*.list 2>/dev/null | head -n 1)
    [ -n "$uri" ] || return 1
    printf 'Types: deb-src\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$1" \
      /usr/share/keyrings/debian-archive-keyring.gpg
  fi
}

# The libraries that the driver tests need, as tests/drivers/node/package-lock.json pins them: version and
# hash, from whatever registry this machine's npm is set to. Without them those tests fail and show what
# npm said; everything else can be built and tested. One try a run.
fetch_node_libraries() {
  local lock=tests/drivers/node/package-lock.json
  ! cmp -s "$lock" "$node_folder/installed" || return 0
  [ -z "${node_libraries_tried:-}" ] || return 0
  node_libraries_tried=yes
  say "fetching the libraries of tests/drivers/node"
  rm -rf "$node_folder"
  mkdir -p "$node_folder"
  cp "$lock" "${lock%-lock.json}.json" "$node_folder/"
  if npm ci --prefix "$node_folder" --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=60000 \
    >"$node_folder/log" 2>&1; then
    cp "$lock" "$node_folder/installed"
  else
    mv "$node_folder/log" "$node_folder/failure"
    tail -n 5 "$node_folder/failure" >&2
    say "npm could not fetch them: the driver tests of Node will fail"
  fi
}
