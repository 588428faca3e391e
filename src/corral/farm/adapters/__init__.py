"""Technologies in the roles of ports: `technology` + role is the name of each class.

Adapters are unaware of each other; `bootstrap` chooses them.
"""
