"""Corral beside nbdkit and qemu-nbd, in one run on one machine.

``python -m bench`` writes ``bench/results/latest.json`` and the tables of
``docs/explanation/performance.md``; what is measured and why is said on that page. Nothing here is
imported by the product, and no figure here is a threshold: a check that fails on a slow machine
says nothing about the code.
"""
