"""The rules of a farm as values and pure functions.

Belongs here: what a farm, a server, an image, a version, a device is, what may happen to it, and
the error that names each broken rule. Does not belong here: any input or output, the clock, random
numbers, a library other than the standard one, and every word of SQL or HTTP.
"""
