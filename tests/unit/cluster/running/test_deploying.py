"""What a deploy on a cluster refuses, and how it ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from ray import serve
from ray.exceptions import ActorDiedError, RayTaskError
from sqlalchemy.exc import ProgrammingError

from actors.contracts.errors import SirenError
from cluster.running import deploying, node_settings, places
from cluster.running.former import Former
from cluster.running.node_settings import cluster_settings
from cluster.running.places import OnCluster, check_for_cluster

URL = "postgresql+asyncpg://siren@db/siren"
SECRET = "s" * 32


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_settings, "SETTINGS_FILES", ())
    for name in ("SIREN_DATABASE_URL", "SIREN_JWT_SECRET", "SIREN_HOST", "SIREN_RATE_LIMIT"):
        monkeypatch.delenv(name, raising=False)


def test_a_cluster_without_postgresql_is_refused() -> None:
    with pytest.raises(SirenError, match="PostgreSQL") as refused:
        check_for_cluster(cluster_settings(jwt_secret=SECRET))

    assert refused.value.code == "sqlite_on_a_cluster"


def test_a_cluster_without_a_secret_for_tokens_is_refused() -> None:
    with pytest.raises(SirenError, match="SIREN_JWT_SECRET"):
        check_for_cluster(cluster_settings(database_url=URL))


def test_a_cluster_has_postgresql_and_a_secret() -> None:
    check_for_cluster(cluster_settings(database_url=URL, jwt_secret=SECRET))


class Serve:
    """Stands in for Serve and Ray's names: what runs, and what is asked of them, in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, port: int | None = None) -> None:
        self.done: list[str] = []
        self.actors: list[str] = []
        self.applications: dict[str, object] = {}
        self.port = port
        self.error: Exception | None = None
        self.former = Former(None, None, frozenset())
        note = self.done.append
        monkeypatch.setattr(deploying, "only_deploy", self._lock)
        monkeypatch.setattr(places, "_get_global_client", self._client)
        monkeypatch.setattr(deploying, "siren_actors", lambda: self.actors[:])
        monkeypatch.setattr(deploying, "end", self._end)
        monkeypatch.setattr(deploying, "prepared", self._prepared)
        monkeypatch.setattr(deploying, "roll_out", self._run)
        monkeypatch.setattr(deploying, "watch", lambda *_: note("watched"))
        monkeypatch.setattr(serve, "start", lambda **_: note("started"))
        monkeypatch.setattr(serve, "status", lambda: self)
        monkeypatch.setattr(serve, "delete", lambda name: note(f"{name} deleted"))
        monkeypatch.setattr(serve, "shutdown", lambda: note("shut down"))

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.done.append("locked")
        yield
        self.done.append("unlocked")

    def _prepared(self, *_: object) -> deploying.Prepared:
        self.done.append("prepared")
        return deploying.Prepared(None, None, self.former)  # type: ignore[arg-type]

    def _end(self, name: str) -> None:
        self.actors.remove(name)

    def _client(self, **_: object) -> object:
        running = SimpleNamespace(http_config=SimpleNamespace(port=self.port))
        return None if self.port is None else running

    def _run(self, *_: object, **__: object) -> None:
        if self.error is not None:
            raise self.error
        self.done.append("run")


def deploy() -> None:
    settings = cluster_settings(database_url=URL, jwt_secret=SECRET)
    deploying.deploy(settings, OnCluster(), lambda _: None)


def test_other_deploys_are_kept_out_until_the_gateway_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = Serve(monkeypatch)

    deploy()

    assert fake.done == ["locked", "prepared", "started", "run", "watched", "unlocked"]


def test_a_port_that_serve_would_not_take_is_refused_before_anything_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = Serve(monkeypatch, port=9000)

    with pytest.raises(SirenError, match=r"port 9000 .* 8088 .*`siren undeploy` first"):
        deploy()

    assert "prepared" not in fake.done


def test_the_port_of_a_serve_that_runs_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Serve(monkeypatch, port=8088)

    deploy()

    assert "run" in fake.done


def broken_actor() -> ActorDiedError:
    text = "Traceback:\n  File x\nValueError: no such ledger\n"
    cause = RayTaskError("__init__", text, ValueError())  # type: ignore[no-untyped-call]
    return ActorDiedError(cause)


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (broken_actor(), "ValueError: no such ledger"),
        (
            RuntimeError("Deploying application siren failed: x\nOSError: no port\n"),
            "OSError: no port",
        ),
        (TimeoutError(), "TimeoutError"),
        (
            ProgrammingError("CREATE …", {}, Exception("permission denied for schema\nat x")),
            "the database says permission denied for schema",
        ),
    ],
)
def test_what_fails_on_the_cluster_is_one_sentence_with_its_cause(
    monkeypatch: pytest.MonkeyPatch, error: Exception, cause: str
) -> None:
    fake = Serve(monkeypatch)
    fake.error = error

    with pytest.raises(SirenError) as refused:
        deploy()

    assert refused.value.detail == f"the deploy failed: {cause}"


