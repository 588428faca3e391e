"""The rules of an engine as values and pure functions.

Belongs here: which version a virtual machine has, takes and gives back; which orders are believed;
what is fetched, kept and thrown away, and when. Does not belong here: any input or output, the
clock, random numbers, and every word of QEMU, HTTP or Pydantic.
"""
