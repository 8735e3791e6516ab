"""What stands where production reaches outside of itself."""


class Port:
    """Shared by all incarnations of a schedule: whoever runs is who uses it."""
