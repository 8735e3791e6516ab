"""Backups, in one format for SQLite and PostgreSQL, taken while orders go on, and restored."""
