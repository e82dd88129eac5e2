needs jq
left_out 'it calls an API that has to be paid for'
cp "$data"/auth0/*.ndjson .
moves_in 3 ada@example.com bob@example.com
expect '2021-03-05T16:35:16.775Z' 'disabled'
