SERVER=localhost DATABASE=old USER=sa
sed -n '/^```sql$/,/^```$/p' "$root/$page" | sed '1d; $d' >export.sql

# It asks an SQL Server, which cannot be had here; the file is what that one answers to the query.
bcp() {
  [[ $1 == *' FROM AspNetUsers '* && "${*:2}" == 'queryout users.jsonl -c -C 65001 -S localhost -d old -U sa' ]]
  cp "$data/aspnet-identity.jsonl" users.jsonl
}

moves_in 3 version2@example.com version3@example.com
expect 'disabled'
