"""What throws anything at a part of the system, fifty times as often as in `make test`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Within an hour on 2 cores, most of it for the first.
FILES = [
    "serve_app/test_documented_calls.py",
    "serve_app/test_any_request.py",
    "actors/runtime/test_rpc_any_bytes.py",
    "actors/runtime/test_rpc_frames.py",
    "actors/order/test_journal_rows.py",
    "actors/order/test_event_codec.py",
]


@pytest.mark.parametrize("file", FILES)
def test_nothing_that_comes_in_fails_what_holds_in_short(file: str) -> None:
    run = [sys.executable, "-m", "pytest", "-q", "--show-capture=no", "--timeout=3600"]
    command = [*run, "--hypothesis-profile=soak", f"tests/unit/{file}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2_000:]
