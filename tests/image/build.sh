#!/usr/bin/env bash
# Builds the image without a daemon, and runs it until orders can be placed in it. Every step of the
# Dockerfile is done for real, on Debian's own Python in the place of the base that is named there.
# Needs root, buildah and debootstrap; 8 GB at ROOM (/var/tmp/siren-image), and BUILD_ARGS for what pip needs
# here, such as `--volume /etc/pip.conf:/etc/pip.conf:ro`. Says so and succeeds where it cannot be done.
set -euo pipefail
cd "$(dirname "$0")/../.."
room=${ROOM:-/var/tmp/siren-image}
read -ra build_args <<<"${BUILD_ARGS:-}"
for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || { echo "skipped: there is no $tool"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "skipped: only root can build it here"; exit 0; }

mkdir -p "$room"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah() { command buildah --root "$room/storage" --runroot "$room/run" "$@"; }

base=$(sed -n 's/^FROM \(.*\) AS build$/\1/p' Dockerfile)
if ! buildah inspect "docker.io/library/$base" >/dev/null 2>&1; then
    echo "· a base like $base"
    [ -d "$room/base/etc" ] || debootstrap --variant=minbase \
        --include=ca-certificates,python3,python3-venv,python-is-python3 bookworm "$room/base" >/dev/null
    container=$(buildah from scratch)
    buildah add --quiet "$container" "$room/base" / >/dev/null
    buildah commit --quiet --rm "$container" "docker.io/library/$base" >/dev/null
fi

echo "· the image"
buildah bud --quiet --pull-never --format docker --tag siren-order "${build_args[@]}" . >/dev/null

container=$(buildah from --pull-never siren-order)
up=
trap '[ -z "$up" ] || kill "$up" 2>/dev/null; buildah rm "$container" >/dev/null' EXIT
inside() { buildah run "$container" -- "$@"; }

echo "· what is in it"
test "$(inside id -u)" = 10001
inside siren --help >/dev/null
for tool in gcc cc make; do
    ! inside sh -c "command -v $tool" || { echo "there is a $tool in it"; exit 1; }
done
buildah inspect --type image --format '{{.Docker.Config.Healthcheck.Test}}' siren-order | grep -q healthz

echo "· the system, in it"
buildah run "$container" -- siren up >"$room/up.log" 2>&1 &
up=$!
for _ in $(seq 90); do
    inside python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8088/healthz')" \
        >/dev/null 2>&1 && break
    kill -0 $up 2>/dev/null || { cat "$room/up.log"; exit 1; }
    sleep 1
done
inside python - <<'PYTHON'
import json, subprocess, urllib.request

token = subprocess.run(
    ["siren", "token", "--role", "owner"], capture_output=True, text=True, check=True
).stdout.split()[-1]
request = urllib.request.Request(
    "http://127.0.0.1:8088/readyz", headers={"authorization": f"Bearer {token}"}
)
print("  ", json.load(urllib.request.urlopen(request)))
PYTHON
inside siren down >/dev/null
wait $up
up=
echo "the image is built, and the system runs in it"
