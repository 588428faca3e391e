"""Technologies in the roles of ports. Adapters are unaware of each other."""
