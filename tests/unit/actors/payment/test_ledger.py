"""What the ledger keeps of a payment, whatever is reported late."""

from actors.payment.ledger import Payment
from tests.support.payments import charge


def test_behind_the_tombstone_an_approval_is_not_recorded() -> None:
    payment = Payment("o").refuse(1, now=1).charged(charge(), "APPROVED", now=2)
    assert (payment.status, payment.approved_at) == ("PENDING", None)
    assert payment.outcome_of(1) is None
    assert payment.refunded(now=3).outcome_of(1) == "CANCELED"


def test_what_is_known_of_a_payment_is_not_taken_back_by_a_late_report() -> None:
    approved = Payment("o").charged(charge(), "APPROVED", now=1)
    refused = approved.refuse(1, now=2)
    for known in (approved, refused, refused.refunded(now=3)):
        assert known.charged(charge(), "PENDING", now=4) == known