@pytest.mark.parametrize(
    ("applications", "actors", "was_there"),
    [
        (["siren"], ["payment", "store"], True),
        ([], ["payment"], True),
        (["siren", "other"], [], True),
        (["other"], [], False),
        ([], [], False),
    ],
)
def test_an_undeploy_tells_whether_there_was_anything(
    monkeypatch: pytest.MonkeyPatch, applications: list[str], actors: list[str], *, was_there: bool
) -> None:
    fake = Serve(monkeypatch)
    fake.applications = dict.fromkeys(applications)
    fake.actors = actors

    assert deploying.undeploy(lambda _: None) is was_there

    assert fake.actors == []
    assert ("siren deleted" in fake.done) == ("siren" in applications)
    assert ("shut down" in fake.done) == (applications == ["siren"])


class Before(Former):
    """Stands in for what ran before a deploy: notes that it was brought back, or cannot be."""

    def __init__(self, fake: Serve, fault: str = "") -> None:
        super().__init__(None, b"gateway", frozenset())
        object.__setattr__(self, "_told", (fake, fault))

    def bring_back(self, _report: object) -> None:
        fake, fault = self._told  # type: ignore[attr-defined]
        fake.done.append("brought back")
        if fault:
            raise SirenError("not_brought_back", fault)


def test_what_ran_before_is_brought_back_where_the_gateway_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = Serve(monkeypatch)
    fake.former = Before(fake)
    fake.error = RuntimeError("replicas failed\nValueError: planted")

    with pytest.raises(SirenError) as refused:
        deploy()

    words = "the deploy failed: ValueError: planted; the former version runs on"
    assert refused.value.detail == words
    assert fake.done[-1] == "brought back"


def test_what_could_not_be_brought_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Serve(monkeypatch)
    fake.former = Before(fake, "actors: payment does not start")
    fake.error = TimeoutError("too slow")

    with pytest.raises(SirenError, match="not all of the former version came back: actors"):
        deploy()


class Steps:
    """Stands in for what `prepared` does, in turn; one step fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: str) -> None:
        self.done: list[str] = []
        fake = Serve(monkeypatch)
        self.former = Before(fake)
        fake.done = self.done
        for name in ("preflight", "try_out", "replace_actors"):
            monkeypatch.setattr(deploying, name, self._step(name, failing))
        monkeypatch.setattr(deploying, "find_former", lambda: self.former)
        monkeypatch.setattr(deploying, "prepare_databases", self._databases)
        monkeypatch.setattr(deploying, "end_of_older_code", self._end_of_older_code)
        monkeypatch.setattr(deploying, "deployment", lambda *_, **__: None)
        monkeypatch.setattr(deploying, "effective", self._effective)
        monkeypatch.setattr(places, "token_secret", lambda _: b"")
        monkeypatch.setattr(places, "edge_secret", lambda: "")
        monkeypatch.setattr(places, "wait_until_same", lambda *_: None)
        monkeypatch.setattr(places, "workers", lambda: ["one"])

    async def _effective(self, settings: object) -> object:
        return settings

    def _step(self, name: str, failing: str) -> Callable[..., None]:
        def step(*_: object, **__: object) -> None:
            self.done.append(name)
            if name == failing:
                raise RuntimeError("planted")

        return step

    async def _databases(self, *_: object) -> object:
        self.done.append("databases")
        return None

    async def _end_of_older_code(self, _settings: object, running: object) -> None:
        self.done.append(f"older code has ended: {running}")


@pytest.mark.parametrize(
    ("failing", "done"),
    [
        ("preflight", ["preflight"]),
        ("try_out", ["preflight", "databases", "try_out", "brought back"]),
        (
            "replace_actors",
            ["preflight", "databases", "try_out", "replace_actors", "brought back"],
        ),
    ],
)
def test_a_version_is_tried_before_anything_is_replaced(
    monkeypatch: pytest.MonkeyPatch, failing: str, done: list[str]
) -> None:
    prepared = deploying.prepared
    steps = Steps(monkeypatch, failing)
    settings = cluster_settings(database_url=URL, jwt_secret=SECRET)

    with pytest.raises((SirenError, RuntimeError), match="planted"):
        prepared(settings, OnCluster(), lambda _: None, 0)

    assert steps.done == done


def test_that_older_code_has_ended_is_noted_once_none_of_it_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = deploying.prepared
    steps = Steps(monkeypatch, "")
    prepared(cluster_settings(database_url=URL, jwt_secret=SECRET), OnCluster(), lambda _: None, 0)
    before = ["preflight", "databases", "try_out", "replace_actors"]
    assert steps.done == [*before, "older code has ended: {}"]


def test_where_nothing_ran_nothing_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    prepared = deploying.prepared
    steps = Steps(monkeypatch, "")
    steps.former = Former(None, None, frozenset())  # type: ignore[assignment]

    prepared(cluster_settings(database_url=URL, jwt_secret=SECRET), OnCluster(), lambda _: None, 0)

    assert steps.done == ["databases", "replace_actors"]
