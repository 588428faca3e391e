"""The life of one virtual machine: its table, its record, and what to do next."""
