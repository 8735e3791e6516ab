"""Python runs this at its start where PYTHONPATH leads here: before anything opens a database."""

from tests.support.power.recorder import record_from_environment

record_from_environment()
