"""What tests share: the system in this process or for real, stand-ins and examples."""
