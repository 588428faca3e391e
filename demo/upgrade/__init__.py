"""The demonstration of an upgrade that no device notices: ``python -m demo.upgrade``.

A farm of three servers, a relay and two engines goes from one release to the next while devices
stream, goes back when one server fails, and goes again. It is driven from outside, as a person
would, and only what people and machines could do is done to it.
"""
