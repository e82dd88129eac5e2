block
expect '--- Done'
block
expect 'Hello '
