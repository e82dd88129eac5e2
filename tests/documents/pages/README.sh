block
command curl --silent --fail http://localhost:3000/ | grep -q '<title>' || fail 'the quickstart has no first page'
block
expect 'HTTP/1.1 201' 'HTTP/1.1 200' 'HTTP/1.1 204' '"kind":"password_changed"'
block
expect 'ada@example.com'
block
expect 'Commands of operators.' 'ada@example.com' 'password_changed'
