"""One WebSocket per player: jams in, plans out; the only door players use."""
