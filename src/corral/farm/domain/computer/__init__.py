"""Computers that leave the network, their users, and what each of them should run.

Pure: it reads no clock and no database, verifies no signature and knows no message's form.
"""
