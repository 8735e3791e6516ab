"""What can be configured: environment variables with the prefix SIREN_, read once at start."""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Service = Literal["journal", "payments", "provider", "stores", "readmodel"]


class Settings(BaseSettings):
    """Frozen settings of one installation; every actor gets them as an argument."""

    model_config = SettingsConfigDict(env_prefix="SIREN_", frozen=True)

    host: str = Field("127.0.0.1", description="Address the gateway listens on.")
    port: int = Field(8088, ge=1, le=65535, description="Port the gateway listens on.")
    data_dir: Path = Field(Path("data"), description="Folder of the embedded databases.")
    database_url: str | None = Field(
        None,
        description="PostgreSQL for all services, as postgresql+asyncpg://user@host/name. "
        "Unset: one SQLite file a service in the data folder.",
    )
    order_isolation: Literal["pooled", "dedicated"] = Field(
        "pooled", description="pooled: orders share host processes; dedicated: a Ray actor each."
    )
    dedicated_max: int = Field(50, ge=1, description="Dedicated order actors at the same time.")
    order_hosts: int = Field(
        1, ge=1, le=256, description="Order hosts of a new installation; the journal remembers."
    )
    gateway_min_replicas: int = Field(1, ge=1, description="Fewest gateway replicas.")
    gateway_max_replicas: int = Field(3, ge=1, description="Most gateway replicas.")
    max_in_flight: int = Field(
        1000, ge=1, description="Requests a replica works on before it answers 503."
    )
    payment_deadline_s: float = Field(900, gt=0, description="Seconds to pay after placement.")
    passivate_after_s: float = Field(
        60, gt=0, description="Seconds after which an idle order leaves memory."
    )
    provider_timeout_s: float = Field(
        30, gt=0, description="Seconds until a silent payment provider counts as unavailable."
    )
    breaker_threshold: int = Field(
        5, ge=1, description="Provider failures in a row that open the circuit."
    )
    breaker_reset_s: float = Field(5, gt=0, description="Seconds an open circuit stays open.")

    def url(self, service: Service) -> str:
        """Return the SQLAlchemy URL of a service's database."""
        if self.database_url is not None:
            return self.database_url
        return f"sqlite+aiosqlite:///{self.data_dir.absolute()}/{service}.db"
