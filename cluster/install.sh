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
if [ -d tls ]; then # README.md: RAY_USE_TLS
    chmod -R go= tls
    printf 'export %s\n' RAY_USE_TLS=1 RAY_TLS_CA_CERT="$PWD/tls/ca.pem" \
        RAY_TLS_SERVER_CERT="$PWD/tls/cert.pem" RAY_TLS_SERVER_KEY="$PWD/tls/key.pem" >>node.env.new
fi
mv node.env.new node.env
profile='PATH="$HOME/.siren/venv/bin:$PATH"; . "$HOME/.siren/node.env"'
grep -qxF "$profile" "$HOME/.bashrc" 2>/dev/null || printf '%s\n' "$profile" >>"$HOME/.bashrc"

# On the head: its autoscaler installs on the other machines again when the words of its configuration
# change, whatever the files hold that they name. So a hash of those stands among the words.
configuration="$HOME/ray_bootstrap_config.yaml"
if [ -f "$configuration" ]; then
    contents=$(cat install.sh locks/* wheel/* tls/* siren.env "$HOME/.ray/auth_token" 2>/dev/null | sha256sum)
    named='"ImageId": "resolve:ssm:'
    image=
    if grep -q "$named" "$configuration"; then
        # On AWS, workers are of the head's own image: its role may not ask which one is the newest.
        data=http://169.254.169.254/latest
        token=$(curl -sSf -X PUT -H "X-aws-ec2-metadata-token-ttl-seconds: 60" $data/api/token)
        image=$(curl -sSf -H "X-aws-ec2-metadata-token: $token" $data/meta-data/ami-id)
    fi
    sed "s|sh ~/.siren/install.sh|& ${contents%% *}|g; s|$named[^\"]*|\"ImageId\": \"$image|g" \
        "$configuration" >cluster.yaml.new
    mv cluster.yaml.new cluster.yaml
    [ ! -s machines.json ] || venv/bin/python -m cluster.running.machines "$configuration" machines.json
fi
