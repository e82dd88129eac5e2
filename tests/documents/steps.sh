# Runs the blocks of one page. `cargo xtask documents` starts it in an empty folder, and hands in the root of the
# workspace, where its programs are, the page, and a folder in which `1`, `2` and so on are the blocks of the page.
set -euo pipefail

root=$1 programs=$2 page=$3 blocks=$4
data=$root/tests/documents/data
output=$blocks/output answers=$blocks/answers trace=$blocks/trace
at=0

# The programs that serve, when they get no arguments, and where.
declare -A ports=([quickstart]=3000 [token-api]=3001 [multi-database]=3002 [other-service]=3003
  [protected-routes]=3004 [app]=3005)
declare -A running=()

# --- What a page's own script says ---

# needs PROGRAM…: leaves the page out on a machine that has not all of them; in CI that is an error.
needs() {
  local program
  for program; do
    if ! type -P "$program" >/dev/null; then
      left_out_all "there is no $program"
    fi
  done
}

# needs_server URL: leaves the page out on a machine without this database.
needs_server() {
  if [[ $1 == missing ]]; then
    left_out_all 'there is no such database server'
  fi
}

# block [SED]: runs the next block, edited like that.
block() {
  at=$((at + 1))
  again "$@"
  printf '  %s: run\n' "$(place)"
}

