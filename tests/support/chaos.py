"""`siren chaos` on a real system, and its report."""

import json
from pathlib import Path
from typing import Any

import psutil

from tests.support.system import System


def report_of(file: Path) -> dict[str, Any]:
    """Return what a run wrote."""
    report: dict[str, Any] = json.loads(file.read_text())
    return report


def is_whole(report: dict[str, Any]) -> bool:
    """Tell whether a run had orders, all of which could be explained, and found nothing."""
    histories, orders = report["histories"], report["orders"]["acknowledged"]
    return bool(
        report["violations"] == []
        and report["violation_count"] == 0
        and orders > 0
        and histories["linearizable"] == orders
        and report["audited_orders"] >= orders
        and report["settled_s"]
    )


def stopped(system: System) -> list[psutil.Process]:
    """Return the processes of a system that are stopped."""
    return [p for p in system.processes() if p.status() == psutil.STATUS_STOPPED]
