#!/usr/bin/env bash
# Makes hosts on this machine for cluster tests: each a network namespace on one bridge, with processes, /tmp,
# /dev/shm and home of its own, and an ssh server. Needs root, iproute2, util-linux, openssh-server, rsync.
#   hosts.sh up N       hosts 1..N at 10.99.0.11, .12, ...; this machine is 10.99.0.1
#   hosts.sh add I      one more
#   hosts.sh ssh I CMD  run a command on host I          hosts.sh down      end and remove them all
#   hosts.sh kill I     pull host I's plug: not even its kernel says goodbye
#   hosts.sh boot I     start it again, its home kept
#   hosts.sh cut I J    no packet passes between two hosts any more     hosts.sh mend I J
# All share the file system but for /tmp, /root and /dev/shm: put what they need outside these.
set -euo pipefail
D=${HOSTS_DIR:-/var/tmp/lab-hosts}; NET=10.99.0; BRIDGE=br-siren

boot() {
  local i=$1 d=$D/h$1
  ip link set "v$i" up
  setsid ip netns exec "h$i" unshare --pid --mount --uts --ipc --fork --kill-child --mount-proc bash -ec "
    hostname h$i; mkdir -p /run/sshd
    [ ! -d \$HOME/.pyenv ] || { mkdir -p $d/home/.pyenv; mount --bind \$HOME/.pyenv $d/home/.pyenv; }
    mount --rbind $d/home /root; mount -t tmpfs -o size=2g tmpfs /dev/shm
    mount --bind $d/hosts /etc/hosts; mount --bind $d/resolv.conf /etc/resolv.conf
    rm -rf $d/tmp; mkdir -m 1777 $d/tmp; mount --bind $d/tmp /tmp
    exec /usr/sbin/sshd -D -e -f $d/sshd_config" >"$d/sshd.log" 2>&1 </dev/null &
  echo $! >"$d/pid"
}

add() {
  local i=$1 h=h$1 d=$D/h$1
  mkdir -p "$d/home/.ssh"; chmod 700 "$d/home/.ssh"; touch "$d/home/.bashrc"
  cp "$D/key.pub" "$d/home/.ssh/authorized_keys"
  # Names are answered at once: what asks for its host's would wait 10 s for a server that is not there.
  { echo 127.0.0.1 localhost; for n in $(seq 1 9); do echo "$NET.1$n h$n"; done; } >"$d/hosts"; : >"$d/resolv.conf"
  printf '%s\n' "ListenAddress $NET.1$i" "HostKey $D/key" 'PidFile none' 'UsePAM no' 'StrictModes no' \
    'PermitRootLogin yes' 'AuthorizedKeysFile /root/.ssh/authorized_keys' >"$d/sshd_config"
  ip netns add "$h"; ip link add "v$i" type veth peer name eth0 netns "$h"; ip link set "v$i" master $BRIDGE up
  ip -n "$h" addr add "$NET.1$i/24" dev eth0; ip -n "$h" link set eth0 up; ip -n "$h" link set lo up
  ip -n "$h" route add default via $NET.1
  boot "$i"
}

up() {
  mkdir -p "$D"; [ -f "$D/key" ] || ssh-keygen -q -t ed25519 -N '' -f "$D/key"
  ip link add $BRIDGE type bridge; ip addr add $NET.1/24 dev $BRIDGE; ip link set $BRIDGE up
  for i in $(seq 1 "$1"); do add "$i"; done
}

unplug() { ip link set "v$1" down 2>/dev/null || true; kill -KILL "$(cat "$D/h$1/pid")" 2>/dev/null || true; { ip netns pids "h$1" | xargs -r kill -KILL; } 2>/dev/null || true; }

isolated() { # on or off: neither port of the bridge hands anything to the other, and nobody is told
  bridge link set dev "v$2" isolated "$1"; bridge link set dev "v$3" isolated "$1"
}

down() {
  for d in "$D"/h*/; do [ -d "$d" ] || continue; local i=${d%/}; i=${i##*/h}; unplug "$i"; ip link del "v$i" 2>/dev/null || true; ip netns del "h$i" 2>/dev/null || true; done
  ip link del $BRIDGE 2>/dev/null || true; rm -rf "$D"
}

case ${1:-} in
  up) up "$2" ;; add) add "$2" ;; down) down ;; boot) boot "$2" ;; kill) unplug "$2" ;;
  cut) isolated on "$2" "$3" ;; mend) isolated off "$2" "$3" ;;
  ssh) i=$2; shift 2; exec ssh -q -i "$D/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$NET.1$i" "$@" ;;
  *) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
