"""The table of problems: codes are told apart, and documented as they are answered."""

from string import Formatter
from typing import Any

import httpx

from serve_app.contract import problem_types
from serve_app.contract.problem_types import ProblemType

TYPES = [each for each in vars(problem_types).values() if isinstance(each, ProblemType)]


def test_a_code_has_one_status() -> None:
    assert len({(each.code, each.status) for each in TYPES}) == len({each.code for each in TYPES})


def test_a_code_and_its_text_stand_there_once() -> None:
    assert len({each.detail for each in TYPES}) == len(TYPES)


def test_filled_puts_values_in_and_leaves_the_table_as_it_is() -> None:
    before = problem_types.BODY_TOO_LARGE.detail
    assert problem_types.BODY_TOO_LARGE.filled(most=7).document() == {
        "type": "urn:problem-type:siren:body_too_large",
        "title": "Body too large",
        "status": 413,
        "detail": "The body may have at most 7 bytes.",
        "code": "body_too_large",
    }
    assert problem_types.BODY_TOO_LARGE.detail == before


async def test_the_examples_of_the_document_are_of_the_table(
    shared_client: httpx.AsyncClient,
) -> None:
    document = (await shared_client.get("/openapi.json")).json()
    examples = [
        response["content"]["application/problem+json"]["example"]
        for methods in document["paths"].values()
        for operation in methods.values()
        for status, response in operation["responses"].items()
        if status >= "400"
    ]
    known = {(each.code, each.status) for each in TYPES}
    from_the_services = {("out_of_turn", 409)}
    assert {_kind(example) for example in examples} <= known | from_the_services


def _kind(example: dict[str, Any]) -> tuple[str, int]:
    assert not [name for _, name, _, _ in Formatter().parse(example["detail"]) if name]
    return example["code"], example["status"]
