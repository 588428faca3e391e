"""The HTTP API: devices log in, stream processes ask and report, people's tools read.

Each handler turns a request into one call of a use case and its result into a message of
``corral.wire``. Not here: rules, SQL, and the bytes of disks, which never pass through here.
"""
