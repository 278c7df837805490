"""Python runs this first where its folder stands on PYTHONPATH: no connection leaves this machine, each try is noted.

`$FER_CONNECTIONS` names the file to note them in.
"""

from __future__ import annotations

import ipaddress
import os
import sys

_HERE = ("localhost", "", None, "0.0.0.0", "::")


def _is_here(host: object) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    if name in _HERE:
        return True
    try:
        return ipaddress.ip_address(str(name).partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        host = arguments[1][0] if isinstance(arguments[1], tuple) else None
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    else:
        return
    if not _is_here(host):
        with open(os.environ["FER_CONNECTIONS"], "a", encoding="utf-8") as file:
            file.write(f"{event} {host!r} by {sys.argv}\n")
        raise OSError(f"no network here, on purpose: {event} {host!r}")


sys.addaudithook(_refuse)
