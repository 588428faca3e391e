"""Which release a machine's services are started from, and when that changes.

Pure: what ends and starts processes, and writes the record, is the supervisor.
"""
