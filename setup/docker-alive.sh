#!/bin/sh
# A container's health check, and what follows from it: plain Docker shows that a container is unhealthy and leaves it so.
#
#     alive 3 redis-cli ping        after three failures in a row the container's main process is killed
#
# The container then ends, and its restart policy starts it again. Needs `init: true`: a first process cannot be killed from
# inside, its child can. The command may take 3 s; Docker's own timeout must be longer, or what hangs would not be counted.
#
# SHORT names a log of Asterisk's that strangers can make grow: over 50 MB it is copied to `….before`, and emptied (natively setup/short-log.mjs).
limit=$1; shift
if [ -n "${SHORT:-}" ] && [ "$(stat -c %s "$SHORT" 2>/dev/null || echo 0)" -gt 50000000 ]; then
  cp "$SHORT" "$SHORT.before" || rm -f "$SHORT.before"
  : >"$SHORT"
fi
failures=/tmp/failures-in-a-row
if timeout --kill-after=1 3 "$@"; then
  rm -f "$failures"
  exit 0
fi
count=$(($(cat "$failures" 2>/dev/null || echo 0) + 1))
echo "$count" >"$failures"
[ "$count" -lt "$limit" ] && exit 1
rm -f "$failures"
echo "no answer $count times in a row: killed, to be started again"
echo "HEALTH CHECK: no answer $count times in a row: killed, to be started again" >/proc/1/fd/2
for status in /proc/[0-9]*/status; do
  grep -q '^PPid:[[:space:]]*1$' "$status" 2>/dev/null || continue
  pid=${status#/proc/}
  kill -KILL "${pid%/status}"
done
exit 1
