"""SIGTERM ends a worker of Ray's at once, although Ray has an answer of its own to it."""

import signal
import subprocess
import sys

import pytest

from cluster.running import environment

HOOK = "__RAY_WORKER_PROCESS_SETUP_HOOK_ENV_VAR"
RAYS_WORKER = """
import os, time
from ray._private import utils
from ray._private.runtime_env.setup_hook import load_and_execute_setup_hook

assert load_and_execute_setup_hook(os.environ[HOOK]) is None
utils.set_sigterm_handler(lambda *_: None)
print("works", flush=True)
time.sleep(120)
"""


def test_sigterm_ends_a_worker_that_would_not_end_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(HOOK, raising=False)
    environment.prepare()
    command = [sys.executable, "-c", RAYS_WORKER.replace("HOOK", repr(HOOK))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"works\n"
        worker.send_signal(signal.SIGTERM)
        try:
            assert worker.wait(30) == -signal.SIGTERM
        finally:
            worker.kill()
