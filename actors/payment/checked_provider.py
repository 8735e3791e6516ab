"""A provider that is not trusted: it may say nothing, nonsense, or something else each time.

What cannot be right counts as no answer, so the same key is asked again: nothing is written down
that may be wrong, and the circuit opens before a provider that gives nobody a right one.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from actors.contracts.errors import SirenError, Unavailable
from actors.contracts.messages import ChargeRequest
from actors.payment.provider import Charge, ChargeStatus, PaymentProvider
from actors.runtime.circuit import PROVIDER_TIMEOUT, PROVIDER_WRONG
from actors.runtime.waits import NEVER_S, Waits

Asked = ParamSpec("Asked")
Answer = TypeVar("Answer")

logger = logging.getLogger("siren")


class CheckedProvider:
    """A `PaymentProvider` that has `timeout_s` seconds, and whose answers must make sense.

    Its methods raise `Unavailable` where the outcome is unknown.
    """

    def __init__(self, provider: PaymentProvider, timeout_s: float) -> None:
        self._provider = provider
        self.timeout_s = timeout_s
        self.waits = Waits()
        """The waits for it."""

    async def charge(self, key: str, request: ChargeRequest) -> ChargeStatus:
        """Ask for a charge; the answer is of this amount, and a decline is one on a second look."""
        amount, currency = request.amount, request.currency
        answer: Any = await self._ask(
            self._provider.authorize, key, amount, currency, request.token
        )
        status = answer.status if isinstance(answer, Charge) else None
        if status is ChargeStatus.APPROVED:
            if answer.amount == amount and answer.currency == currency:
                return status
        elif status is ChargeStatus.DECLINED:
            await self._check_declined(key)
            return status
        elif status is ChargeStatus.CANCELED:
            return status
        raise _wrong(f"{amount} {currency} were asked for, and answered was {answer!r:.200}")

    async def cancel(self, key: str) -> None:
        """Undo a charge, for good."""
        await self._ask(self._provider.cancel, key)

    async def _check_declined(self, key: str) -> None:
        """Raise where the books hold a charge: a decline is final, and would leave it there."""
        found: Any = await self._ask(self._provider.find, key)
        if found is not None and getattr(found, "status", None) != ChargeStatus.DECLINED:
            raise _wrong(f"answered was DECLINED, and known is {found!r:.200}")

    async def _ask(
        self,
        method: Callable[Asked, Awaitable[Answer]],
        *args: Asked.args,
        **kwargs: Asked.kwargs,
    ) -> Answer:
        try:
            async with asyncio.timeout(self.timeout_s):
                with self.waits.up_to(self.timeout_s + NEVER_S):
                    return await method(*args, **kwargs)
        except TimeoutError as error:
            raise Unavailable(
                PROVIDER_TIMEOUT, "The payment provider did not answer in time."
            ) from error
        except SirenError:
            raise
        except Exception as error:
            logger.exception("an answer of the payment provider cannot be read")
            raise _wrong(repr(error)) from error


def _wrong(why: str) -> Unavailable:
    return Unavailable(PROVIDER_WRONG, f"The payment provider's answer cannot be right: {why}.")
