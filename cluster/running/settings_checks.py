"""What a start refuses of the settings that say who may come in."""

from urllib.parse import urlsplit

from actors.contracts.errors import SirenError
from actors.runtime.database_faults import sqlite_files
from actors.settings import Settings, is_loopback


def check_authentication(settings: Settings) -> None:
    """Raise `SirenError`, with one clear sentence, for what cannot be safe."""
    _check_provider(settings)
    if not settings.owner_mode and not sqlite_files(settings):  # else this machine is the only one
        _check_shared_secret(settings)


def _check_provider(settings: Settings) -> None:
    provider = (settings.jwks_url, settings.jwks_issuer, settings.jwks_audience)
    if not any(provider):
        return
    if not all(provider):
        detail = (
            "SIREN_JWKS_URL, SIREN_JWKS_ISSUER and SIREN_JWKS_AUDIENCE are set together: "
            "else tokens that the provider made for others would be taken"
        )
        raise SirenError("jwks_incomplete", detail)
    url = urlsplit(settings.jwks_url or "")
    if url.scheme != "https" and not (url.scheme == "http" and is_loopback(url.hostname or "")):
        detail = "SIREN_JWKS_URL must be https: whoever changes the keys on their way is anybody"
        raise SirenError("jwks_not_https", detail)


def _check_shared_secret(settings: Settings) -> None:
    if settings.jwt_secret is None and settings.jwks_url is None:
        detail = (
            "on PostgreSQL, authentication needs SIREN_JWT_SECRET (or SIREN_JWKS_URL): "
            "each node would make a secret of its own, and refuse the others' tokens"
        )
        raise SirenError("no_shared_secret", detail)
