"""Images, their versions, and the replicas of versions in stores.

Not here: chunks and manifests. The farm knows a version by its root hash and decides who should
hold it; cutting, hashing, storing and fetching are behind a port.
"""
