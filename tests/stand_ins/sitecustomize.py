"""Put on a kernel's path: whatever it asks of the network is refused, and written down."""

import os
import socket
import sys

_HERE = ("localhost", "127.0.0.1", "::1", "")


def _refuse(event: str, args: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    if host is not None and str(host) not in _HERE:
        with open(os.environ["ASKED_OF_THE_NETWORK"], "a", encoding="utf-8") as file:
            file.write(f"{event} {host}\n")
        raise socket.gaierror(f"there is no network here: {host}")


sys.addaudithook(_refuse)
