"""The command line: words become values, values go to one application call, answers become text.

Belongs here: names of commands, tables, progress bars, exit codes. Does not belong here: a rule of
the farm. Nothing dear is imported before a command needs it: ``corral --help`` is immediate.
"""
