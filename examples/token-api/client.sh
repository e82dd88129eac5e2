#!/bin/sh
# What a mobile app does, with curl: sign in, call, refresh, lose an answer, rotate, notice a thief, log out.
# Usage: ./client.sh [URL of the token API]; takes half a minute, because tokens have to grow old.
set -eu

URL=${1:-http://127.0.0.1:3001}
WHO="ada-$(date +%s)-$$@example.com"
CREDENTIALS="{\"identifier\":\"$WHO\",\"password\":\"tangerine ferry 48 lamps\"}"
LINE_END='
'

# ask METHOD PATH [arguments of curl]: leaves the answer in STATUS and BODY.
ask() {
  method=$1 path=$2
  shift 2
  BODY=$(curl -sS -X "$method" "$URL$path" -H "Authkit-Delivery: token" -H "Content-Type: application/json" \
    -w '\n%{http_code}' "$@")
  STATUS=${BODY##*"$LINE_END"}
  BODY=${BODY%"$LINE_END"*}
}

# refresh TOKEN: exchanges a refresh token for the next tokens.
refresh() {
  ask POST /v1/auth/refresh -d "{\"refresh_token\":\"$1\"}"
}

# expect STATUS WHAT: ends the script unless the last answer has this status.
expect() {
  echo "$STATUS  $2"
  if [ "$STATUS" != "$1" ]; then
    fail "$1"
  fi
}

# expect_refresh same|new TOKEN WHAT: ends the script unless the last answer has this refresh token, or another one.
expect_refresh() {
  expect 200 "$3"
  if [ "$(field refresh_token)" = "$2" ]; then found=same; else found=new; fi
  if [ "$found" != "$1" ]; then
    fail "a refresh token that is $1"
  fi
}

fail() {
  echo "expected $1, and the body was: $BODY" >&2
  exit 1
}

# field NAME: a text in the last body.
field() {
  echo "$BODY" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"
}

# grow_old: a real client comes back minutes later, when its access token has expired.
grow_old() {
  echo "--- 11 seconds later"
  sleep 11
}

echo "--- Obtain: a password for tokens"
ask POST /v1/auth/signup -d "$CREDENTIALS"
expect 201 "$WHO signs up"
ask POST /v1/auth/login -d "$CREDENTIALS"
expect 200 "signs in"
ACCESS=$(field access_token) FIRST=$(field refresh_token)
ask GET /notes
expect 401 "the notes without a token"
ask POST /notes -H "Authorization: Bearer $ACCESS" -d '{"text":"Buy lamps"}'
expect 201 "adds a note with the access token"
ask GET /notes -H "Authorization: Bearer $ACCESS"
expect 200 "reads the notes: $BODY"

echo "--- Refresh: the access token is about to expire"
refresh "$FIRST"
expect_refresh new "$FIRST" "the first refresh token gives the second"
ACCESS=$(field access_token) SECOND=$(field refresh_token)
ask GET /notes -H "Authorization: Bearer $ACCESS"
expect 200 "the new access token works"

echo "--- An answer is lost on its way: ask again"
refresh "$FIRST"
expect_refresh same "$SECOND" "the first refresh token gives the second once more"
refresh "$SECOND"
expect_refresh same "$SECOND" "the second is younger than 10 seconds, and stays"

grow_old
echo "--- Rotate"
refresh "$SECOND"
expect_refresh new "$SECOND" "the second gives the third"
ACCESS=$(field access_token) THIRD=$(field refresh_token)

grow_old
echo "--- Somebody who has copied the first token shows it"
refresh "$FIRST"
expect 401 "two hold copies, so the session ends"
refresh "$THIRD"
expect 401 "and with it the newest token"
ask DELETE /notes -H "Authorization: Bearer $ACCESS"
expect 401 "a route that confirms the session refuses the access token at once"
ask GET /notes -H "Authorization: Bearer $ACCESS"
expect 200 "one that does not takes it until it expires"

echo "--- Sign in again, and log out"
ask POST /v1/auth/login -d "$CREDENTIALS"
expect 200 "signs in"
FOURTH=$(field refresh_token)
ask POST /v1/auth/logout -d "{\"refresh_token\":\"$FOURTH\"}"
expect 204 "logs out"
refresh "$FOURTH"
expect 401 "its refresh token is dead"
echo "--- Done"
