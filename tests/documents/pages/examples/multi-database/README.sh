needs psql mariadb sqlite3
needs_server "$AUTHKIT_TEST_POSTGRES"
needs_server "$AUTHKIT_TEST_MARIADB"

# The page has the usual ports, and these servers have others. psql and the program read them here, mariadb only its own.
export PGPORT MYSQL_TCP_PORT
PGPORT=$(sed -E 's|.*:([0-9]+)/.*|\1|' <<<"$AUTHKIT_TEST_POSTGRES")
MYSQL_TCP_PORT=$(sed -E 's|.*:([0-9]+)/.*|\1|' <<<"$AUTHKIT_TEST_MARIADB")
port="s|\(mysql://[^/]*\)/|\1:$MYSQL_TCP_PORT/|"

# docker compose: the servers run, so only the role and the databases of its file are made.
docker() {
  psql --quiet "$AUTHKIT_TEST_POSTGRES" <<'SQL'
DROP DATABASE IF EXISTS authkit WITH (FORCE);
DROP DATABASE IF EXISTS authkit_by_hand WITH (FORCE);
DROP ROLE IF EXISTS authkit;
CREATE ROLE authkit LOGIN PASSWORD 'authkit';
CREATE DATABASE authkit OWNER authkit;
SQL
  mariadb -h 127.0.0.1 -u root <<'SQL'
DROP DATABASE IF EXISTS authkit;
DROP DATABASE IF EXISTS authkit_by_hand;
CREATE OR REPLACE USER authkit@'%' IDENTIFIED BY 'authkit';
CREATE DATABASE authkit;
GRANT ALL ON authkit.* TO authkit@'%';
SQL
}

block "$port"
by_hand='s/user:password@host/postgres@127.0.0.1/; s/-h host -u user -p/-h 127.0.0.1 -u root/'
block "$by_hand; s/DATABASE authkit/DATABASE authkit_by_hand/"
block
expect '"current":true'
block
expect 'last_seen_at'

rm multi-database.db
by_hand="$by_hand; s|mysql://[^/]*/|mysql://root@127.0.0.1:$MYSQL_TCP_PORT/|; s/\([ /]\)authkit /\1authkit_by_hand /"
block "$by_hand"
for database in "postgres://postgres@127.0.0.1/authkit_by_hand" "mysql://root@127.0.0.1:$MYSQL_TCP_PORT/authkit_by_hand" \
  sqlite://multi-database.db; do
  DATABASE_URL=$database cargo run -p multi-database
  sign_up http://127.0.0.1:3002 ada@example.com 'tangerine ferry 48 lamps'
done
