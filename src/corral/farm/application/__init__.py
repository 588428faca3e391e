"""What people and machines can ask of a farm: one verb, one file, one callable class.

A use case is synchronous, gets its ports by constructor, opens its own transactions and raises
errors of the domain. It knows no technology: no SQL, no HTTP, no terminal, no process.
"""
