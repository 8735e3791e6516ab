"""Where the `siren` command begins: an interrupt during its imports is no traceback."""

import signal


def main() -> None:
    """Run the command."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing has begun yet that must be ended
    from cluster.cli import app  # noqa: PLC0415 - see above

    signal.signal(signal.SIGINT, before)
    app()


if __name__ == "__main__":
    main()
