old_database django.sql
moves_in 3 pbkdf2@example.com argon2@example.com
expect '2019-03-01T10:00:00Z' 'disabled'
