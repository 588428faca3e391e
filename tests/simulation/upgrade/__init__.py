"""Farms that are upgraded at random: the real planner and the real rule of adoption in a world of
crashes, late news, helping hands and two workers at once. See docs/explanation/upgrades.md."""
