needs jq
PROJECT=example

# It asks a provider that has to be paid for; the file is as that one's documentation has it.
firebase() {
  [[ "$*" == 'auth:export users.json --format=json --project example' ]]
  cp "$data/firebase.json" users.json
}

moves_in 3 ada@example.com
expect '2019-03-01T12:00:00Z' 'disabled'
