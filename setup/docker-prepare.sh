#!/bin/sh
# docker-compose's one-shot `setup`, as root: makes the folders of the volumes and gives each to its user (natively
# setup/parts.mjs does), then checks the plan, renders the dialplan and speaks the prompts. `--beside`: Asterisk runs, and goes on as it is.
set -eu
state=$SATUNOMOR_STATE
install -d -m 750 -o root -g asterisk "$state/asterisk" "$state/asterisk/etc"
install -d -m 750 -o satunomor -g asterisk "$state/asterisk/etc/plan"
for folder in log log/cel-custom lib spool run; do
  install -d -m 750 -o asterisk -g asterisk "$state/asterisk/$folder"
done
# The service deletes there what is old.
install -d -m 770 -o asterisk -g asterisk "$state/asterisk/spool/mailbox" "$state/asterisk/spool/messages"
install -d -m 750 -o satunomor -g satunomor "$state"
install -d -m 755 "$state/sounds"
SATUNOMOR_ASTERISK_USER="$(id -u asterisk):$(id -g asterisk)" node src/prepare.ts "$@"
install -d -m 750 -o root -g redis "$state/redis-etc"
sed -n 's/.*"redis":"\([^"]*\)".*/requirepass \1/p' "$state/secrets.json" >"$state/redis-etc/redis.conf.new"
chgrp redis "$state/redis-etc/redis.conf.new"
chmod 640 "$state/redis-etc/redis.conf.new"
mv "$state/redis-etc/redis.conf.new" "$state/redis-etc/redis.conf"
# What a restore, or a command, has put there as root: records, passwords, tokens, switches; the ledger's files and recordings are Asterisk's.
find "$state" -mindepth 1 -maxdepth 1 -type f -exec chown satunomor:satunomor {} +
if [ -d "$state/webhooks" ]; then chown -R satunomor:satunomor "$state/webhooks"; fi
find "$state/asterisk/log/cel-custom" "$state/asterisk/spool/mailbox" -type f -exec chown asterisk:asterisk {} +
# What an apply changes is the service's: the versions, what is rendered of them, and the prompts.
chown -R satunomor "$state/versions" "$state/asterisk/etc/plan" "$state/sounds"
