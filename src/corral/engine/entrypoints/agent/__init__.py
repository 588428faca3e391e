"""The agent: checks in, fetches, decides, and answers its user."""
