"""The gateway: the HTTP contract over the client's commands and queries."""
