# For one package alone, Cargo would build what all of them share once more.
cargo() {
  (cd "$root" && command cargo test --quiet --workspace "${@:4}")
}
block
expect 'test result: ok.'
