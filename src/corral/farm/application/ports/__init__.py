"""The roles that the outside plays for the use cases, in words of the domain.

Every adapter of a port passes the same contract tests (``tests/contract``). What a port may raise
is part of it: errors of the domain, never an adapter's own.
"""
