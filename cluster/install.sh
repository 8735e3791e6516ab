#!/bin/sh
# Installs the system on a machine of a cluster; `ray up` runs it on each one before Ray starts.
#
# ~/.siren, which `ray up` fills, has the wheel, the locked dependencies and the settings. Where both
# are installed already it does nothing but close the files that hold secrets.
set -eu
umask 077
cd "$HOME/.siren"
chmod 700 . "$HOME/.ray"
chmod 600 siren.env "$HOME/.ray/auth_token"

wheel=$(ls -t wheel/*.whl | head -n 1) # older ones stay there
wanted=$(cat locks/*.lock "$wheel" | sha256sum)
if [ "$(cat venv/.installed 2>/dev/null)" != "$wanted" ]; then
    python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "needs Python 3.11 or newer")'
    # Without Debian's python3-venv, half of one is left behind.
    venv/bin/python -m pip --version >/dev/null 2>&1 || python3 -m venv --clear venv
    for lock in locks/*.lock; do
        venv/bin/python -m pip install --quiet --require-hashes -r "$lock"
    done
    venv/bin/python -m pip install --quiet --no-deps --force-reinstall "$wheel"
    printf '%s' "$wanted" >venv/.installed
fi

# Shells on the machine, and `ray exec`, then find `siren`, `ray` and the running cluster. `ray up`
# opens a dozen of them, so what each needs is asked for once.
PATH="$HOME/.siren/venv/bin:$PATH"
env -i HOME="$HOME" PATH="$PATH" siren node env >node.env.new
mv node.env.new node.env
profile='PATH="$HOME/.siren/venv/bin:$PATH"; . "$HOME/.siren/node.env"'
grep -qxF "$profile" "$HOME/.bashrc" 2>/dev/null || printf '%s\n' "$profile" >>"$HOME/.bashrc"

# On the head: its autoscaler installs on the other machines again when the words of its configuration
# change, whatever the files hold that they name. So a hash of those stands among the words.
configuration="$HOME/ray_bootstrap_config.yaml"
if [ -f "$configuration" ]; then
    contents=$(cat install.sh locks/* wheel/* siren.env "$HOME/.ray/auth_token" 2>/dev/null | sha256sum)
    sed "s|sh ~/.siren/install.sh|& ${contents%% *}|g" "$configuration" >cluster.yaml.new
    mv cluster.yaml.new cluster.yaml
fi
