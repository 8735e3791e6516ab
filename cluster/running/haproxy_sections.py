"""HAProxy's configuration as text: sections, their lines, servers. Standard library only."""

from dataclasses import dataclass


@dataclass
class Section:
    """A part of the configuration: its first line, and those below."""

    head: str
    lines: list[str]

    def drop(self, *starts: str) -> None:
        """Leave out the lines that begin with any of `starts`."""
        self.lines = [line for line in self.lines if not line.strip().startswith(starts)]

    def put(self, text: str) -> None:
        """Put lines of ours before all others: rules count in the order in which they stand."""
        self.lines = [*text.splitlines(), *self.lines]


def sections(config: str) -> list[Section]:
    """Return the parts of a configuration."""
    parts: list[Section] = []
    for line in config.splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            parts.append(Section(line, []))
        elif parts:
            parts[-1].lines.append(line)
    return parts


def has_applications(config: str) -> bool:
    """Return whether the configuration sends requests to any application."""
    return any(line.strip().startswith("use_backend ") for line in config.splitlines())


def servers(application: Section) -> list[tuple[str, str, list[str]]]:
    """Return name, address and options of each server of an application."""
    lines = [line.split() for line in application.lines]
    return [(words[1], words[2], words[3:]) for words in lines if words[:1] == ["server"]]


def only(part: Section, start: str) -> str:
    """Return the one line of a section that begins with a word; raises `ValueError`."""
    found = [line.strip() for line in part.lines if line.strip().startswith(f"{start} ")]
    if len(found) != 1:
        raise ValueError(f"Serve's HAProxy configuration has {len(found)} × {start} in {part.head}")
    return found[0]
