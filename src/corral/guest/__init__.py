"""What QEMU and the guest in it are told, by computers that run machines and by the farm alike.

Words and short conversations only: which machine is started when, and what is done if it fails, its
callers know. It needs Python and QEMU's own protocol library, and knows neither farm nor engine.
"""
