"""The engine's own releases: two slots, of which one runs and the other is where a new one goes."""
