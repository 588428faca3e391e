"""The farm check: what is not as it should be, found by looking at everything at one moment.

Pure, so that whoever plans something dangerous can ask it what it says of the farm first.

Not here: how the inventory is gathered, and what is done about a finding.
"""
