"""The disk process: offers versions as disks, whether all of them has arrived or not.

It is a process of its own so that an agent can be restarted or upgraded while machines run. It
decides nothing: the agent tells it what to offer and who has what is missing.
"""
