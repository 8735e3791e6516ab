"""What stands in the files of a data folder, byte by byte."""

from pathlib import Path


def found(folder: Path, *secrets: str) -> set[tuple[str, str]]:
    """Return which of some texts stand anywhere in which file, as bytes."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return {
        (path.name, secret)
        for path in files
        for secret in secrets
        if secret.encode() in path.read_bytes()
    }
