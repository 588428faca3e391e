"""Every port in memory: for tests, and as the shortest description of what each port means.

The contract tests hold these and the real adapters to the same behaviour.
"""
