"""Virtual machines in QEMU: each a process of its own that outlives whoever started it."""
