"""The whole saga in one process, deterministic: every interleaving and fault comes from a seed."""
