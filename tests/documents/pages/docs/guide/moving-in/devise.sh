old_database devise.sql
moves_in 2 plain@example.com

# With a pepper, the page has another word for the hash.
psql --quiet "$OLD_DATABASE" -c "
  INSERT INTO users (email, encrypted_password, created_at, updated_at)
  VALUES ('pepper@example.com', '\$2a\$05\$qq1xzpLENjOHDsuH96E/ruoZj/6BMeCz6RnhS.96V7/gsGHoPX3ES', now(), now())"
again "s/ --dry-run//; s/'hash', /'devise', /"
expect 'imported  1' 'present   2'
sign_in http://localhost:3005 pepper@example.com 'correct horse'
