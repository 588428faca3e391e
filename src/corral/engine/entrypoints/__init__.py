"""Where requests come in: each becomes one application call."""
