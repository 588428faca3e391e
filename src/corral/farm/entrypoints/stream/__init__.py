"""The stream process: one of the farm's servers, as a program.

Hosts the Rust stream server on its own threads and makes of it what the farm's configuration says:
which versions it offers, which replicas it fetches, whether it drains. It needs the farm's API for
news only: without it, the last configuration stays in force, across restarts too.

Not here: rules of the farm, the database, and bytes of disks, which no Python code ever touches.
"""
