"""The contracts of imports hold, and each of them notices what it forbids."""

import tomllib
from copy import deepcopy
from typing import Any

import grimp
import pytest
from importlinter import Contract
from importlinter.configuration import configure
from importlinter.contracts.forbidden import ForbiddenContract
from importlinter.contracts.layers import LayersContract

from tests.standard_library_only import StandardLibraryOnly
from tests.support.system import ROOT

CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
CONTRACTS = {contract["name"]: contract for contract in CONFIG["contracts"]}
configure()
TYPES: dict[str, type[Contract]] = {
    "layers": LayersContract,
    "forbidden": ForbiddenContract,
    "standard_library_only": StandardLibraryOnly,
}
PLANTED = [
    ("Imports go downwards only", "actors.client", "readmodel.queries"),
    ("Imports go downwards only", "readmodel.projector", "serve_app.backend"),
    ("Imports go downwards only", "serve_app.gateway", "cluster.peers"),
    ("Services do not know each other", "actors.order.steps", "actors.payment.service"),
    ("Services do not know each other", "actors.payment.service", "actors.store.service"),
    ("Services do not know each other", "actors.store.tickets", "actors.order.ids"),
    ("Services do not know each other", "actors.runtime.database", "actors.order.journal"),
    ("Services do not know each other", "actors.contracts.errors", "actors.settings"),
    (
        "What is read and tested without a cluster does not import Ray",
        "actors.order.journal",
        "ray",
    ),
    (
        "What is read and tested without a cluster does not import Ray",
        "cluster.audit.verify",
        "actors.runtime.ray_actors",
    ),
    ("The domain imports the standard library only", "actors.order.domain.saga", "msgspec"),
    ("The domain imports the standard library only", "actors.contracts.values", "sqlalchemy"),
    (
        "What runs at each reload of HAProxy imports the standard library only",
        "cluster.running.haproxy_config",
        "msgspec",
    ),
    (
        "The domain reads from events to saga",
        "actors.order.domain.events",
        "actors.order.domain.saga",
    ),
    (
        "What is said between services reads from values to messages",
        "actors.contracts.values",
        "actors.contracts.messages",
    ),
    (
        "The gateway reads from what it says to where it is deployed",
        "serve_app.contract.problems",
        "serve_app.security.tokens",
    ),
    (
        "The gateway reads from what it says to where it is deployed",
        "serve_app.middleware.load_shedding",
        "serve_app.routes.orders",
    ),
]


@pytest.fixture(scope="module")
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(
        *CONFIG["root_packages"], include_external_packages=True, cache_dir=None
    )


def is_kept(name: str, graph: grimp.ImportGraph) -> bool:
    options: dict[str, Any] = CONTRACTS[name]
    told = {key: str(value) if value is True else value for key, value in options.items()}
    contract = TYPES[options["type"]](name=name, session_options=CONFIG, contract_options=told)
    # A check may take imports out of the graph that it is given.
    return contract.check(deepcopy(graph), verbose=False).kept


@pytest.mark.parametrize("name", CONTRACTS)
def test_the_contract_is_kept_without_exception(name: str, imports: grimp.ImportGraph) -> None:
    assert is_kept(name, imports)
    assert not [option for option in CONTRACTS[name] if option.startswith(("ignore", "unmatched"))]


@pytest.mark.parametrize(("name", "importer", "imported"), PLANTED)
def test_a_planted_violation_is_noticed(
    name: str, importer: str, imported: str, imports: grimp.ImportGraph
) -> None:
    planted = deepcopy(imports)
    assert importer in planted.modules
    planted.add_import(importer=importer, imported=imported)
    assert not is_kept(name, planted)


@pytest.mark.parametrize(
    ("name", "stranger"),
    [
        ("Services do not know each other", "actors.delivery"),
        ("The domain reads from events to saga", "actors.order.domain.loyalty"),
        ("What is said between services reads from values to messages", "actors.contracts.misc"),
        ("The gateway reads from what it says to where it is deployed", "serve_app.helpers"),
    ],
)
def test_a_module_that_has_no_room_is_noticed(
    name: str, stranger: str, imports: grimp.ImportGraph
) -> None:
    planted = deepcopy(imports)
    planted.add_module(stranger)
    assert not is_kept(name, planted)


def test_every_contract_has_a_violation_planted() -> None:
    assert {name for name, *_ in PLANTED} == set(CONTRACTS)
