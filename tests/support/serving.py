"""An application answering over real HTTP, on a free port of the loopback, until the test is through with it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI


@contextmanager
def answering(app: FastAPI) -> Iterator[str]:
    """The URL at which `app` answers."""
    config = uvicorn.Config(app, log_config=None, lifespan="off", port=0)
    server, listener = uvicorn.Server(config), config.bind_socket()
    listener.listen()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
