"""What a fleet of computers costs one server: check-ins, a rollout to all of them, memory.

Engines are simulated, each with a key, orders and a sequence of its own; the farm is real: its API
in a process of its own, over its own database, asked over sockets with signatures that it checks.
"""
