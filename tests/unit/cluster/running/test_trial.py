"""A new version proves itself: each kind of process starts, and does real work."""

from pathlib import Path

import pytest

from actors.contracts.errors import SirenError, Unavailable
from actors.installation import Installation
from actors.order.actor import OrderActor
from actors.order.journal import Journal
from actors.settings import Settings
from cluster.running import bootstrap, preflight, trial_kinds
from cluster.running.trial import KINDS, last_line
from cluster.running.trial import preflight as in_another_process
from cluster.running.trial_kinds import FaultyGateway, GatewayKind, Kind
from readmodel.projection import Projection
from readmodel.tables import open_database
from serve_app.gateway import Gateway
from tests.support.appends import appending

SECRETS = (b"t" * 32, "of-haproxy")


@pytest.fixture
async def installation(tmp_path: Path) -> Installation:
    found = await bootstrap.prepare_databases(Settings(data_dir=tmp_path))
    journal = Journal(found.settings.url("journal"))
    await journal.append(appending("o"))
    await journal.close()
    return found


@pytest.fixture(autouse=True)
def as_on_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("actors.order.actor", "actors.payment.actor", "actors.store.actor"):
        monkeypatch.setattr(f"{module}.node_address", lambda: "127.0.0.1")
        monkeypatch.setattr(f"{module}.observe_process", lambda *_, **__: None)
    for name in ("listen_on_the_node_s_address_only", "join_writes", "when_it_leaves"):
        monkeypatch.setattr(f"serve_app.gateway.{name}", lambda *_: None)
    monkeypatch.setattr("serve_app.gateway.observe_process", lambda *_, **__: None)
    for name in ("actors.runtime.ray_actors", "actors.order.actor", "serve_app.gateway"):
        monkeypatch.setattr(f"{name}.spare_garbage_collection", lambda: None)
    monkeypatch.setattr("actors.runtime.ray_actors.node_address", lambda: "127.0.0.1")


def kinds() -> dict[str, Kind]:
    return {
        "order host": trial_kinds.OrderHostKind(),
        "payment": trial_kinds.PaymentKind(),
        "store": trial_kinds.StoreKind(),
        "projection": trial_kinds.ProjectionKind(),
        "gateway": GatewayKind(*SECRETS),
    }


async def test_each_kind_that_works_passes_and_touches_no_order(installation: Installation) -> None:
    journal = Journal(installation.settings.url("journal"))
    before = await journal.last_position()
    assert tuple(kinds()) == KINDS
    for kind in kinds().values():
        await kind.begin(installation)
        await kind.look()
        await kind.look()
    assert await journal.last_position() == before
    await journal.close()


async def test_a_host_that_cannot_write_fails(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(_: OrderActor) -> None:
        raise Unavailable("no", "read-only")

    monkeypatch.setattr(OrderActor, "ready", refuse)
    kind = trial_kinds.OrderHostKind()
    await kind.begin(installation)
    with pytest.raises(Unavailable, match="read-only"):
        await kind.look()


async def test_a_projection_that_cannot_fold_fails_and_one_without_its_server_does_not(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = trial_kinds.ProjectionKind()
    await kind.begin(installation)
    for error in (Unavailable("away", "its server is away"), ValueError("folded wrongly")):

        def fail(_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(trial_kinds, "row_of", fail)
        if isinstance(error, Unavailable):
            await kind.look()
        else:
            await Projection(kind._journal, open_database(view_of(installation))).catch_up()
            with pytest.raises(ValueError, match="folded wrongly"):
                await kind.look()


def view_of(installation: Installation) -> str:
    return installation.settings.url("readmodel")


@pytest.mark.parametrize(("status", "fails"), [(500, True), (503, False), (404, False)])
async def test_a_gateway_that_answers_500_fails(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, status: int, *, fails: bool
) -> None:
    async def answer(_scope: object, _receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": status})  # type: ignore[operator]

    monkeypatch.setattr(Gateway, "__serve_build_asgi_app__", lambda _: answer)
    kind = GatewayKind(*SECRETS)
    await kind.begin(installation)
    if fails:
        with pytest.raises(FaultyGateway, match="answers 500 to GET /healthz"):
            await kind.look()
    else:
        await kind.look()


async def test_the_application_is_built_without_databases_and_without_ray() -> None:
    await preflight.build(Installation(Settings(data_dir=Path("/nowhere")), b"", 1))


def test_a_version_that_cannot_be_imported_fails_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "serve_app").mkdir()
    (tmp_path / "serve_app" / "__init__.py").write_text("raise ImportError('no such library')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(SirenError, match="no such library"):
        in_another_process(Installation(Settings(), b"", 1), lambda _: None)


def test_of_a_traceback_its_last_line_is_told() -> None:
    assert last_line("Traceback\n  File x\nValueError: no\n\n") == "ValueError: no"
    assert last_line("") == "it says nothing"