# again [SED]: runs the block once more.
again() {
  local block=$blocks/$at
  [[ -e $block ]] || fail "there is no block $at"
  cp "$block" "$blocks/block"
  if (($#)); then
    sed -i "$1" "$blocks/block"
    ! cmp -s "$block" "$blocks/block" || fail "block $at has nothing to edit by $1"
  fi
  : >"$answers"
  set -x
  source "$blocks/block" >"$output" 2>&1
  { set +x; } 2>/dev/null
  statuses_are_announced
}

# left_out REASON: leaves out the next block.
left_out() {
  at=$((at + 1))
  [[ -e $blocks/$at ]] || fail "there is no block $at"
  printf '  %s: left out, %s\n' "$(place)" "$1"
}

# expect TEXT…: demands that the output of the last block has all of them.
expect() {
  local text
  for text; do
    grep -qF -- "$text" "$output" || fail "the output of the block has no \`$text\`"
  done
}

# serve PROGRAM: starts it in the background, in place of the one that runs, and waits until it answers.
serve() {
  local program=$1 port=${ports[$1]} tries=300
  stop "$program"
  ! answers "$port" || fail "something already listens on port $port; stop it and try again"
  "$programs/$program" </dev/null >"$blocks/$program.log" 2>&1 &
  running[$program]=$!
  until answers "$port"; do
    kill -0 "${running[$program]}" 2>/dev/null && ((tries-- > 0)) || fail "$program does not serve"
    sleep 0.1
  done
}

# sign_up URL ADDRESS PASSWORD: fails unless it succeeds.
sign_up() {
  post "$1/v1/auth/signup" "{\"identifier\":\"$2\",\"password\":\"$3\"}"
}

# sign_in URL ADDRESS PASSWORD: fails unless it succeeds.
sign_in() {
  post "$1/v1/auth/login" "{\"identifier\":\"$2\",\"password\":\"$3\"}"
}

# old_database FILE: makes the tables of another system in a PostgreSQL, which is then OLD_DATABASE.
old_database() {
  needs psql
  needs_server "$AUTHKIT_TEST_POSTGRES"
  OLD_DATABASE=${AUTHKIT_TEST_POSTGRES%/*}/documents_old
  psql --quiet "$AUTHKIT_TEST_POSTGRES" -c 'DROP DATABASE IF EXISTS documents_old' -c 'CREATE DATABASE documents_old'
  psql --quiet "$OLD_DATABASE" -v ON_ERROR_STOP=1 -f "$data/$1"
}

# moves_in COUNT ADDRESS…: the next block rehearses an import of so many accounts. It is run, and twice more in earnest;
# then those with these addresses sign in. The output is then a list of all accounts.
moves_in() {
  local address
  stop app
  rm -f app.db*
  app migrate >"$output"
  block
  expect "importable  $1" 'present     0' 'refused     0'
  again 's/ --dry-run//'
  expect "imported  $1" 'present   0' 'refused   0'
  again 's/ --dry-run//'
  expect 'imported  0' "present   $1" 'refused   0'
  serve app
  for address in "${@:2}"; do sign_in http://localhost:3005 "$address" 'correct horse'; done
  app accounts list >"$output"
}

# --- What commands of a page mean here ---

cargo() {
  local program
  case "$1 ${2-}" in
    'test -p') (cd "$root" && command cargo pkgid --quiet --package "$3") ;;
    'xtask test') ;;
    'run -p')
      program=$3
      shift 3
      if [[ ${1-} == --bin ]]; then
        program=$2
        shift 2
      fi
      if [[ ${1-} == -- ]]; then
        "$programs/$program" "${@:2}"
      else
        serve "$program"
      fi
      ;;
    *) fail "nobody says what \`cargo $*\` means here" ;;
  esac
}

curl() {
  command curl --write-out '%{stderr}%{http_code}\n' "$@" 2>>"$answers"
}

# --- How it works ---

post() {
  command curl --silent --fail --output /dev/null "$1" -H 'Authkit-Delivery: token' \
    -H 'Content-Type: application/json' -d "$2" || fail "POST $1 was refused"
}

# Compares the statuses of 400 and above with the comments that announce them, such as `# 401`.
statuses_are_announced() {
  local announced answered
  announced=$(sed -nE 's/.*# .*\b([45][0-9][0-9])\b.*/\1/p' "$blocks/block")
  answered=$(grep -E '^[45][0-9][0-9]$' "$answers" || true)
  [[ $announced == "$answered" ]] ||
    fail "the statuses are ${answered:-none} where comments of the page announce ${announced:-none}"
}

# A program may listen before it can answer.
answers() {
  command curl --silent --max-time 30 --output /dev/null "http://127.0.0.1:$1/"
}

stop() {
  if [[ -n ${running[$1]-} ]]; then
    kill "${running[$1]}" 2>/dev/null || true
    wait "${running[$1]}" || true
    unset "running[$1]"
  fi
}

# Where the block begins; the lines before it are empty.
place() {
  printf '%s:%s' "$page" "$(grep -n -m 1 . "$blocks/$at" | cut -d : -f 1)"
}

left_out_all() {
  [[ -z ${CI-} ]] || fail "$1, and in CI no page is left out"
  printf '  %s: left out, %s\n' "$page" "$1"
  exit 0
}

fail() {
  { set +x; } 2>/dev/null
  printf '%s: %s\n' "$page" "$1" >&3
  exit 1
}

# Stops what runs, and shows what is needed to understand a failure.
finish() {
  local status=$? program
  set +ex
  for program in "${!running[@]}"; do stop "$program"; done
  if ((status)); then
    {
      printf '\nThe last command was:\n'
      sed -nE "s|^\++$blocks/block:([0-9]+:)|$page:\1|p" "$trace" | grep -v ':1:' | tail -n 1
      printf '\nThe block wrote:\n'
      tail -n 50 "$output"
      if compgen -G "$blocks/*.log"; then tail -n 20 "$blocks"/*.log; fi
    } >&3
  fi
  exit "$status"
}

exec 3>&2 4>"$trace"
: >"$output"
BASH_XTRACEFD=4 PS4='+${BASH_SOURCE}:${LINENO}: '
trap finish EXIT
PATH=$programs:$PATH
export RUST_BACKTRACE=0 PGOPTIONS='-c client_min_messages=warning'
ln -s "$root/examples" examples

script=$root/tests/documents/pages/${page%.md}.sh
if [[ -e $script ]]; then source "$script"; fi
while [[ -e $blocks/$((at + 1)) ]]; do block; done
