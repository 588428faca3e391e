"""What people, the farm and time can ask of an engine; synchronous, through ports."""
