block
block
expect 'HTTP/1.1 201' 'HTTP/1.1 200' '"kind":"human"' '"current":true' 'HTTP/1.1 204'
block
expect 'bob@example.com' 'disabled' '"kind":"account_disabled"'
