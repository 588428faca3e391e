"""Disk images in the formats of others, through qemu-img and qemu-nbd.

Nothing here knows chunks, versions or the store: it says what a file is, lends its content as a
plain disk, and writes a plain disk in another format.

An image file is input from outside and may be hostile. So QEMU never guesses: the format comes from
``recognition`` or from the person, and each layer of a chain is named to QEMU with its driver
(``block_graph``). A file outside the image's own folder is never opened on an image's word.
"""
