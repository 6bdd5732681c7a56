"""A relay between pgring and PostgreSQL that cuts connections after a given number of bytes."""

import selectors
import socket
import struct
import threading

from harness.wait import free_port


class Cutter:
    """Listens on a port; each connection is cut when `limit` bytes came from the server.

    `limit` None lets everything through. The limit counts per connection.
    """

    def __init__(self, postgres):
        self.host, self.port = "127.0.0.1", free_port()
        self.limit = None
        self.passed = 0  # bytes from the server on the newest connection
        self.reset = False  # cut with a reset instead of an orderly end
        self._target = (postgres.host, postgres.port)
        self._listener = socket.create_server((self.host, self.port), backlog=64)
        self._wake, self._woken = socket.socketpair()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self):
        self._wake.send(b"x")
        self._thread.join(10)
        self._listener.close()

    def _run(self):
        selector = selectors.DefaultSelector()
        selector.register(self._listener, selectors.EVENT_READ, None)
        selector.register(self._woken, selectors.EVENT_READ, None)
        pairs = []
        while True:
            for key, _ in selector.select():
                if key.fileobj is self._woken:
                    for pair in pairs:
                        self._end(selector, pair)
                    return
                if key.fileobj is self._listener:
                    pairs.append(self._accept(selector))
                elif key.data["open"]:
                    self._move(selector, key.fileobj, key.data)

    def _accept(self, selector):
        client, _ = self._listener.accept()
        server = socket.create_connection(self._target)
        pair = {"client": client, "server": server, "passed": 0, "limit": self.limit, "open": True}
        for end in (client, server):
            selector.register(end, selectors.EVENT_READ, pair)
        return pair

    def _move(self, selector, source, pair):
        from_server = source is pair["server"]
        try:
            data = source.recv(65536)
            if from_server and pair["limit"] is not None:
                data = data[:pair["limit"] - pair["passed"]]
            if data:
                (pair["client"] if from_server else pair["server"]).sendall(data)
        except OSError:
            data = b""
        if from_server:
            pair["passed"] += len(data)
            self.passed = pair["passed"]
        if not data or (from_server and pair["passed"] == pair["limit"]):
            self._end(selector, pair)

    def _end(self, selector, pair):
        if not pair["open"]:
            return
        pair["open"] = False
        if self.reset:
            pair["client"].setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        for end in (pair["client"], pair["server"]):
            selector.unregister(end)
            end.close()
