"""What farm and engine agree on about media that are carried from one to the other.

A medium is any folder, such as a USB stick that is mounted. Below it, in a folder of this name, is
a chunk store of the farm. Nothing else is needed: versions are known by their roots, and believed
because orders that the farm signed name those.
"""

from typing import Final

CHUNKS_FOLDER: Final = "corral-chunks"
