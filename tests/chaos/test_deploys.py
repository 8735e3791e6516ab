"""Versions are deployed onto a running system of one machine while customers order."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from cluster.headings.versions import FAULTS, Fault, copy_of_code
from tests.support.outside import headers, new_order
from tests.support.system import ROOT, System

IN_ITS_PLACE = next(fault for fault in FAULTS if "projection" in fault.name)
"""A trial cannot find it: what ran before has to be brought back."""
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose versions may be replaced."""
    system = System(tmp_path_factory.mktemp("deploys") / "data")
    system.start()
    yield system
    system.stop()


@contextmanager
def customers(system: System) -> Iterator[None]:
    """Let somebody order all the while; fails at the end if any request did."""
    over, answers = threading.Event(), list[str]()

    def order() -> None:
        while not over.is_set():
            body, key = new_order(), uuid4().hex
            try:
                answer = system.http.post("/orders", json=body, headers=headers(key))
                done = answer.status_code in (httpx.codes.OK, httpx.codes.CREATED)
                answers.append(answer.json()["order_status"] if done else answer.text)
            except httpx.HTTPError as error:
                answers.append(repr(error))

    customer = threading.Thread(target=order)
    customer.start()
    try:
        yield
    finally:
        over.set()
        customer.join()
    assert set(answers) == {"ACCEPTED"}


def deploy(system: System, folder: Path, fault: Fault | None = None) -> tuple[int, str]:
    copy = copy_of_code(folder / "version", fault)
    said = system.siren("deploy", PYTHONPATH=copy, SIREN_PASSIVATE_AFTER_S=59)
    return said.returncode, said.stderr


def test_a_version_that_fails_in_its_place_is_taken_back_and_no_request_fails(
    own: System, tmp_path: Path
) -> None:
    with customers(own):
        code, said = deploy(own, tmp_path, IN_ITS_PLACE)

    assert code == 1
    words = "the new projection does not work: RuntimeError: planted; the former version runs on"
    assert words in " ".join(said.split())
    assert own.http.get("/readyz").status_code == httpx.codes.OK


def test_a_good_version_takes_over_and_back_again_and_no_request_fails(
    own: System, tmp_path: Path
) -> None:
    with customers(own):
        assert deploy(own, tmp_path) == (0, "")
        back = own.siren("deploy", PYTHONPATH=ROOT)

    assert (back.returncode, back.stderr) == (0, "")
    audit = own.siren("verify")
    assert audit.returncode == 0, audit.stdout
