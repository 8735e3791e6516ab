"""What can be configured: environment variables with the prefix SIREN_, else a file's lines.

Read once, at the start. What is `Live` may change while the system runs: see `live_settings`.
"""

import ipaddress
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from actors.settings_file import SettingsFile
from actors.settings_types import (
    HIGHEST_PORT,
    LIVE,
    LOWEST_PORT,
    Folder,
    Live,
    Origins,
    Ports,
)

MIN_SECRET = 32
"""HS256 wants a secret as long as its hash."""
ANY_PORT = range(1)
"""Port 0: whichever is free."""

Service = Literal["journal", "payments", "provider", "stores", "readmodel"]
"""What has a database of its own. The provider is a third party, simulated here: its books stand
beside payment's, whose process it shares, and go when an adapter of a real provider comes."""
SERVICES: tuple[Service, ...] = get_args(Service)
MOST_IN_FLIGHT = 100_000
DAY_S, YEAR_S = 86_400.0, 366 * 86_400.0
KIND = "PostgreSQL, or SQLite as sqlite+aiosqlite:////folder/name.db. Unset: as for all services."


class Settings(BaseSettings):
    """Frozen settings of one installation; every actor gets them as an argument."""

    # What is refused may be a secret: errors do not repeat it.
    model_config = SettingsConfigDict(
        env_prefix="SIREN_", frozen=True, hide_input_in_errors=True, allow_inf_nan=False
    )
    _origins: dict[str, str] = PrivateAttr(default_factory=dict)

    host: str = Field("127.0.0.1", description="Address the gateway listens on.")
    port: int = Field(8088, ge=1, le=65535, description="Port the gateway listens on.")
    data_dir: Folder = Field(Path("data"), description="Folder of the embedded databases.")
    database_url: SecretStr | None = Field(
        None,
        description="PostgreSQL for all services that name no other database, as "
        "postgresql+asyncpg://user@host/name. Unset: one SQLite file a service in the data folder.",
    )
    journal_url: SecretStr | None = Field(None, description=f"Database of the orders. {KIND}")
    payments_url: SecretStr | None = Field(
        None, description=f"Database of payment, and of the simulated provider. {KIND}"
    )
    stores_url: SecretStr | None = Field(
        None, description=f"Database of menus, tickets and numbers. {KIND}"
    )
    readmodel_url: SecretStr | None = Field(
        None, description=f"Database of the order details, the view. {KIND}"
    )
    auth: Literal["auto", "required"] = Field(
        "auto",
        description="auto: on a loopback address requests without a token act as the owner; "
        "required: never. Behind a reverse proxy, set required.",
    )
    jwt_secret: SecretStr | None = Field(
        None,
        min_length=MIN_SECRET,
        description="Secret that signs tokens (HS256). Unset: a file of the data folder.",
    )
    jwks_url: str | None = Field(
        None, description="Keys of an identity provider (JWKS) whose tokens are taken, too."
    )
    jwks_issuer: str | None = Field(None, description="Issuer that its tokens must name.")
    jwks_audience: str | None = Field(None, description="Audience that its tokens must name.")
    cors_origins: Live[Origins] = Field(
        (), description="Origins, separated by commas, whose pages may call; none by default."
    )
    rate_limit: Live[str] = Field(
        "300/minute",
        pattern=r"^[1-9][0-9]{0,6}/(second|minute|hour)$",
        description="Requests that a subject may send to a replica where authentication is "
        "required; a service may send any number.",
    )
    actor_ports: Ports | None = Field(
        None,
        description="Ports of the connections between actors, as 31000-31099: one a process. "
        "Unset: any that is free.",
    )
    metrics: Literal["on", "off"] = Field(
        "on",
        description="on: processes count what operators watch, and serve it on Ray's metrics port; "
        "off: neither, which spares an order about a hundredth of its time.",
    )
    metrics_port: int | None = Field(
        None,
        ge=LOWEST_PORT,
        le=HIGHEST_PORT,
        description="Port of the metrics on one machine, on loopback. Unset: one that is free, "
        "which `siren status` names.",
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        description="text: lines for people; json: one object a line, with the ids of order and "
        "trace, for what collects logs, and one of these for each request. What `siren up` itself "
        "says is so from its next start.",
    )
    otlp_endpoint: str | None = Field(
        None,
        pattern=r"^https?://[^\s@/?#]+(/[^\s?#]*)?$",
        description="Collector of OpenTelemetry that gets traces by HTTP (OTLP), as "
        "http://127.0.0.1:4318. Unset: nothing is traced.",
    )
    order_isolation: Literal["pooled", "dedicated"] = Field(
        "pooled", description="pooled: orders share host processes; dedicated: a Ray actor each."
    )
    dedicated_max: Live[int] = Field(
        50, ge=1, le=10_000, description="Dedicated order actors at the same time."
    )
    order_hosts: int = Field(
        1,
        ge=1,
        le=256,
        description="Order hosts of a new installation; the journal remembers. On a cluster a "
        "deploy that sets it changes it; never set, there are as many as workers.",
    )
    gateway_min_replicas: Live[int] = Field(
        2,
        ge=1,
        le=256,
        description="Fewest gateway replicas. 1 saves a small machine about 190 MB; then nothing "
        "is answered for some seconds when it dies.",
    )
    gateway_max_replicas: Live[int] = Field(
        3, ge=1, le=256, description="Most gateway replicas, where that is not below the fewest."
    )
    gateway_autoscale: Live[Literal["requests", "cpu"]] = Field(
        "requests",
        description="What the number of gateway replicas follows, from fewest to most: requests "
        "that they work on at a time, or cpu. On a cluster there is one a node, whatever is set.",
    )
    gateway_target_requests: Live[float] = Field(
        100,
        gt=0,
        le=MOST_IN_FLIGHT,
        description="Requests that a gateway replica should work on at a time; with more, there "
        "are more replicas. Streams, and requests that merely wait, do not count.",
    )
    gateway_target_cpu: Live[float] = Field(
        20,
        gt=0,
        le=100,
        description="Percent of a core that a gateway replica should use, where cpu is followed.",
    )
    gateway_shrink_after_s: Live[float] = Field(
        300, ge=0, le=DAY_S, description="Seconds until replicas that nothing needs any more go."
    )
    max_in_flight: Live[int] = Field(
        256,
        ge=1,
        le=MOST_IN_FLIGHT,
        description="Requests a replica works on before it answers 503.",
    )
    payment_deadline_s: Live[float] = Field(
        900, gt=0, le=YEAR_S, description="Seconds to pay after placement, of orders placed now on."
    )
    passivate_after_s: Live[float] = Field(
        60, gt=0, le=YEAR_S, description="Seconds after which an idle order leaves memory."
    )
    provider_timeout_s: Live[float] = Field(
        30,
        gt=0,
        le=DAY_S,
        description="Seconds until a silent payment provider counts as unavailable.",
    )
    breaker_threshold: Live[int] = Field(
        5,
        ge=1,
        le=1_000_000,
        description="Orders that the provider fails, while it answers none, until it is "
        "left alone: the circuit opens. Charges and refunds count apart.",
    )
    breaker_reset_s: Live[float] = Field(
        5,
        gt=0,
        le=DAY_S,
        description="Seconds in which an open circuit lets `breaker_threshold` orders "
        "through, to see whether the provider is back.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - by its name
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources, each before those that it goes before."""
        return init_settings, env_settings, SettingsFile(settings_cls), dotenv_settings

    @property
    def origins(self) -> dict[str, str]:
        """Where each setting that is no default came from, as far as that is known."""
        return self._origins

    @property
    def ports_of_actors(self) -> range:
        """The ports on which an actor may listen."""
        if self.actor_ports is None:
            return ANY_PORT
        first, last = map(int, self.actor_ports.split("-"))
        return range(first, last + 1)

    @property
    def owner_mode(self) -> bool:
        """Whether requests without a token, from this machine to itself, act as the owner.

        Depends on what is configured alone: replicas behind HAProxy cannot see who connects.
        """
        return self.auth == "auto" and is_loopback(self.host)

    def url(self, service: Service) -> str:
        """Return the SQLAlchemy URL of a service's database."""
        name = self._field_of(service)
        if name is None:
            return f"sqlite+aiosqlite:///{self.data_dir.absolute()}/{service}.db"
        configured: SecretStr = getattr(self, name)
        url = configured.get_secret_value()
        if service == "provider" and url.startswith("sqlite"):
            return f"{url.rpartition('/')[0]}/provider.db"
        return url

    def variable_of(self, service: Service) -> str | None:
        """Return the environment variable that names a service's database; None where none does."""
        name = self._field_of(service)
        return None if name is None else variable(name)

    def _field_of(self, service: Service) -> str | None:
        own = f"{'payments' if service == 'provider' else service}_url"
        return next((n for n in (own, "database_url") if getattr(self, n) is not None), None)


def is_live(name: str) -> bool:
    """Return whether a setting may change while the system runs."""
    return LIVE in Settings.model_fields[name].metadata


def variable(field: str) -> str:
    """Return the environment variable of a setting."""
    return f"SIREN_{field.upper()}"


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
