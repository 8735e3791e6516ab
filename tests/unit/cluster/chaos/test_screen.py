"""How a run is shown, and what its report has."""

import json
from collections import Counter
from io import StringIO

import pytest
from rich.console import Console

from cluster.chaos.clients import Waits
from cluster.chaos.history import Violation
from cluster.chaos.linearizability import Verdict
from cluster.chaos.report import SHOWN_VIOLATIONS, Happened, Report
from cluster.chaos.screen import Screen

KILLED = Happened(12.34, "kill-payment", "kill -9", "payment", "process 4711", 0.0)
LOCKED = Happened(31.0, "lock-journal", "locked database", "journal", "journal.db", 4.2)
VIOLATION = Violation("o-1", "not_linearizable", "no order explains it", ("fits  0.0 to 1.0",))


def report(**changes: object) -> Report:
    details = Waits(7618, 28, 7, 11.4, 3, "SIGSTOP Serve's controller")
    found = Report("http://127.0.0.1:8088", 7, 10, 120, "2026-01-01T00:00:00+00:00")
    found.faults = [KILLED, LOCKED, KILLED]
    found.waits = {"order details": details, "orders": Waits(1328)}
    found.acknowledged, found.calls, found.settled_s = 1207, 19562, [6.9]
    found.verdicts = Counter({Verdict.LINEARIZABLE: 1207})
    found.statuses = Counter({"PICKED_UP": 400, "ACCEPTED": 807})
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def printed(found: Report, width: int, *, terminal: bool = True) -> str:
    console = Console(file=StringIO(), width=width, force_terminal=terminal, color_system=None)
    screen = Screen(console, found)
    for fault in found.faults:
        screen.happened(fault)
    screen.stage("breaking things")
    if terminal:
        console.print(screen.shown())
    screen.summarize()
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_the_table_is_wider_than_the_terminal(width: int) -> None:
    lines = printed(report(), width).splitlines()
    table = lines[: lines.index("no violation")]
    rows = [line for line in table if line.startswith(("kill -9", "locked", "order"))]
    assert len(rows) == 2 * 4
    assert all(len(line) <= width for line in rows)
    assert sum("7,618" in line and "11.4 s" in line for line in rows) == 2


def test_a_long_name_of_what_was_hurt_squeezes_no_other_column() -> None:
    slow = Happened(1.0, "slow-disk", "slow disk", "databases' disk", "/a" * 60, 3.0)
    rows = printed(report(faults=[LOCKED, slow]), 80, terminal=False).splitlines()
    assert any(row.startswith("locked database      1  ") for row in rows), rows


def test_without_a_terminal_each_fault_is_a_line() -> None:
    text = printed(report(), 80, terminal=False)
    assert "  12.3 s  kill -9 payment: process 4711\n" in text
    assert "  31.0 s  locked database journal: journal.db, 4.2 s\n" in text
    assert "\x1b" not in text


def test_a_violation_is_shown_with_the_calls_that_show_it() -> None:
    text = printed(report(violations=[VIOLATION]), 80)
    assert "o-1  not_linearizable: no order explains it\n    fits  0.0 to 1.0\n" in text
    assert "violations: 1" in text
    assert "no violation" not in text


def test_what_was_left_out_is_told_with_its_reason() -> None:
    assert "left out: cut-actors: it takes root" in printed(
        report(left_out={"cut-actors": "it takes root"}), 80
    )


def test_the_report_is_json_that_says_what_was_seen() -> None:
    found = json.loads(json.dumps(report(violations=[VIOLATION]).as_json()))
    assert found["faults"][0] == {
        "at_s": 12.34,
        "kind": "kill-payment",
        "to": "process 4711",
        "lasts_s": 0,
    }
    assert found["histories"] == {
        "calls": 19562,
        "linearizable": 1207,
        "not_linearizable": 0,
        "undecided": 0,
    }
    assert found["requests"]["order details"]["repeated_more_than_once"] == 7
    assert found["violations"] == [
        {
            "order_id": "o-1",
            "code": "not_linearizable",
            "words": "no order explains it",
            "trace": ["fits  0.0 to 1.0"],
        }
    ]


def test_a_report_with_many_violations_counts_all_and_has_the_first() -> None:
    found = report(violations=[VIOLATION] * (SHOWN_VIOLATIONS + 5)).as_json()
    assert found["violation_count"] == SHOWN_VIOLATIONS + 5
    assert len(found["violations"]) == SHOWN_VIOLATIONS
