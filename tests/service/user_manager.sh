#!/bin/sh
# user_manager.sh TOLD
#
# Runs a systemd user manager of its own, writes the variables with which programs find it to the file TOLD (NUL between
# them), and ends it when stdin is closed. It needs root and util-linux's unshare: the mounts are in a namespace of their
# own, so that nothing outside is touched; files and services are below a temporary folder, which is removed at the end.
set -eu
if [ "${1:-}" != --inside ]; then
  exec unshare --mount --propagation private -- "$0" --inside "$@"
fi
told=$2
# systemd mounts credentials in a namespace below this one, and they are to be seen here.
mount --make-rshared /
mount -t tmpfs tmpfs /run/systemd
mkdir /run/systemd/system # by this libsystemd knows that a machine runs systemd
base=$(mktemp -d)
manager=
end() {
  if [ -n "$manager" ]; then
    systemctl --user stop 'livered-*.service' >/dev/null 2>&1 || true
    kill "$manager" 2>/dev/null || true
    wait "$manager" 2>/dev/null || true
  fi
  umount -q "$base"/run/credentials/* 2>/dev/null || true
  rm -rf "$base"
}
trap end EXIT
export HOME="$base/home" XDG_RUNTIME_DIR="$base/run"
export XDG_CONFIG_HOME="$HOME/.config" XDG_STATE_HOME="$HOME/.local/state"
export XDG_DATA_HOME="$HOME/.local/share" XDG_CACHE_HOME="$HOME/.cache"
mkdir -p "$XDG_CONFIG_HOME/systemd/user" "$XDG_STATE_HOME"
mkdir -m 700 "$XDG_RUNTIME_DIR"
SYSTEMD_LOG_TARGET=console /lib/systemd/systemd --user >"$base/log" 2>&1 &
manager=$!
tries=0
until systemctl --user show --property=Version >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" -gt 100 ] || ! kill -0 "$manager" 2>/dev/null; then
    cat "$base/log" >&2
    exit 1
  fi
  sleep 0.1
done
env -0 >"$told.part"
mv "$told.part" "$told"
cat >/dev/null
