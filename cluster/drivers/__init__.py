"""Scripts to start from: run them beside a running system."""
