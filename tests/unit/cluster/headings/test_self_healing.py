"""How what became of customers is judged; nothing is hurt here."""

import pytest

from cluster.headings.record import Verdict
from cluster.headings.self_healing import Reads, Wounds, told


@pytest.mark.parametrize(
    ("seconds", "unanswered", "verdict"),
    [
        (2.9, 0, Verdict.AIM),
        (4.9, 0, Verdict.MET),
        (5.1, 0, Verdict.MISSED),
        (1.0, 1, Verdict.MISSED),
    ],
)
def test_the_slowest_kind_counts_and_no_read_may_be_without_an_answer(
    seconds: float, unanswered: int, verdict: Verdict
) -> None:
    reads = Reads(answered=10, repeated=2, unanswered=["GET: closed"] * unanswered)
    wounds = Wounds({"payment": 0.5, "store": seconds}, reads, {"payment": 2, "store": 0})
    outcome = told("killed", wounds, must=5, aim=3)
    assert outcome.verdict is verdict
    assert outcome.numbers["store (s)"] == seconds
    assert outcome.numbers["reads_unanswered"] == unanswered
    assert "asked again: payment 2" in outcome.figure
