needs jq
cargo run -p token-api
sign_up http://127.0.0.1:3001 ada@example.com 'tangerine ferry 48 lamps'
block
expect 'authkit_session=' '"refresh_token":"akr_' '"access_token":"eyJ' '[]'
