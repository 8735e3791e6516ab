"""A board that stands there all day: where nothing happens, next to nothing is fetched."""

from typing import Any

from tests.browser.people import Barista
from tests.browser.visitor import Visitor
from tests.support.outside import accepted
from tests.support.system import System

TICKETS = 12
LOOKS = 10


def test_a_board_asks_again_and_fetches_only_what_is_new(tablet: Visitor, system: System) -> None:
    for _ in range(TICKETS):
        accepted(system)
    Barista(tablet).watch()
    tablet.page.wait_for_load_state("load")
    network = tablet.page.context.new_cdp_session(tablet.page)
    statuses: list[int] = []
    sizes: list[float] = []

    def answered(event: dict[str, Any]) -> None:
        statuses.append(event["statusCode"])

    def loaded(event: dict[str, Any]) -> None:
        sizes.append(event["encodedDataLength"])

    network.on("Network.responseReceivedExtraInfo", answered)
    network.on("Network.loadingFinished", loaded)
    network.send("Network.enable")
    for _ in range(LOOKS):
        with tablet.page.expect_response("**/pickups?*"):
            pass
    print(f"{len(sizes)} answers, {sum(sizes):.0f} bytes, statuses {sorted(set(statuses))}")
    assert statuses.count(304) >= LOOKS - 2
    assert sum(sizes) / len(sizes) < 1000
