"""Everything wired together: bootstrap, the `siren` command, and what a cluster needs."""
