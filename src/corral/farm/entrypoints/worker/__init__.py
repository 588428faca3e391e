"""The worker: a process that runs the farm's tasks. It knows no HTTP and asks nobody anything."""
