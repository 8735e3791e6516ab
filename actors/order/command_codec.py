"""Commands on their way to an order: explicit tags, as for events. Nothing keeps them."""

from typing import Any

import msgspec

from actors.order.domain import commands

TAGS: dict[type, str] = {command: command.__name__ for command in commands.Command.__args__}
_encode = msgspec.msgpack.Encoder().encode
_tagged = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])
_decoders: dict[str, msgspec.msgpack.Decoder[Any]] = {
    tag: msgspec.msgpack.Decoder(command) for command, tag in TAGS.items()
}


def pack_command(command: commands.Command) -> bytes:
    """Return the bytes of a command."""
    return _encode((TAGS[type(command)], command))


def unpack_command(data: bytes) -> commands.Command:
    """Return the command; raises `msgspec.MsgspecError` or `KeyError` for what is none."""
    tag, fields = _tagged.decode(data)
    command: commands.Command = _decoders[tag].decode(fields)
    return command
