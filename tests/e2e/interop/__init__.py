"""What others wrote, against a real stream server with a real image.

Nothing here imports Corral's protocol code: every byte that is judged went through somebody else's
client. A tool that is missing skips its tests and says so, except in CI, where it fails them.
"""
