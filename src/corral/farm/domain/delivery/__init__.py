"""Giving versions to devices: devices, their assignments and sessions, and the order of servers.

Not here: what is given (``image``) and by whom (``estate``).
"""
