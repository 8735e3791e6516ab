"""The order service: each order is a virtual actor whose history is its journal."""
