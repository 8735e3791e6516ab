"""What `siren status` says of processes: who follows which version of the live settings."""

from typing import Any

from rich.console import Console

from cluster.operations.actors_status import SILENT, Facts, table_of


def facts(version: int | None, **more: Any) -> Facts:
    known = {} if version is None else {"settings": version, "refused": {}}
    return {"pid": 17, "node": "10.0.0.2", **known, **more}


def lines(told: dict[str, Facts | str]) -> dict[str, list[str]]:
    console = Console(width=200)
    with console.capture() as said:
        console.print(table_of(told))
    rows = [line.split("│")[1:-1] for line in said.get().splitlines() if line.startswith("│")]
    return {row[0].strip(): [cell.strip() for cell in row[1:]] for row in rows}


def test_a_process_that_follows_an_older_version_than_others_is_behind() -> None:
    shown = lines({"payment": facts(2), "store": facts(3), "gateway abc": facts(3)})
    assert shown == {
        "payment": ["17", "10.0.0.2", "2, behind", "up"],
        "store": ["17", "10.0.0.2", "3", "up"],
        "gateway abc": ["17", "10.0.0.2", "3", "up"],
    }


def test_nobody_is_behind_where_nothing_was_ever_set_live() -> None:
    shown = lines({"payment": facts(0, circuit="closed"), "store": facts(None)})
    assert shown["payment"][2:] == ["0", "circuit closed"]
    assert shown["store"][2:] == ["0", "up"]  # of code from before there were any


def test_what_a_process_does_not_follow_is_said_with_the_reason() -> None:
    refused = {"breaker_turbo": "this version has no such setting"}
    shown = lines({"store": facts(4, refused=refused)})
    assert shown["store"][2] == "4"
    assert "does not follow breaker_turbo: this version has no such setting" in shown["store"][3]


def test_of_a_silent_process_nothing_is_known() -> None:
    assert lines({"payment": SILENT, "store": facts(1)})["payment"] == ["-", "-", "-", SILENT]
