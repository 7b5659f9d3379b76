def addresses() -> tuple[int, int]:
    """The addresses of the native put_frame and get_frame."""
