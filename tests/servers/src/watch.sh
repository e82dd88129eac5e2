# Stops a server and removes its folder once the program that started it has ended, in whatever way.
#
# Each line of the input has the signal for the process that now runs, and its id; an empty one says that none does. The
# input ends with the program that writes it.
folder=$1 signal= process= waited=0

while read -r line; do process=${line#* } signal=${line% *}; done

if [ -n "$process" ] && kill -s "$signal" "$process"; then
  while kill -s 0 "$process" && [ "$waited" -lt 600 ]; do sleep 0.05; waited=$((waited + 1)); done
  kill -s KILL "$process"
fi

# What a server started may still write for a moment.
waited=0
until rm -rf "$folder" || [ "$waited" -ge 100 ]; do sleep 0.05; waited=$((waited + 1)); done
