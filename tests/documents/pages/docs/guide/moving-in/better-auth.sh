needs sqlite3
old_database better-auth.sql
moves_in 2 ada@example.com
expect '2025-05-01T10:00:00Z'
sqlite3 old.db <"$data/better-auth.sql"
moves_in 2 ada@example.com
expect '2025-05-01T10:00:00Z'
