"""The playground: a local web page to write a formula, train with it, and watch its neurons.

    browser ◄─ WebSocket ─► server ◄─ lines ─► a process for the page's formulas
                              │    ◄─ lines ─► a process for the page's model
                              └─ one `Visit` for every open page

The server parses no formula and trains nothing: a process that takes too long, or too much memory,
is ended, and the server only says so.
"""

from limen.playground.server import serve

__all__ = ["serve"]
